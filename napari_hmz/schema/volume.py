"""Volumes: what a client announces before it sends a single chunk."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from napari_hmz.schema.axes import Axes, AxisName, Sizes
from napari_hmz.schema.base import Message
from napari_hmz.schema.statistics import VolumeStatistics

DataClass = Literal["open", "sensitive"]
"""Whether an image needs special care, as its owner says."""


class ArrayDocument(Message):
    """The metadata document of one zarr array, as zarr writes it.

    With it, the backend reads the chunks that a client sends without knowing their source.
    """

    zarr_format: Literal[2, 3]
    document: dict[str, Any]
    """The content of `.zarray` (2) or `zarr.json` (3)."""


class VolumeRequest(Message):
    """What a client announces: geometry, encoding and identity of an image."""

    name: str = Field(default="", max_length=1024)
    axes: Axes
    shape: Sizes
    chunks: Sizes
    """Extents of one chunk."""
    dtype: str = Field(max_length=32)
    array: ArrayDocument
    voxel_size: dict[AxisName, float] = {}
    """Distance between voxel centres, in `units`; 1 where nothing is said."""
    units: dict[AxisName, Annotated[str, Field(max_length=64)]] = {}
    """UDUNITS-2 names as in OME-Zarr, for example `micrometer`."""
    translation: dict[AxisName, float] = {}
    """Position of the first voxel's centre, in `units`."""
    channel_names: tuple[Annotated[str, Field(max_length=256)], ...] = Field((), max_length=4096)
    fingerprint: str = Field(min_length=16, max_length=256)
    """The same for the same data: what has been sent once is not sent again."""
    statistics: VolumeStatistics | None = None
    address: str | None = Field(default=None, max_length=4096)
    """Where the backend may read the image itself; none: the client sends it."""
    mode: Literal["staged", "stream"] = "staged"
    data_class: DataClass = "open"
    """`sensitive`: refused where the backend or the model may not have it, and not kept after the
    run."""
    together: Sizes = {}
    """Extents of boxes whose chunks the client reads at once, as from planes; empty: any order."""

    @model_validator(mode="after")
    def _axes_agree(self) -> Self:
        for name, sizes in (("shape", self.shape), ("chunks", self.chunks)):
            if set(sizes) != set(self.axes):
                raise ValueError(f"{name} must have exactly the axes {list(self.axes)}")
        if self.together and set(self.together) != set(self.axes):
            raise ValueError(f"together must have exactly the axes {list(self.axes)}, or none")
        if min(self.together.values(), default=1) < 1:
            raise ValueError("together must have extents of at least 1")
        return self


class Volume(Message):
    """A volume as the backend knows it."""

    id: str
    request: VolumeRequest
    chunks_total: int
    chunks_held: int
    bytes_held: int
    created_at: str


class Absent(Message):
    """Chunks that the source does not hold: they are fill value and are not sent."""

    keys: tuple[str, ...]


class Wanted(Message):
    """The chunks that runs are waiting for, best first."""

    keys: tuple[str, ...]
    credit: int = Field(ge=0)
    """How many of them may be under way at once."""
    active: bool
    """Whether any run still needs this volume; if not, the client may stop asking."""
