"""The chain of pages in a TIFF file, followed to its end.

A file that was cut short loses its last pages, and tifffile then gives the others as if they were
all. So the chain is followed here first: every page must lie inside the file.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from napari_hmz.errors import SourceUnreadable

_ORDERS: Final = {b"II": "<", b"MM": ">"}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Widths of a page's fields, in `struct` codes, and where the first page is pointed at."""

    count: str
    offset: str
    entry_bytes: int
    first_at: int


_LAYOUTS: Final = {42: _Layout("H", "I", 12, 4), 43: _Layout("Q", "Q", 20, 8)}
"""Of classic TIFF and of BigTIFF."""


def check_chain(path: Path) -> None:
    """Follow the pages of a file to the last one.

    Raises
    ------
    SourceUnreadable
        If the file is no TIFF, or its pages lead outside of it or in a circle.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        order = _ORDERS.get(file.read(2))
        layout = _LAYOUTS.get(_number(file, 2, f"{order}H")) if order else None
        if order is None or layout is None:
            raise SourceUnreadable("It is no TIFF file.")
        at = _number(file, layout.first_at, order + layout.offset)
        seen: set[int] = set()
        while at:
            if at in seen:
                raise SourceUnreadable("Its pages lead in a circle.")
            seen.add(at)
            entries = _number(file, at, order + layout.count)
            end = at + struct.calcsize(layout.count) + entries * layout.entry_bytes
            if end + struct.calcsize(layout.offset) > size:
                raise SourceUnreadable(f"It is cut short: page {len(seen)} lies beyond its end.")
            at = _number(file, end, order + layout.offset)


def _number(file: BinaryIO, at: int, code: str) -> int:
    file.seek(at)
    content = file.read(struct.calcsize(code))
    if len(content) < struct.calcsize(code):
        raise SourceUnreadable(f"It is cut short: nothing can be read at {at}.")
    return int(struct.unpack(code, content)[0])
