import os
import subprocess
import sys
import threading

import pytest

from napari_hmz.priority import NICENESS, let_others_go_first, step_back

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux knows priorities of threads"
)


def niceness(task: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, task)


def test_a_thread_steps_back_alone() -> None:
    found = list[int]()

    def work() -> None:
        step_back()
        step_back()
        found.append(niceness(threading.get_native_id()))

    before = niceness(0)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [max(before, NICENESS)]
    assert niceness(threading.get_native_id()) == before


def test_a_process_is_made_to_step_back() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    let_others_go_first(process.pid)
    assert niceness(process.pid) >= NICENESS
    process.communicate(b"")
