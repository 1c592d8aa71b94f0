"""The receipt of a block: what a task says of what it wrote, for the journal."""

from napari_hmz.schema.base import Message


class OutputReceipt(Message):
    """What became of one block in one output."""

    digest: str
    """SHA-256 of the chunk as stored; empty where it is all fill value and not stored."""
    objects: int = 0
    """How many objects the block's core has, for instance labels."""
    final: bool
    """Whether the chunk will not change again."""
    shown: bool = True
    """Whether there is a chunk to show already."""


class Receipt(Message):
    """What became of one block."""

    block: int
    outputs: dict[str, OutputReceipt] = {}
    engine_us: int = 0
    """Microseconds of one instance of the engine that it took."""
    broken_input: int = 0
    """Of which feed `broken` is a chunk."""
    broken: str = ""
    """The key of a staged chunk that turned out to be damaged; then there are no outputs."""
