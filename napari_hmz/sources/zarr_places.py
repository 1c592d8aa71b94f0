"""Which of the things that a person drops on a window are zarr: by name, nothing is opened."""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_LETTER_OF_A_DRIVE = 1


def zarr_places(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the paths and addresses among some texts that name a zarr, or something inside one.

    Parameters
    ----------
    texts
        Whole paths, `file:` or other addresses; a text may have several lines.
    """
    lines = (line.strip() for text in texts for line in text.splitlines())
    return tuple(place for line in lines if (place := _place(line)))


def is_address(place: str) -> bool:
    """Tell whether a place is an address rather than a path."""
    return len(urlsplit(place).scheme) > _LETTER_OF_A_DRIVE


def _place(text: str) -> str:
    if not is_address(text):
        path = Path(text)
        return str(path) if path.is_absolute() and _is_zarr(path.as_posix()) else ""
    parts = urlsplit(text)
    if parts.scheme == "file":
        return _place(url2pathname(parts.path))
    return text.rstrip("/") if _is_zarr(parts.path) else ""


def _is_zarr(path: str) -> bool:
    return re.search(r"\.zarr(/|$)", path, re.IGNORECASE) is not None
