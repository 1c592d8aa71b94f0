"""Train `nuclei-3d`: foreground and depth of nuclei in volumes, from synthetic volumes only."""

import argparse
import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hmz_backend.zoo.quality import dice, match_counts
from training import data, export, volumes
from training.decode_nuclei import segment
from training.loop import Schedule, train
from training.network import Probabilities, UNet
from training.nuclei_2d import loss, normalised, predictor

WIDTHS = (8, 16, 32, 64)
SCENE_PX = (40, 112, 112)
CROP_PX = (32, 80, 80)
BATCH = 2
# How often a crop comes from a new scene: placing nuclei takes longer than rendering them.
RENEWAL = 0.04
REFERENCE_DIAMETER_PX = 20.0
# Nuclei are about 13 µm wide and the confocal volume's voxels 0.26 µm: known beforehand.
CONFOCAL_DIAMETER_PX = 50.0
# The best over all scenes of `training.seed_rule`, which no real volume has a part in.
SEEDS = {"seed_prominence": 0.15, "seed_depth": 0.3}
SMALLEST_SHARE = 0.125


class Crops:
    """Draws random batches of (image, target); a scene is rendered anew every time."""

    def __init__(self, scenes: int, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._bank = [volumes.random_scene(SCENE_PX, self._random) for _ in range(scenes)]

    def _cut(self, scene: volumes.Scene) -> volumes.Scene:
        starts = [
            self._random.integers(0, full - part + 1)
            for full, part in zip(SCENE_PX, CROP_PX, strict=True)
        ]
        box = tuple(slice(start, start + part) for start, part in zip(starts, CROP_PX, strict=True))
        labels, depth = scene.labels[box], scene.depth[box]
        for axis in range(3):
            if self._random.random() < 0.5:
                labels, depth = np.flip(labels, axis), np.flip(depth, axis)
        if self._random.random() < 0.5:
            labels, depth = labels.swapaxes(1, 2), depth.swapaxes(1, 2)
        return volumes.Scene(np.ascontiguousarray(labels), np.ascontiguousarray(depth))

    def crop(self) -> tuple[Tensor, Tensor]:
        """Give one image (z, y, x) and its targets (field, z, y, x): foreground, depth."""
        place = int(self._random.integers(len(self._bank)))
        if self._random.random() < RENEWAL:
            self._bank[place] = volumes.random_scene(SCENE_PX, self._random)
        scene = self._cut(self._bank[place])
        image = volumes.render(scene, self._random)
        gain = np.exp(self._random.uniform(np.log(0.6), np.log(1.6)))
        image = np.clip(image * gain + self._random.uniform(-0.05, 0.05), -0.5, 3.0).astype(
            np.float32
        )
        target = np.stack([(scene.labels > 0).astype(np.float32), scene.depth])
        return torch.from_numpy(image), torch.from_numpy(target)

    def batch(self) -> tuple[Tensor, Tensor]:
        """Give images (b, 1, z, y, x) and targets (b, 2, z, y, x)."""
        pairs = [self.crop() for _ in range(BATCH)]
        return torch.stack([image for image, _ in pairs])[:, None], torch.stack(
            [target for _, target in pairs]
        )


def measure_synthetic(network: nn.Module, scenes: int, seed: int) -> str:
    """Give AP@0.5 and Dice on fresh synthetic volumes that the training never saw."""
    random = np.random.default_rng(seed)
    predict = predictor(network)
    counts, shares = [], []
    for _ in range(scenes):
        scene = volumes.random_scene(CROP_PX, random)
        found = segment(
            volumes.render(scene, random),
            predict,
            zoom=(1, 1, 1),
            multiple_px=8,
            smallest_px=16,
            parameters=SEEDS,
        )
        counts.append(match_counts(scene.labels, found))
        shares.append(dice(scene.labels, found))
    total = sum(counts[1:], counts[0])
    return (
        f"synthetic AP@0.5 {total.average_precision:.3f} {total}, mean Dice {np.mean(shares):.3f}"
    )


def measure_confocal(network: nn.Module, sample: data.Sample) -> str:
    """Give AP@0.5 and Dice on the confocal volume at the default scale."""
    zoom = REFERENCE_DIAMETER_PX / CONFOCAL_DIAMETER_PX
    image = normalised(sample.image)
    found = segment(
        image,
        predictor(network),
        zoom=(zoom,) * 3,
        multiple_px=8,
        smallest_px=16,
        parameters={**SEEDS, "smallest_share": SMALLEST_SHARE, "diameter": CONFOCAL_DIAMETER_PX},
    )
    counts = match_counts(sample.labels, found)
    share = dice(sample.labels, found)
    return f"confocal AP@0.5 {counts.average_precision:.3f} {counts}, Dice {share:.3f}"


def main() -> None:
    """Train, measure, export to ONNX."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("training-data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=44.0)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="checkpoint to go on from")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(options.seed)
    untrained = UNet(3, WIDTHS, 2, root=True)
    if options.start is not None:
        untrained.load_state_dict(torch.load(options.start, weights_only=True))
    network = train(
        untrained,
        batch=Crops(options.scenes, options.seed).batch,
        loss=loss,
        schedule=Schedule(options.minutes),
        checkpoint=options.out / "nuclei-3d.pt",
        report=lambda averaged: measure_synthetic(averaged, scenes=6, seed=options.seed + 1000),
    )
    logging.info(
        "test %s", measure_confocal(network, data.confocal_volume(data.fetch(options.data)))
    )
    export.to_onnx(
        Probabilities(network),
        options.out / "nuclei-3d.onnx",
        axes="zyx",
        multiple=8,
        smallest_px=16,
    )


if __name__ == "__main__":
    main()
