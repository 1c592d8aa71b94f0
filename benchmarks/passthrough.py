"""Bar 1: a volume through the whole product, against bare Triton on the same tiles.

Bare Triton gets the tiles cut beforehand, over gRPC as anybody's client would send them, with as
many in flight as the product keeps there. The product starts from an array in memory and ends with
an OME-Zarr on disk: announcing, encoding, sending, staging, cutting, stitching, writing, fetching
and writing again are all inside. All take turns, and the best round of each counts: what else the
machine does at the time is nobody's. The product puts its tiles into memory that it shares with
Triton; how bare Triton does with that is said beside each figure.

What is meant is the rate of a run that goes on for some seconds. With a model that does nothing,
28 Mvoxel pass in well under a second, and a part of it goes into announcing, planning, waiting for
the first chunks and finishing, of which bare Triton has nothing. So the bar is held against 113
Mvoxel, and the short run stands beside it with a lower one.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure
from benchmarks.images import microscopy, noise
from benchmarks.packages import do_nothing, paced
from benchmarks.service import Service, service
from hmz_backend.dispatch.dispatcher import TILES_PER_INSTANCE
from hmz_backend.engines.protocol import TileRequest
from hmz_backend.engines.triton import TritonEngine
from hmz_backend.planning import blocks, cut_tile
from hmz_backend.zoo.shipped import shipped_models
from napari_hmz.schema import (
    AxisName,
    Plan,
    Region,
    VolumeStatistics,
    full_region,
    sizes_of,
    slices,
)
from napari_hmz.sources import open_source
from napari_hmz.statistics import volume_statistics

TIMEOUT_S = 600.0
TILE_S = 0.02
WARM_BYTES = 6 * 2**30
"""More than the largest case and all files of its rounds take: none meets fresh memory."""


@dataclass(frozen=True)
class Case:
    """One model on one volume, and the ratio it must reach.

    Parameters
    ----------
    tile_s
        What a tile takes, if that is the model's purpose.
    """

    model: str
    what: str
    volume: "NDArray[np.uint16]"
    axes: tuple[AxisName, ...]
    bar: float
    instances: int = 2
    rounds: int = 3
    tile_s: float | None = None


@dataclass(frozen=True)
class Seconds:
    """Bare Triton with tiles sent, once with tiles in shared memory, and the product."""

    sent: float
    shared: float
    product: float


def figures() -> Iterator[Figure]:
    """Yield one ratio per case; for the paced model, also how busy it was kept."""
    _touch_memory()
    short, volume, plane = (192, 384, 384), (384, 768, 384), (3072, 3072)
    spatial: tuple[AxisName, ...] = ("z", "y", "x")
    planar: tuple[AxisName, ...] = ("y", "x")
    long = (384, 336, 336), (768, 336, 336)
    cases = [
        Case("do-nothing", "do-nothing", microscopy(volume), spatial, 0.6, rounds=8),
        Case("do-nothing", "do-nothing, pure noise", noise(volume), spatial, 0.6, rounds=8),
        Case("do-nothing", "do-nothing, a short run", microscopy(short), spatial, 0.4, rounds=8),
        Case("nuclei-2d", "nuclei-2d", microscopy(plane), planar, 0.95, rounds=5),
    ]
    with _serving(["do-nothing", "nuclei-2d"], instances=2) as running:
        for case in cases:
            yield _ratio(case, *_measured(running, case))
    for instances in (1, 2):
        what = f"20 ms per tile, {instances} instance{'s' * (instances > 1)}"
        shape = long[instances - 1]
        case = Case("paced", what, microscopy(shape), spatial, 0.95, instances, 2, TILE_S)
        with _serving(["paced"], instances=instances) as running:
            seconds, tiles = _measured(running, case)
        yield _ratio(case, seconds, tiles)
        ideal_s = tiles * TILE_S / instances
        note = f"({seconds.product:.2f} s / {ideal_s:.2f} s)"
        yield Figure(
            f"{what}: time / (tiles x 20 ms / instances)",
            seconds.product / ideal_s,
            1.05,
            "below",
            note,
        )


@contextmanager
def _serving(names: Sequence[str], *, instances: int) -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = {
            "do-nothing": lambda: do_nothing(folder / "do-nothing"),
            "paced": lambda: paced(folder / "paced", TILE_S),
            "nuclei-2d": lambda: shipped_models() / "nuclei-2d",
        }
        packages = [made[each]() for each in names]
        with service(folder, packages, instances=instances) as running:
            yield running


def _measured(running: Service, case: Case) -> tuple[Seconds, int]:
    """Return the best round of each way, and the number of tiles."""
    plan = running.client.plan(case.model, open_source(case.volume, axes=case.axes))
    requests = list(_requests(running, case, plan))
    window = case.instances * TILES_PER_INSTANCE
    _bare(running, requests[:window], window)  # loads the model: neither side pays for that
    shared_s = _bare(running, requests, window, shared_memory=True)
    rounds = []
    for number in range(case.rounds):
        case.volume.flat[0] = number  # another image: nothing of it is held
        rounds.append((_bare(running, requests, window), _product(running, case)))
    sent_s, product_s = (min(column) for column in zip(*rounds, strict=True))
    return Seconds(sent_s, shared_s, product_s), plan.blocks


def _ratio(case: Case, seconds: Seconds, tiles: int) -> Figure:
    size = f"{case.volume.size / 1e6:.0f} Mvoxel, {tiles} tiles"
    shared = f"{seconds.shared / seconds.product:.2f} of bare Triton through shared memory"
    note = f"({size}; {seconds.sent:.2f} s / {seconds.product:.2f} s; {shared})"
    what = f"{case.what}: speed of the product / bare Triton"
    return Figure(what, seconds.sent / seconds.product, case.bar, "above", note)


def _product(running: Service, case: Case) -> float:
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "output.zarr"
        started = time.perf_counter()
        source = open_source(case.volume, axes=case.axes)
        running.client.run(case.model, source, output=output).wait()
        elapsed_s = time.perf_counter() - started
        shutil.rmtree(output)
    return elapsed_s


def _requests(running: Service, case: Case, plan: Plan) -> Iterator[TileRequest]:
    card = running.client.model(case.model)
    parameters = {name: spec.default for name, spec in card.parameters.items()}
    source = open_source(case.volume, axes=case.axes)
    statistics: VolumeStatistics = volume_statistics(source.read, source.request)
    bounds = plan.context or full_region(sizes_of(case.axes, case.volume.shape))

    def read(region: Region) -> "NDArray[Any]":
        return case.volume[slices(region, case.axes)]

    spec = card.inputs[0]
    for block in blocks(plan):
        tile = cut_tile(read, block.tile, bounds, case.axes, spec.pad, spec.pad_value)
        if "c" in spec.axes:
            tile = tile[np.newaxis]
        inputs: Mapping[str, NDArray[Any]] = {spec.name: np.ascontiguousarray(tile)}
        yield TileRequest(case.model, card.version, inputs, parameters, statistics)


def _bare(
    running: Service, requests: Sequence[TileRequest], window: int, *, shared_memory: bool = False
) -> float:
    async def compute() -> float:
        engine = TritonEngine([running.triton.grpc_url], shared_memory=shared_memory)
        gate = asyncio.Semaphore(window)
        await engine.describe(requests[0].model, requests[0].version)

        async def one(request: TileRequest) -> None:
            async with gate:
                await engine.infer(request, timeout_s=TIMEOUT_S)

        started = time.perf_counter()
        await asyncio.gather(*map(one, requests))
        elapsed_s = time.perf_counter() - started
        await engine.close()
        return elapsed_s

    return asyncio.run(compute())


def _touch_memory() -> None:
    """Use some memory once: a virtual machine takes long to hand out a page for the first time."""
    np.zeros(WARM_BYTES, np.uint8)[::4096] = 1
