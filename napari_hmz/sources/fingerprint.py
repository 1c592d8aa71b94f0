"""Fingerprints: the same only for the same pixels, and cheap to take.

Local files are told by path, size, times and inode of every file that holds pixels or their
description, never by reading them; arrays in memory by their content; remote stores by what they
list (`listing`). What cannot be told, such as what lies on a plain web server, gets a fingerprint
of its own each time: sent again rather than mistaken.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PART_BYTES = 4 * 2**20
_THREADS = 4
"""Read parts of an array side by side: nothing is sent before its fingerprint is known."""


def of_file(path: Path) -> str:
    """Return what tells the present content of one file."""
    return _digest([_stamp(path.resolve(), "")])


def of_folder(folder: Path) -> str:
    """Return what tells the present content of all files below `folder`."""
    return _digest(sorted(_stamps(folder.resolve(), "")))


def of_array(array: "NDArray[Any]") -> str:
    """Return a digest of an array's values, shape and dtype.

    XXH3 tells images apart as surely as 128 bits can. It is no secret keeper, and need not be one:
    only the same person's images are compared.
    """
    import numpy as np

    def part(start: int) -> bytes:
        values = np.ascontiguousarray(array[start : start + rows])
        return xxhash.xxh3_128_digest(values.view(np.uint8).data)

    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    rows = max(1, _PART_BYTES // max(1, array[:1].nbytes))
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="hmz-fingerprint") as threads:
        for found in threads.map(part, range(0, len(array), rows)):
            digest.update(found)
    return f"content:{digest.hexdigest()}"


def of_texts(held: Mapping[str, bytes]) -> str:
    """Return a digest of named byte strings."""
    digest = hashlib.sha256()
    for name in sorted(held):
        digest.update(f"{name}:{len(held[name])}:".encode())
        digest.update(held[name])
    return f"content:{digest.hexdigest()}"


def unique() -> str:
    """Return what is never the same again."""
    return f"once:{uuid.uuid4().hex}"


def combine(identity: str, facts: Any) -> str:  # noqa: ANN401 # any JSON value
    """Return the fingerprint of pixels of this identity, announced with these facts."""
    text = json.dumps([identity, facts], sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _digest(stamps: list[str]) -> str:
    return f"files:{hashlib.sha256(chr(10).join(stamps).encode()).hexdigest()}"


def _stamps(folder: Path, below: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            if entry.is_dir():
                yield from _stamps(Path(entry.path), f"{name}/")
            else:
                yield _stamp(Path(entry.path), name) if entry.is_file() else name
    yield below or str(folder)


def _stamp(path: Path, name: str) -> str:
    seen = path.stat()
    # the change time cannot be set back, unlike the modification time
    times = f"{seen.st_mtime_ns}:{seen.st_ctime_ns}"
    return f"{name or path}:{seen.st_size}:{times}:{seen.st_ino}:{seen.st_dev}"
