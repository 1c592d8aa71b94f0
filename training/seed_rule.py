"""Choose the seed rule of `nuclei-3d` on synthetic volumes, at the scale at which it will be used.

The decoder works on the voxels of the user's volume, where nuclei are wider than in front of the
network: so scenes are enlarged first, and go through the same steps as a volume that comes in.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from hmz_backend.zoo.quality import Counts, match_counts
from training import volumes
from training.decode_nuclei import FloatArray, LabelArray, decode, predict_padded, resize
from training.network import UNet
from training.nuclei_2d import predictor
from training.nuclei_3d import (
    CONFOCAL_DIAMETER_PX,
    REFERENCE_DIAMETER_PX,
    SMALLEST_SHARE,
    WIDTHS,
)

SCENE_PX = (32, 80, 80)
PROMINENCES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35)
SEED_DEPTH = 0.3  # 0.2 and 0.4 give the same objects in these scenes
CROWDED = 0.4  # of the range up to 0.75 that scenes are drawn from


@dataclass(frozen=True)
class Fields:
    """The network's fields (field, z, y, x) of one scene at the user's scale, and its truth."""

    fields: FloatArray
    truth: LabelArray
    is_crowded: bool


def fields_of_scenes(network: Path, scenes: int, seed: int) -> Iterator[Fields]:
    """Yield what the network sees in fresh scenes whose nuclei have the size it knows best."""
    net = UNet(3, WIDTHS, 2, root=True)
    net.load_state_dict(torch.load(network, weights_only=True))
    predict = predictor(net.eval())
    random = np.random.default_rng(seed)
    enlarged = CONFOCAL_DIAMETER_PX / REFERENCE_DIAMETER_PX
    shape = tuple(round(size * enlarged) for size in SCENE_PX)
    while scenes:
        tissue = volumes.random_tissue(random)
        scene = volumes.fill(SCENE_PX, tissue, random)
        sizes = np.bincount(scene.labels.ravel())[1:]
        if not 0.7 < np.cbrt(np.median(sizes) * 6 / np.pi) / REFERENCE_DIAMETER_PX < 1.4:
            continue  # the user gives the diameter: other sizes do not reach the network
        image = resize(volumes.render(scene, random), shape)
        found = predict_padded(resize(image, SCENE_PX), predict, 8, 16)
        fields = np.stack([resize(field, shape) for field in found])
        truth = ndimage.zoom(scene.labels, enlarged, order=0)
        yield Fields(fields, truth, tissue.crowding > CROWDED)
        scenes -= 1


def main() -> None:
    """Print AP@0.5 of every rule on loose, crowded and all scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--seed", type=int, default=90_000)
    options = parser.parse_args()
    nothing = Counts(0, 0, 0)
    sums = {(rule, crowded): nothing for rule in PROMINENCES for crowded in (False, True)}
    for scene in fields_of_scenes(options.network, options.scenes, options.seed):
        for rule in PROMINENCES:
            labels = decode(
                scene.fields,
                seed_prominence=rule,
                seed_depth=SEED_DEPTH,
                smallest_share=SMALLEST_SHARE,
                diameter=CONFOCAL_DIAMETER_PX,
            )
            sums[rule, scene.is_crowded] += match_counts(scene.truth, labels)
    for rule in PROMINENCES:
        loose, crowded = sums[rule, False], sums[rule, True]
        print(
            f"prominence {rule:.2f}: "
            f"loose {loose.average_precision:.3f}, crowded {crowded.average_precision:.3f}, "
            f"all {(loose + crowded).average_precision:.3f} {loose + crowded}"
        )


if __name__ == "__main__":
    main()
