"""Labels of tiles against labels of the whole: the same objects, and what joining them costs.

One binary image in four ways: `scipy.ndimage.label` and `cc3d` on the whole, `dask_image` on the
same blocks, and the product: scipy on each tile, then all that the product does with its labels
(numbering, bands, provisional chunks, comparing, final chunks; files and compression included,
which the others are spared). CPU seconds; the four take turns, and the best round of each counts.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.figure import Figure
from hmz_backend.testing.label_run import LabelRun
from napari_hmz.schema import AxisName

SIDE_PX = 288
BLOCK_PX = 96
HALO_PX = 1
ROUNDS = 2
AXES: tuple[AxisName, ...] = ("z", "y", "x")
CONNECTED = np.ones((3, 3, 3), int)
PEERS = {"cc3d": "cc3d", "dask_image.ndmeasure.label": "dask_image"}
"""Modules of the dependency group `bench`; those that are not there are left out."""
Array = NDArray[Any]


@dataclass(frozen=True)
class Measured:
    """What one way has found, and what it took."""

    labels: Array
    cpu_s: float
    joining_s: float = 0.0
    kept_bytes: int = 0
    """The most that the product's work folder held."""


def figures() -> Iterator[Figure]:
    """Yield objects that differ, and the speeds as ratios."""
    image = _image()
    ways: dict[str, Callable[[Array], Measured]] = {
        "product": _product,
        "scipy.ndimage.label": _scipy,
        "cc3d": _cc3d,
        "dask_image.ndmeasure.label": _dask_image,
    }
    ways = {name: way for name, way in ways.items() if name not in PEERS or _is_there(PEERS[name])}
    rounds = [{name: way(image) for name, way in ways.items()} for _ in range(ROUNDS)]
    best = {name: min((r[name] for r in rounds), key=lambda m: m.cpu_s) for name in ways}
    joining_s = min(found["product"].joining_s for found in rounds)
    product = best["product"]
    for name, other in best.items():
        if name != "product":
            differing = int(np.count_nonzero(_raster_numbered(other.labels) != product.labels))
            yield Figure(f"voxels labelled differently from {name}", differing, 0, "below")
    yield from _speeds(best, joining_s, image.size / 1e6)
    kept = product.kept_bytes / (image.size / BLOCK_PX**3)
    note = (
        f"({kept:.0f} bytes per block at most; a tile has {(BLOCK_PX + 2 * HALO_PX) ** 3} voxels)"
    )
    plain = 4 * (BLOCK_PX + 2 * HALO_PX) ** 3
    yield Figure("kept for joining / labels of a tile", kept / plain, 0.01, "below", note)


def _speeds(best: dict[str, Measured], joining_s: float, mvoxels: float) -> Iterator[Figure]:
    bars = {"scipy.ndimage.label": 0.3, "cc3d": 0.05}
    for name, bar in ((name, bar) for name, bar in bars.items() if name in best):
        other_s = best[name].cpu_s
        note = f"({mvoxels / joining_s:.0f} / {mvoxels / other_s:.0f} Mvoxel/s and core)"
        yield Figure(f"speed of joining / {name}", other_s / joining_s, bar, "above", note)
    name, product_s = "dask_image.ndmeasure.label", best["product"].cpu_s
    if name not in best:
        return
    note = f"({mvoxels / product_s:.0f} / {mvoxels / best[name].cpu_s:.0f} Mvoxel/s and core)"
    ratio = best[name].cpu_s / product_s
    yield Figure(f"speed of labelling and joining / {name}", ratio, 1, "above", note)


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _image() -> Array:
    """Return cells and vessels: some hundred objects, some of which run through many blocks."""
    noise = np.random.default_rng(0).normal(size=(SIDE_PX,) * 3).astype(np.float32)
    smooth = ndimage.gaussian_filter(noise, 4)
    return np.asarray(smooth > 0.7 * smooth.std(), np.uint8)


def _product(image: Array) -> Measured:
    spent_s = [0.0]

    def label(tile: Array) -> Array:
        started_s = time.process_time()
        found = np.asarray(ndimage.label(tile, CONNECTED)[0], np.uint32)
        spent_s[0] += time.process_time() - started_s
        return found

    with tempfile.TemporaryDirectory() as name:
        started_s, kept = time.process_time(), 0
        size = {"block": dict.fromkeys(AXES, BLOCK_PX), "halo": dict.fromkeys(AXES, HALO_PX)}
        run = LabelRun(Path(name), image, AXES, label, AXES, request=size)
        for number in range(run.plan.blocks):
            run.compute(number)
            run.joining.add([number])
            kept = max(kept, _bytes(run.work.folder))
        run.relabel(range(run.plan.blocks))
        cpu_s = time.process_time() - started_s
        return Measured(run.output(), cpu_s, cpu_s - spent_s[0], kept)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _scipy(image: Array) -> Measured:
    started_s = time.process_time()
    labels = ndimage.label(image, CONNECTED)[0]
    return Measured(np.asarray(labels), time.process_time() - started_s)


def _cc3d(image: Array) -> Measured:
    import cc3d

    started_s = time.process_time()
    labels = cc3d.connected_components(image, connectivity=26)
    return Measured(np.asarray(labels), time.process_time() - started_s)


def _dask_image(image: Array) -> Measured:
    import dask
    import dask.array as da
    from dask_image.ndmeasure import label

    with dask.config.set(scheduler="synchronous"):
        started_s = time.process_time()
        labels, _ = label(da.from_array(image, chunks=BLOCK_PX), CONNECTED)
        found = labels.compute()
        return Measured(np.asarray(found), time.process_time() - started_s)


def _raster_numbered(labels: Array) -> Array:
    """Return labels numbered by the raster order of their first voxels, as the product does."""
    found, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    first[found == 0] = -1  # background stays 0, wherever it begins
    rank = np.empty(len(found), np.int64)
    rank[np.argsort(first)] = np.arange(len(found)) + (0 if 0 in found else 1)
    return rank[inverse].reshape(labels.shape)
