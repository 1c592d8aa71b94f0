"""Bar 1: a volume through the whole product, against bare Triton on the same tiles.

Bare Triton gets the tiles cut beforehand, with the product's own Triton client and as many in
flight as the product keeps there. The product starts from an array in memory and ends with an
OME-Zarr on disk: announcing, encoding, sending, staging, cutting, stitching, writing, fetching and
writing again are all inside. Both take turns, and the best round of each counts: what else the
machine does at the time is neither's.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure
from benchmarks.packages import do_nothing
from benchmarks.service import Service, service
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

WINDOW = 2
"""Instances x 2, as the dispatcher has it."""
TIMEOUT_S = 600.0
ROUNDS = 3


@dataclass(frozen=True)
class Case:
    """One model on one volume, and the ratio it must reach."""

    model: str
    volume: "NDArray[np.uint16]"
    axes: tuple[AxisName, ...]
    bar: float


def figures() -> Iterator[Figure]:
    """Yield one ratio per model."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 4096, (192, 384, 384), dtype=np.uint16)
    plane = generator.integers(0, 4096, (2048, 2048), dtype=np.uint16)
    cases = [
        Case("do-nothing", noise, ("z", "y", "x"), bar=0.6),
        Case("nuclei-2d", plane, ("y", "x"), bar=0.95),
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages = [do_nothing(folder / "do-nothing"), shipped_models() / "nuclei-2d"]
        with service(folder, packages) as running:
            for case in cases:
                yield _figure(running, case, folder / f"{case.model}.zarr")


def _figure(running: Service, case: Case, output: Path) -> Figure:
    plan = running.client.plan(case.model, open_source(case.volume, axes=case.axes))
    requests = list(_requests(running, case, plan))
    _bare(running, requests[:2])  # loads the model: neither side pays for that
    rounds = []
    for number in range(ROUNDS):
        case.volume.flat[0] = number  # another image: nothing of it is held
        bare_s = _bare(running, requests)
        rounds.append((bare_s, _product(running, case, output.with_suffix(f".{number}.zarr"))))
    bare_s, product_s = (min(column) for column in zip(*rounds, strict=True))
    size = f"{case.volume.size / 1e6:.0f} Mvoxel, {plan.blocks} tiles"
    note = f"({size}; {bare_s:.1f} s / {product_s:.1f} s)"
    what = f"{case.model}: speed of the product / bare Triton"
    return Figure(what, bare_s / product_s, case.bar, "above", note)


def _product(running: Service, case: Case, output: Path) -> float:
    started = time.perf_counter()
    source = open_source(case.volume, axes=case.axes)
    running.client.run(case.model, source, output=output).wait()
    return time.perf_counter() - started


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


def _bare(running: Service, requests: list[TileRequest]) -> float:
    async def compute() -> float:
        engine = TritonEngine([running.triton.grpc_url])
        gate = asyncio.Semaphore(WINDOW)
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
