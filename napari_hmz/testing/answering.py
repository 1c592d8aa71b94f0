"""Waiting until a process that was started answers."""

import subprocess
import time
from collections.abc import Callable
from typing import Any

_LOOK_S = 0.05


def await_answer(
    process: "subprocess.Popen[Any]",
    ask: Callable[[], object],
    refused: type[Exception],
    *,
    within_s: float,
    said: Callable[[], str],
) -> None:
    """Wait until a process that was started answers.

    Parameters
    ----------
    ask
        Asks it something.
    refused
        What `ask` raises as long as it does not answer.
    said
        What it has written: told if it has ended, or is silent for `within_s`.
    """
    end_s = time.monotonic() + within_s
    while True:
        try:
            ask()
        except refused:
            assert process.poll() is None, said()
            assert time.monotonic() < end_s, said()
            time.sleep(_LOOK_S)  # nothing tells when it listens
        else:
            return
