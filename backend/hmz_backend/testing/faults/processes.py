"""Processes by their parent, or by a word in their environment (Linux: from `/proc`)."""

from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def children_of(parent: int, word: str) -> list[int]:
    """Return the children of a process that have `word` in their command line."""
    return [pid for pid in _pids() if _parent(pid) == parent and word in _text(pid, "cmdline")]


def marked(variable: str) -> list[int]:
    """Return the processes that have `NAME=value` in their environment."""
    return [pid for pid in _pids() if variable in _text(pid, "environ").split("\0")]


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and is not waited for does not."""
    return _text(pid, "stat").rpartition(")")[2].split()[:1] not in ([], ["Z"])


def _pids() -> list[int]:
    return [int(path.name) for path in PROC.glob("[0-9]*")]


def _parent(pid: int) -> int:
    words = _text(pid, "stat").rpartition(")")[2].split()
    return int(words[1]) if words else 0


def _text(pid: int, name: str) -> str:
    with suppress(OSError):  # it has ended meanwhile, or is another user's
        return (PROC / str(pid) / name).read_bytes().decode(errors="replace")
    return ""
