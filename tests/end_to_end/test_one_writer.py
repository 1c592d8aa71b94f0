"""Two processes on one output: the second is told who writes it, before it sends anything."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz import errors
from napari_hmz.client import Client
from napari_hmz.schema import AxisName
from napari_hmz.testing.backend_process import BackendProcess

Array = NDArray[Any]
Shell = Callable[..., "subprocess.Popen[str]"]
THRESHOLD = {"threshold": 36_000}
BLOCK: Mapping[AxisName, int] = {"z": 10, "y": 12, "x": 12}
BLOCK_WORDS = ("--block", "z=10,y=12,x=12")
END_S = 120


@pytest.fixture
def shell(backend: BackendProcess, state: Path, tmp_path: Path) -> Iterator[Shell]:
    """Begin an `hmz` command; all that still go are killed at the end."""
    begun: list[subprocess.Popen[str]] = []
    own = {"HMZ_URL": backend.url, "HMZ_TOKEN": backend.token, "HMZ_STATE_DIR": str(state)}

    def begin(*words: object) -> "subprocess.Popen[str]":
        begun.append(
            subprocess.Popen(
                [sys.executable, "-m", "napari_hmz.cli", *map(str, words)],
                env={**os.environ, **own},
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def test_the_second_is_refused_and_a_killed_first_is_no_obstacle(
    *,
    client: Client,
    shell: Shell,
    blobs: Callable[..., Array],
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    image, output = blobs(), tmp_path / "out.zarr"
    source = zarr_of(image)
    first = shell("run", "components", source, "out.zarr", "-p", "threshold=36000", *BLOCK_WORDS)
    assert first.stderr is not None
    while "computing" not in (line := first.stderr.readline()):
        assert line, "the command ended before it ran"
    first.send_signal(signal.SIGSTOP)  # it stays in the middle of its work
    (run_id, *_), count = (run.id for run in client.runs()), len(client.runs())

    again = partial(
        client.run, "components", source, parameters=THRESHOLD, block=BLOCK, output=output
    )
    told = f"out.zarr is being written by process {first.pid} on"
    for second in (
        again,
        partial(again, overwrite=True),
        partial(client.attach, run_id, resume=True),  # as `hmz attach` does
        partial(client.attach, run_id, output),
    ):
        with pytest.raises(errors.OutputInUse, match=told):
            second()
    assert len(client.runs()) == count
    with client.attach(run_id) as looking:  # as napari does to show a run that a shell has started
        assert looking.stored_at is None

    first.kill()
    first.wait()
    run = again()
    assert run.id == run_id
    run.wait(END_S)
    np.testing.assert_array_equal(written(output), labels_of(image))
    assert not list(tmp_path.glob(".*"))


def test_one_process_may_attach_twice(
    *,
    client: Client,
    blobs: Callable[..., Array],
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    image, output = blobs(), tmp_path / "out.zarr"
    source = zarr_of(image)
    run = client.run("components", source, parameters=THRESHOLD, output=output)
    again = client.attach(run.id)
    assert again.stored_at == output
    with pytest.raises(errors.OutputInUse, match="this very process"):
        client.run("components", source, output=output, overwrite=True)
    assert again.wait(END_S).state == run.wait(END_S).state == "done"
    np.testing.assert_array_equal(written(output), labels_of(image))
    assert not list(tmp_path.glob(".*"))
