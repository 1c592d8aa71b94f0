"""The engine seam: what computes one tile, and knows nothing of volumes, users or files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_hmz.schema import AxisName, ParameterValue, VolumeStatistics


Part: TypeAlias = "Mapping[AxisName, tuple[int, int, int]]"
"""Axis -> where a part of an output begins and ends, and the extent of the whole output."""


@dataclass(frozen=True, slots=True)
class TileRequest:
    """One tile for one model version.

    Parameters
    ----------
    model, version
        As on the model card.
    inputs
        Input name -> array in the axes of that input, raw dtype; never changed.
    parameters
        All parameters of the model, resolved.
    statistics
        Of the channels that the model's first input sees, in its order; none if it needs none.
    more_statistics
        The same of its other inputs, by their names.
    origin
        Axis -> where the tile begins in its volume, in voxels, for a model that rescales tiles.
    used
        Output name -> which part of it is of use; an engine may leave out what is not.
    """

    model: str
    version: str
    inputs: "Mapping[str, NDArray[np.generic]]"
    parameters: "Mapping[str, ParameterValue]"
    statistics: "VolumeStatistics | None" = None
    more_statistics: "Mapping[str, VolumeStatistics]" = field(default_factory=dict)
    origin: "Mapping[AxisName, int]" = field(default_factory=dict)
    used: "Mapping[str, Part]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much of one model an engine can take.

    Parameters
    ----------
    instances
        How many tiles are computed at the same time.
    device
        For the reader, for example `cpu` or `NVIDIA H200`.
    pool
        Models with the same name here are computed by the same instances; empty: by their own.
    """

    instances: int
    device: str = "cpu"
    pool: str = ""


class Engine(Protocol):
    """Runs one model on one tile; called from the event loop of the backend."""

    async def describe(self, model: str, version: str) -> Capacity:
        """Return what this engine can take of a model, loading it if need be.

        Raises
        ------
        EngineUnavailable
            If the engine, or the model in it, cannot be reached.
        """

    async def infer(
        self, request: TileRequest, *, timeout_s: float
    ) -> "Mapping[str, NDArray[Any]]":
        """Map output name -> array in the axes of that output.

        Cancelling the task that awaits this stops queued work and leaves the engine usable.

        Raises
        ------
        EngineBusy, EngineUnavailable
            Nothing was computed; the same request may be sent again.
        EngineFailed
            The model failed on this tile; sending it again would not help.
        """

    async def close(self) -> None:
        """Release processes and connections; closing twice is no error."""
