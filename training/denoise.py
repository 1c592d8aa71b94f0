"""Train `denoise`: a blind-spot network (Noise2Void), which never sees a clean target."""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from hmz_backend.zoo.quality import psnr_db
from training import augment, data, export
from training.decode_nuclei import predict_padded
from training.loop import Schedule, train
from training.network import UNet

WIDTHS = (24, 48, 80)
CROP_PX = 128
BATCH = 12
BLIND_SHARE = 0.02
FLOOR = 1e-4
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Plane:
    """One training plane (y, x), scaled so that its 1st percentile is 0 and its 99.8th is 1."""

    values: Tensor
    source: str


def scaled(image: FloatArray) -> FloatArray:
    """Scale an image (any axes): 1st percentile to 0, 99.8th to 1; nothing is clipped."""
    low, high = np.percentile(image, (1.0, 99.8))
    return np.asarray((image - low) / max(high - low, 1e-6), dtype=np.float32)


def planes_of(root: Path) -> list[Plane]:
    """Read the planes of mnfinder's training split, the tomogram (80) and the confocal volume."""
    found = [
        Plane(torch.from_numpy(scaled(sample.image)), sample.name.split("/")[0].split("_")[-1])
        for sample in data.nuclei_2d(root, "training")
    ]
    tomogram = scaled(data.tomogram(root))[:80]
    for axis in range(3):
        count = tomogram.shape[axis]
        views = (np.take(tomogram, place, axis) for place in range(0, count, 2))
        found += [Plane(torch.from_numpy(np.ascontiguousarray(view)), "tomogram") for view in views]
    confocal = scaled(data.confocal_volume(root).image)
    found += [Plane(torch.from_numpy(plane.copy()), "confocal") for plane in confocal[::2]]
    return found


def add_noise(clean: Tensor, photons: float, readout: float, generator: torch.Generator) -> Tensor:
    """Add Poisson noise (1 stands for `photons` photons) and Gaussian noise."""
    counts = torch.poisson(torch.clamp(clean, min=0.0) * photons, generator=generator) / photons
    return (
        counts
        + torch.clamp(clean, max=0.0)
        + readout * torch.randn(clean.shape, generator=generator)
    )


def blind(image: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Replace a few pixels of images (b, 1, y, x) by a random neighbour; give result and mask."""
    mask = (torch.rand(image.shape, generator=generator) < BLIND_SHARE).float()
    rows, columns = image.shape[-2:]
    padded = functional.pad(image, (2, 2, 2, 2), mode="reflect")
    offsets = [(y, x) for y in range(5) for x in range(5) if (y, x) != (2, 2)]
    choice = torch.randint(len(offsets), image.shape, generator=generator)
    replaced = image.clone()
    for number, (y, x) in enumerate(offsets):
        chosen = (choice == number) & (mask > 0)
        replaced[chosen] = padded[..., y : y + rows, x : x + columns][chosen]
    return replaced, mask


class Crops:
    """Draws random batches of (blinded image, noisy image, mask); some crops get noise added."""

    def __init__(self, planes: list[Plane], seed: int) -> None:
        sources = sorted({plane.source for plane in planes})
        self._sources = [
            [plane.values for plane in planes if plane.source == source] for source in sources
        ]
        self._generator = torch.Generator().manual_seed(seed)

    def _index(self, size: int) -> int:
        return int(torch.randint(size, (), generator=self._generator).item())

    def crop(self) -> Tensor:
        """Give one noisy crop (y, x), normalised by the mean and deviation of its whole plane."""
        draw = self._generator
        group = self._sources[self._index(len(self._sources))]
        plane = group[self._index(len(group))]
        if augment.chance(0.25, draw):
            plane = functional.avg_pool2d(plane[None], 2)[0]
        y, x = (self._index(max(1, size - CROP_PX + 1)) for size in plane.shape)
        crop = plane[y : y + CROP_PX, x : x + CROP_PX]
        missing = [(0, CROP_PX - size) for size in crop.shape]
        crop = torch.from_numpy(np.pad(crop.numpy(), missing, mode="symmetric"))
        crop = torch.rot90(crop, self._index(4))
        if augment.chance(0.5, draw):
            crop = crop.flip(0)
        deviation = plane.std()
        if augment.chance(0.65, draw):
            photons = augment.Range(8.0, 600.0).draw_log(draw)
            readout = augment.Range(0.004, 0.2).draw_log(draw)
            crop = add_noise(crop, photons, readout, draw)
            deviation = torch.sqrt(deviation**2 + readout**2 + plane.mean().clamp(min=0) / photons)
        gain = augment.Range(0.7, 1.4).draw_log(draw)
        return (crop - plane.mean()) / (deviation + 1e-6) * gain

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Give blinded images, noisy images and masks, all (b, 1, y, x)."""
        noisy = torch.stack([self.crop() for _ in range(BATCH)])[:, None]
        blinded, mask = blind(noisy, self._generator)
        return blinded, noisy, mask


def loss(output: Tensor, wanted: tuple[Tensor, ...]) -> Tensor:
    """Give the mean over images of the logarithm of the squared error at blinded pixels.

    The logarithm makes a clean image count as much as a noisy one.
    """
    noisy, mask = wanted
    error = (((output - noisy) ** 2) * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(
        min=1
    )
    return torch.log(error + FLOOR).mean()


def restore(network: nn.Module, image: FloatArray) -> FloatArray:
    """Denoise an image (y, x) and keep its scale of values."""
    mean, deviation = float(image.mean()), float(image.std()) + 1e-6

    def predict(plane: FloatArray) -> FloatArray:
        with torch.no_grad():
            output = network(torch.from_numpy(np.ascontiguousarray(plane))[None, None])[0]
        return np.asarray(output.numpy(), dtype=np.float32)

    normalised = ((image - mean) / deviation).astype(np.float32)
    restored = predict_padded(normalised, predict, 16, 64)[0] * deviation + mean
    return np.asarray(restored, dtype=np.float32)


def measure(
    network: nn.Module, samples: list[data.Sample], photons: float, readout: float, seed: int
) -> str:
    """Give mean PSNR before and after, and of a Gaussian filter, on images with noise added."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for sample in samples:
        clean = scaled(sample.image)
        noisy = add_noise(torch.from_numpy(clean), photons, readout, generator).numpy()
        smooth = ndimage.gaussian_filter(noisy, 1.0)
        rows.append(
            [psnr_db(clean, image, 1.0) for image in (noisy, smooth, restore(network, noisy))]
        )
    before, filtered, after = np.mean(rows, axis=0)
    worst = min(row[2] - row[0] for row in rows)
    return (
        f"photons {photons:g}, readout {readout:g}: PSNR {before:.2f} -> {after:.2f} dB "
        f"(Gaussian filter, sigma 1 px: {filtered:.2f}); smallest gain {worst:.2f} dB"
    )


def measure_blind(network: nn.Module, planes: list[FloatArray], seed: int) -> str:
    """Give the blind-spot error on real noise, and that of the mean of the 8 neighbours."""
    generator = torch.Generator().manual_seed(seed)
    around = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=np.float32) / 8
    errors, baselines = [], []
    for plane in planes:
        image = ((plane - plane.mean()) / plane.std()).astype(np.float32)
        image = image[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4]
        tensor = torch.from_numpy(image)[None, None]
        blinded, mask = blind(tensor, generator)
        with torch.no_grad():
            output = network(blinded)
        count = mask.sum()
        errors.append(float((((output - tensor) ** 2) * mask).sum() / count))
        near = torch.from_numpy(ndimage.convolve(image, around))
        baselines.append(float((((near - tensor) ** 2) * mask).sum() / count))
    return (
        f"blind-spot error {np.mean(errors):.4f}, "
        f"mean of 8 neighbours {np.mean(baselines):.4f} (unit variance)"
    )


def main() -> None:
    """Train, measure on held-out images, export to ONNX."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("training-data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="checkpoint to go on from")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(options.seed)
    root = data.fetch(options.data)
    validation = list(data.nuclei_2d(root, "validation"))
    untrained = UNet(2, WIDTHS, 1, root=False)
    if options.start is not None:
        untrained.load_state_dict(torch.load(options.start, weights_only=True))
    network = train(
        untrained,
        batch=Crops(planes_of(root), options.seed).batch,
        loss=loss,
        schedule=Schedule(options.minutes, learning_rate=1e-3),
        checkpoint=options.out / "denoise.pt",
        report=lambda averaged: (
            f"validation {measure(averaged, validation, 50.0, 0.05, options.seed)}"
        ),
    )
    test = list(data.nuclei_2d(root, "test"))
    for photons, readout in ((200.0, 0.02), (50.0, 0.05), (15.0, 0.1)):
        logging.info("test %s", measure(network, test, photons, readout, options.seed))
    held_out = data.tomogram(root)[82:100:4]
    logging.info(
        "tomogram, held-out planes: %s", measure_blind(network, list(held_out), options.seed)
    )
    export.to_onnx(
        network,
        options.out / "denoise.onnx",
        axes="yx",
        multiple=16,
        smallest_px=64,
        output="restored",
    )


if __name__ == "__main__":
    main()
