"""The brief of a run: all that a block task needs, in one file of the run's folder."""

from napari_hmz.schema import (
    ModelCard,
    ParameterValue,
    Plan,
    VolumeRequest,
    VolumeStatistics,
)
from napari_hmz.schema.base import Message


class OtherInput(Message):
    """What feeds an input beside the first."""

    volume: str
    source: VolumeRequest
    statistics: VolumeStatistics | None


class Brief(Message):
    """What was fixed when the run was created; never changed afterwards."""

    run: str
    volume: str
    plan: Plan
    card: ModelCard
    source: VolumeRequest
    parameters: dict[str, ParameterValue]
    statistics: VolumeStatistics | None
    others: dict[str, OtherInput] = {}
    """By the names of the inputs."""
    join_planes: bool = False
