"""One process writes an output at a time; its right ends with it, however it ends."""

import errno
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_hmz.errors import DiskFull, OutputInUse, OutputUnwritable
from napari_hmz.results import Claim, file_lock

HOLD = """
import sys, time
from pathlib import Path
from napari_hmz.results import Claim
claim = Claim(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
claim.release()
"""


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "new" / "out.ome.zarr"


@pytest.fixture
def other(output: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the output until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(output)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def beside(output: Path) -> list[str]:
    return sorted(path.name for path in output.parent.iterdir())


def test_who_comes_second_is_told_who_writes(output: Path, other: "subprocess.Popen[str]") -> None:
    told = rf"out\.ome\.zarr is being written by process {other.pid} on \S+, since 2\d{{3}}-"
    for _ in range(2):
        with pytest.raises(OutputInUse, match=told) as raised:
            Claim(output)
    assert "end it" in raised.value.remedy
    other.communicate("")
    assert beside(output) == []
    Claim(output).release()


def test_the_right_of_a_killed_process_is_free(
    output: Path, other: "subprocess.Popen[str]"
) -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert beside(output) == [".out.ome.zarr.writing"]
    claim = Claim(output)
    with pytest.raises(OutputInUse, match="by this very process"):
        Claim(output)
    claim.release()
    claim.release()
    assert beside(output) == []


def test_one_output_has_one_right_whatever_it_is_called(
    output: Path, other: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    output.mkdir()
    (output.parent / "link").symlink_to(output)
    monkeypatch.chdir(output.parent)
    for name in ("out.ome.zarr", "../new/out.ome.zarr", "link"):
        with pytest.raises(OutputInUse, match=str(other.pid)):
            Claim(Path(name))
    Claim(Path("another.ome.zarr")).release()


def test_a_right_that_goes_while_it_is_asked_for_is_not_half_had(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of the one who goes is removed between the opening and the locking of the next."""
    first = Claim(output)
    ask = file_lock.lock

    def late(handle: int) -> file_lock.Answer:
        first.release()
        return ask(handle)

    monkeypatch.setattr("napari_hmz.results.claim.lock", late)
    second = Claim(output)
    assert beside(output) == [".out.ome.zarr.writing"]
    monkeypatch.undo()
    with pytest.raises(OutputInUse):
        Claim(output)
    second.release()


def test_a_holder_that_says_nothing_is_no_riddle(output: Path) -> None:
    claim = Claim(output)
    (output.parent / ".out.ome.zarr.writing").write_text("{")
    with pytest.raises(OutputInUse, match="by another process"):
        Claim(output)
    claim.release()


def test_a_file_system_without_locks_is_written_and_the_log_says_so(
    output: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(file_lock, "_lock", refuse)
    with caplog.at_level(logging.WARNING):
        first, second = Claim(output), Claim(output)
    assert caplog.text.count("is not guarded against other processes") == 2
    first.release()
    second.release()
    assert beside(output) == []


@pytest.mark.parametrize(
    ("number", "error"), [(errno.EROFS, OutputUnwritable), (errno.ENOSPC, DiskFull)]
)
def test_a_place_that_takes_nothing_is_refused(
    output: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("napari_hmz.results.claim.os.open", refuse)
    with pytest.raises(error, match=r"out\.ome\.zarr cannot be written"):
        Claim(output)


def test_an_output_in_a_folder_that_takes_no_file_is_written_unguarded(
    output: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As a folder that a container mounts into a root of somebody else's."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "no")

    output.mkdir(parents=True)
    monkeypatch.setattr("napari_hmz.results.claim.os.open", refuse)
    with caplog.at_level(logging.WARNING):
        Claim(output).release()
    assert "no file can be made beside it" in caplog.text
