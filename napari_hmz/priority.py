"""Letting others go first: heavy work must not hold up those who wait for a quick answer.

On a machine whose cores are all busy, a thread that computes without a pause keeps the event loop
of a server, or a window, waiting for its turn; what has stepped back gives way to them, and gets
all the time that is left.
"""

import os
import sys
import threading

NICENESS = 10


def step_back() -> None:
    """Let other threads go before this one, and before those that it starts from now on.

    Only Linux knows priorities of threads; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        let_others_go_first(threading.get_native_id())


def let_others_go_first(task: int) -> None:
    """Step back on behalf of a process that has just been started, or of a thread; see there."""
    if sys.platform == "linux" and os.getpriority(os.PRIO_PROCESS, task) < NICENESS:
        os.setpriority(os.PRIO_PROCESS, task, NICENESS)
