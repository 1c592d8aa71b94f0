"""Build the packages `spots` and `spots-2d`: peaks of the Laplacian of a Gaussian, as points."""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hmz_backend.zoo.draft import Draft, Section, space_axis
from training.build_components import OPSET, identity_network
from training.packaging import card_text, ship, words

CODE = Path(__file__).with_name("spots.py")
HALO_PER_SIGMA = 6
"""The filter is cut off at 4 sigma, and a peak is compared with what lies within 1 more."""


def synthetic(shape: tuple[int, ...], seed: int, count: int) -> npt.NDArray[np.uint16]:
    """Draw round spots of sigma 2 on a dark, noisy ground (spatial axes)."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"))
    image = random.normal(200, 10, shape)
    for _ in range(count):
        centre = random.uniform(4, np.array(shape) - 4).reshape(-1, *[1] * len(shape))
        squared = ((grid - centre) ** 2).sum(axis=0)
        image += random.uniform(500, 1500) * np.exp(-squared / 8)
    return np.clip(image, 0, 65535).astype(np.uint16)


def cover() -> npt.NDArray[np.uint8]:
    """Paint drawn spots, plain on the left and ringed on the right (256, 512, rgb)."""
    from skimage.draw import circle_perimeter
    from skimage.feature import peak_local_max

    image = synthetic((256, 256), seed=3, count=40).astype(float)
    grey = np.repeat(np.clip((image - 180) / 1200, 0, 1)[..., None], 3, axis=2)
    ringed = grey.copy()
    for y, x in peak_local_max(image, min_distance=4, threshold_abs=500):
        for radius in (9, 10):
            ringed[circle_perimeter(y, x, radius, shape=(256, 256))] = (1.0, 0.75, 0.1)
    return np.asarray(np.concatenate([grey, ringed], axis=1) * 255, dtype=np.uint8)


def parameters() -> Section:
    """Describe what a user may choose."""
    return {
        "sigma": {
            "type": "number",
            "title": "Spot size",
            "description": "Sigma of the spots: about 0.4 of their width at half height.",
            "unit": "px",
            "default": 2.0,
            "minimum": 0.5,
            "maximum": 20,
            "step": 0.1,
        },
        "threshold": {
            "type": "number",
            "title": "Threshold",
            "description": "The least response: about half of a spot's brightness over its "
            "ground. Empty: the standard deviation of the whole image.",
            "optional": True,
            "default": None,
            "minimum": 0,
        },
    }


def extension(axes: str) -> Section:
    """Compose `config.hmz`."""
    digest = hashlib.sha256(CODE.read_bytes()).hexdigest()
    return {
        "version": 1,
        "task": "detection",
        "inputs": {
            "image": {
                "kind": "image",
                "dtypes": ["uint8", "uint16", "int16", "float32"],
                "pad": "symmetric",
            }
        },
        "outputs": {"spots": {"kind": "points"}},
        "normalise": {"scope": "volume", "measures": ["standard deviation"]},
        "parameters": parameters(),
        "tile": {
            "preferred": dict.fromkeys(axes, {2: 1024, 3: 128}[len(axes)]),
            "halo": dict.fromkeys(axes, HALO_PER_SIGMA),
            "halo_rule": {"parameter": "sigma", "factor": HALO_PER_SIGMA},
            "memory_bytes_per_voxel": 32,
            "seconds_per_megavoxel": {2: 0.25, 3: 0.4}[len(axes)],
            "skip_empty": True,
        },
        "pipeline": {"source": CODE.name, "sha256": digest, "callable": "Spots"},
        "training_data": "None: nothing is learned.",
        "quality": [
            {
                "metric": "points unequal to skimage.feature.peak_local_max of the whole",
                "value": 0,
                "dataset": "drawn spots, and noise",
                "protocol": "one threshold; several block sizes and sigmas",
            }
        ],
    }


def draft(name: str, axes: str) -> Draft:
    """Compose the package for `axes`, either yx or zyx."""
    shape = {2: (96, 112), 3: (20, 44, 40)}[len(axes)]
    return Draft(
        words=words(
            name,
            f"Bright spots {len(axes)}D",
            "Finds small bright spots as points: Laplacian of a Gaussian, no network.",
            tags=["detection", "spots", f"{len(axes)}d"],
            cite=[],
        ),
        image={
            "id": "image",
            "axes": [
                {"type": "batch"},
                *(space_axis(axis, size={"min": 1, "step": 1}) for axis in axes),
            ],
            "data": {"type": "float32"},
            "pad": {"mode": "symmetric"},
        },
        result={
            "id": "spots",
            "axes": [
                {"type": "batch"},
                {"type": "index", "size": {"min": 1}},
                {"type": "channel", "channel_names": [*axes, "response"]},
            ],
            "data": {"type": "float32"},
        },
        weights=identity_network(axes),
        opset=OPSET,
        hmz=extension(axes),
        test_input=synthetic(shape, seed=7, count=16)[None],
        readme=card_text("spots"),
        cover=cover(),
        steps={CODE.name: CODE.read_bytes()},
    )


def main() -> None:
    """Build both packages."""
    for name, axes in (("spots", "zyx"), ("spots-2d", "yx")):
        ship(name, draft(name, axes))


if __name__ == "__main__":
    main()
