"""The source seam: any image, as the chunks that a client announces and sends.

Sources are opened on the caller's thread and then read from any number of threads at once.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from napari_hmz.schema import Axes, AxisName, Interval, Sizes, VolumeRequest
from napari_hmz.schema.base import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Origin(Message):
    """Where an image lies and how it was opened: enough for another process to open it again."""

    address: str
    """A path, `file.h5::/path/in/file`, or a URL of a zarr array or group."""
    axes: Axes | None = None
    level: int = 0
    channel: int | str | None = None
    time: int | None = None
    voxel_size: dict[AxisName, float] | None = None
    units: dict[AxisName, str] | None = None
    name: str = ""
    dtypes: tuple[str, ...] | None = None
    chunks: Sizes | None = None
    """What it was cut into: another process may have another budget, but must cut alike."""
    stacked: tuple["Origin", ...] = ()
    """Of several images that are the channels of one: each of them; nothing else counts then."""
    channel_names: tuple[str, ...] = ()
    """What the channels of a stack are called."""


class Source(Protocol):
    """An image that can be announced, sent chunk by chunk, and read back by region."""

    @property
    def request(self) -> VolumeRequest:
        """The announcement, without statistics."""

    @property
    def origin(self) -> Origin | None:
        """How another process opens it again; none for what lives in this process only."""

    def chunk(self, key: str) -> bytes | None:
        """Return a chunk's bytes exactly as announced; none if it is all fill value.

        Raises
        ------
        SourceUnreadable
            If `key` is no chunk of this array, or the data cannot be read.
        """

    def place(self, key: str) -> str:
        """Return where a chunk is stored, for a person who has to repair it: a file, at best."""

    def read(self, region: Mapping[AxisName, Interval]) -> "NDArray[Any]":
        """Return the voxels of `region`, in the announced axes and dtype (native byte order).

        Axes that are not named are taken whole.

        Raises
        ------
        SourceUnreadable
            If the data cannot be read or are damaged.
        RegionInvalid
            If `region` does not lie in the image.
        """

    def close(self) -> None:
        """Close files; closing twice is no error."""
