"""What a run tells while it goes: numbered, so that a listener can take up where it left off."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from napari_hmz.schema.axes import Region
from napari_hmz.schema.base import Message
from napari_hmz.schema.problem import Problem
from napari_hmz.schema.run import Progress, RunState


class StateChanged(Message):
    """The run has entered another state."""

    kind: Literal["state"] = "state"
    number: int
    state: RunState
    error: Problem | None = None


class ChunkDone(Message):
    """One chunk of an output can be fetched; a final one will not change again."""

    kind: Literal["chunk"] = "chunk"
    number: int
    output: str
    key: str
    """The chunk's key in the output's zarr store."""
    region: Region
    """Where it lies in the output array."""
    final: bool
    digest: str
    """SHA-256 of the stored bytes; empty for a chunk that is all fill value and not stored."""


class RowsDone(Message):
    """Rows of a table can be fetched: those of one block, which will not change again."""

    kind: Literal["rows"] = "rows"
    number: int
    output: str
    key: str
    """Where they lie below the output: bare float64, little-endian, row after row."""
    rows: int
    digest: str
    """SHA-256 of the stored bytes."""


class LabelsMerged(Message):
    """Provisional ids that turned out to be one object: each pair is (id, the id shown for it)."""

    kind: Literal["merges"] = "merges"
    number: int
    output: str
    pairs: tuple[tuple[int, int], ...]


class Progressed(Message):
    """The run has come further."""

    kind: Literal["progress"] = "progress"
    number: int
    progress: Progress


Event = Annotated[
    StateChanged | ChunkDone | RowsDone | LabelsMerged | Progressed, Field(discriminator="kind")
]
EVENT: TypeAdapter[StateChanged | ChunkDone | RowsDone | LabelsMerged | Progressed] = TypeAdapter(
    Event
)
"""Reads and writes any event."""
