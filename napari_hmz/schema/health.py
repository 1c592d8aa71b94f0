"""What a backend says of itself before anything else is asked."""

from typing import Literal

from napari_hmz.schema.base import Message


class Health(Message):
    """State and versions of a backend."""

    status: Literal["ok", "degraded"]
    version: str
    protocol: int
    oldest_client: int
    engine: str
    """The kind of engine: `embedded` or `triton`."""
    detail: str = ""
    """What is wrong while the status is `degraded`."""
