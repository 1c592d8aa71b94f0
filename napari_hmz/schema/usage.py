"""What somebody has used of a backend."""

from napari_hmz.schema.base import Message


class Used(Message):
    """What somebody used in one month of one model version."""

    month: str
    """As in 2026-11; months begin and end in UTC."""
    model: str = ""
    """Empty for what belongs to no model: an image is sent once for all of them."""
    version: str = ""
    tiles: int = 0
    voxels: int = 0
    """Of the images, without halos."""
    engine_s: float = 0.0
    """Seconds of one instance of the engine, as a GPU or a worker."""
    bytes_up: int = 0
    bytes_down: int = 0
    """Pixels that were sent and fetched, as they travelled."""


class Usage(Message):
    """What the caller has used, by month and model."""

    used: tuple[Used, ...] = ()
