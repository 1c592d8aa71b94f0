"""Train `nuclei-2d`: foreground and depth of nuclei in the plane, from mnfinder."""

import argparse
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from hmz_backend.zoo.quality import Counts, dice, match_counts
from training import augment, data, export, targets
from training.decode_nuclei import segment
from training.loop import Schedule, train
from training.network import Probabilities, UNet

WIDTHS = (16, 32, 64, 128, 192)
CROP_PX = 256
BATCH = 8
DIAMETERS_PX = augment.Range(16.0, 85.0)
ZOOMS = augment.Range(0.55, 3.0)
PERCENTILES = (1.0, 99.8)


@dataclass(frozen=True)
class Example:
    """A training image: planes (plane, y, x) are the normalised image, depth, foreground."""

    planes: Tensor
    labels: Tensor
    centres: npt.NDArray[np.float64]
    diameter_px: float
    group: str


def normalised(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scale an image so that its 1st percentile is 0 and its 99.8th is 1, clipped to -0.5..3."""
    low, high = np.percentile(image, PERCENTILES)
    return np.asarray(np.clip((image - low) / max(high - low, 1e-6), -0.5, 3.0), dtype=np.float32)


def example_of(sample: data.Sample) -> Example:
    """Prepare one annotated image for training."""
    labels = targets.clean(sample.labels, smallest_px=25)
    numbers = np.arange(1, labels.max() + 1)
    sizes = np.bincount(labels.ravel())[1:]
    rows, columns = np.indices(labels.shape)
    centres = np.stack(
        [np.bincount(labels.ravel(), axis.ravel())[numbers] / sizes for axis in (rows, columns)], 1
    )
    planes = np.stack(
        [normalised(sample.image), targets.depth_field(labels), (labels > 0).astype(np.float32)]
    )
    return Example(
        planes=torch.from_numpy(planes),
        labels=torch.from_numpy(labels.astype(np.float32)),
        centres=centres,
        diameter_px=float(np.median(2 * np.sqrt(sizes / np.pi))),
        group=sample.name.split("/")[0].split("_")[-1],
    )


class Crops:
    """Draws random batches of (image, target); every group of images is drawn equally often."""

    def __init__(self, examples: list[Example], seed: int) -> None:
        groups = sorted({example.group for example in examples})
        self._groups = [
            [example for example in examples if example.group == group] for group in groups
        ]
        self._generator = torch.Generator().manual_seed(seed)

    def _index(self, size: int) -> int:
        return int(torch.randint(size, (), generator=self._generator).item())

    def _centre(self, example: Example) -> tuple[float, float]:
        if augment.chance(0.75, self._generator):
            y, x = example.centres[self._index(len(example.centres))]
            return float(y), float(x)
        rows, columns = example.labels.shape
        return float(self._index(rows)), float(self._index(columns))

    def crop(self) -> tuple[Tensor, Tensor]:
        """Give one varied image (y, x) and its targets (field, y, x): foreground, depth."""
        draw = self._generator
        group = self._groups[self._index(len(self._groups))]
        example = group[self._index(len(group))]
        zoom = DIAMETERS_PX.draw_log(draw) / example.diameter_px
        zoom = min(max(zoom, ZOOMS.low), ZOOMS.high)
        shape = (example.labels.shape[0], example.labels.shape[1])
        grid = augment.random_grid(shape, CROP_PX, zoom, self._centre(example), draw)
        planes = functional.grid_sample(
            example.planes[None], grid, padding_mode="reflection", align_corners=True
        )[0]
        labels = functional.grid_sample(
            example.labels[None, None],
            grid,
            mode="nearest",
            padding_mode="reflection",
            align_corners=True,
        )[0, 0]
        image = planes[0]
        if augment.chance(0.5, draw):
            image = augment.vary_objects(image, labels, draw)
        if augment.chance(0.4, draw):
            image = augment.cytoplasm(image, labels, zoom * example.diameter_px, draw)
        image = augment.camera(augment.texture(image, draw), draw)
        return image, torch.stack([(planes[2] > 0.5).float(), planes[1]])

    def batch(self) -> tuple[Tensor, Tensor]:
        """Give images (b, 1, y, x) and targets (b, 2, y, x)."""
        pairs = [self.crop() for _ in range(BATCH)]
        return torch.stack([image for image, _ in pairs])[:, None], torch.stack(
            [target for _, target in pairs]
        )


def loss(output: Tensor, wanted: tuple[Tensor, ...]) -> Tensor:
    """Weigh foreground (cross-entropy, Dice) against depth (squared error, more inside objects)."""
    target = wanted[0]
    inside = target[:, 0]
    probability = torch.sigmoid(output)
    entropy = functional.binary_cross_entropy_with_logits(output[:, 0], inside)
    shared = (probability[:, 0] * inside).sum()
    overlap = 2 * shared / (probability[:, 0].sum() + inside.sum() + 1.0)
    error = (probability[:, 1] - target[:, 1]) ** 2 * (1 + 2 * inside)
    return entropy + 0.3 * (1 - overlap) + 4 * error.mean()


def predictor(network: nn.Module) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """Wrap a network as a function from image (spatial) to fields (field, spatial) in 0..1."""

    def predict(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            output = torch.sigmoid(
                network(torch.from_numpy(np.ascontiguousarray(image))[None, None])
            )
        return np.asarray(output[0].numpy(), dtype=np.float32)

    return predict


def measure(
    network: nn.Module, samples: list[data.Sample], zoom: float = 1.0
) -> tuple[str, list[str]]:
    """Give pooled AP@0.5 and mean Dice in one line, and one line per image."""
    predict = predictor(network)
    total, dices, lines = Counts(0, 0, 0), [], []
    for sample in samples:
        found = segment(normalised(sample.image), predict, zoom=(zoom, zoom))
        counts = match_counts(sample.labels, found, 0.5)
        total, share = total + counts, dice(sample.labels, found)
        dices.append(share)
        lines.append(f"{sample.name}: AP {counts.average_precision:.3f} {counts} Dice {share:.3f}")
    return f"AP@0.5 {total.average_precision:.4f} {total}, mean Dice {np.mean(dices):.4f}", lines


def main() -> None:
    """Train, measure on the held-out images, export to ONNX."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("training-data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="checkpoint to go on from")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(options.seed)
    root = data.fetch(options.data)
    crops = Crops([example_of(sample) for sample in data.nuclei_2d(root, "training")], options.seed)
    held_out = list(data.nuclei_2d(root, "validation"))
    untrained = UNet(2, WIDTHS, 2, root=True)
    if options.start is not None:
        untrained.load_state_dict(torch.load(options.start, weights_only=True))
    network = train(
        untrained,
        batch=crops.batch,
        loss=loss,
        schedule=Schedule(options.minutes),
        checkpoint=options.out / "nuclei-2d.pt",
        report=lambda averaged: f"validation {measure(averaged, held_out)[0]}",
    )
    summary, lines = measure(network, list(data.nuclei_2d(root, "test")))
    logging.info("test %s\n%s", summary, "\n".join(lines))
    export.to_onnx(
        Probabilities(network),
        options.out / "nuclei-2d.onnx",
        axes="yx",
        multiple=16,
        smallest_px=64,
    )


if __name__ == "__main__":
    main()
