"""The brief of a run: all that a block task needs, in one file of the run's folder."""

from napari_hmz.schema import (
    ModelCard,
    ParameterValue,
    Plan,
    VolumeRequest,
    VolumeStatistics,
)
from napari_hmz.schema.base import Message


class Brief(Message):
    """What was fixed when the run was created; never changed afterwards."""

    run: str
    volume: str
    plan: Plan
    card: ModelCard
    source: VolumeRequest
    parameters: dict[str, ParameterValue]
    statistics: VolumeStatistics | None
    join_planes: bool = False
