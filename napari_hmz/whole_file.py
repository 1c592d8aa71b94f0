"""Small files of one user that are whole or not there, whoever dies while they are written."""

import hashlib
import os
import tempfile
from pathlib import Path


def write_whole(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all, for its user only; its folder is made if need be.

    Raises
    ------
    OSError
        If it cannot be written; what was there stays.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".new")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
        Path(temporary).replace(file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def safe_name(words: str) -> str:
    """Return a name that stands for words which may be a stranger's, and hold anything."""
    return hashlib.sha256(words.encode()).hexdigest()[:32]
