"""What a fake run reads and plans: one output in blocks, over a region of a volume; the run."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_hmz.schema import (
    ModelCard,
    OutputArray,
    ParameterValue,
    Plan,
    Provenance,
    Region,
    Run,
    RunRequest,
    Sizes,
    VolumeRequest,
    extents,
)


class ReadableSource(Protocol):
    """What the fake asks of a source."""

    @property
    def request(self) -> VolumeRequest:
        """What would be announced of the volume."""

    def read(self, region: Region) -> NDArray[Any]:
        """Return a region of the volume."""


def output_array(
    card: ModelCard, volume: VolumeRequest, region: Region, block: Sizes
) -> OutputArray:
    """Return the first output of a model, over a region and in blocks."""
    spec = card.outputs[0]
    axes = tuple(axis for axis in volume.axes if axis != "c")
    shape = {axis: size for axis, size in extents(region).items() if axis in axes}
    chunks = {axis: min(block.get(axis, shape[axis]), shape[axis]) for axis in axes}
    return OutputArray(
        name=spec.name,
        kind=spec.kind,
        axes=axes,
        shape=shape,
        chunks=chunks,
        dtype=spec.dtype,
        classes=spec.classes,
    )


def blocks(output: OutputArray) -> Iterator[Region]:
    """Yield the chunks of an output in raster order."""
    counts = [-(-output.shape[axis] // output.chunks[axis]) for axis in output.axes]
    for place in np.ndindex(*counts):
        yield {
            axis: (
                index * output.chunks[axis],
                min((index + 1) * output.chunks[axis], output.shape[axis]),
            )
            for axis, index in zip(output.axes, place, strict=True)
        }


def in_volume(part: Region, region: Region, volume: VolumeRequest) -> Region:
    """Return where a part of the output lies in the volume; axes it lacks: their first index."""
    ends = {axis: part.get(axis, (0, 1)) for axis in volume.axes}
    return {
        axis: (ends[axis][0] + first, ends[axis][1] + first)
        for axis in volume.axes
        for first in (region[axis][0],)
    }


def plan_of(card: ModelCard, region: Region, output: OutputArray) -> Plan:
    """Return a plan that takes nothing."""
    return Plan(
        model=card.id,
        version=card.version,
        region=region,
        block=output.chunks,
        halo={},
        tile=output.chunks,
        grid={},
        blocks=sum(1 for _ in blocks(output)),
        voxels=int(np.prod(list(output.shape.values()))),
        outputs=(output,),
        chunks_needed=0,
        bytes_up=0,
        bytes_down=0,
        memory_bytes=0,
    )


def run_of(
    card: ModelCard,
    volume: VolumeRequest,
    output: OutputArray,
    region: Region,
    parameters: Mapping[str, ParameterValue],
) -> Run:
    """Return a run of a model that has just been asked for."""
    values = dict(parameters)
    return Run(
        id="fake",
        state="queued",
        request=RunRequest(model=card.id, volume="fake", parameters=values),
        plan=plan_of(card, region, output),
        provenance=Provenance(
            model=card.id,
            version=card.version,
            model_digest=card.digest,
            parameters=values,
            region=region,
            block=output.chunks,
            halo={},
            statistics=None,
            source_name=volume.name,
            source_fingerprint=volume.fingerprint,
            backend_version="fake",
            engine="fake",
            run="fake",
            created_at="2026-01-01T00:00:00Z",
        ),
        created_at="2026-01-01T00:00:00Z",
    )
