"""What a check has found: one sentence, how bad it is, and what to do."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    level
        `wrong`: the backend, or a part of it, will not work; `warning`: it will, but look at this.
    words
        What was found, as a sentence; never a secret.
    remedy
        What to do, as a sentence; empty if nothing is to be done.
    """

    level: Level
    words: str
    remedy: str = ""


def ok(words: str) -> Finding:
    """Return that something is as it must be."""
    return Finding("ok", words)


def warning(words: str, remedy: str) -> Finding:
    """Return that something should be looked at."""
    return Finding("warning", words, remedy)


def wrong(words: str, remedy: str) -> Finding:
    """Return that something must be mended."""
    return Finding("wrong", words, remedy)
