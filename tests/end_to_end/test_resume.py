"""Runs that were stopped go on: attached to, or asked for again, from Python and from a shell."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz import errors
from napari_hmz.client import Client
from napari_hmz.schema import AxisName, ChunkDone, Interval, Progressed, VolumeRequest
from napari_hmz.sources import Origin, Source, open_source
from napari_hmz.testing.backend_process import BackendProcess

Array = NDArray[Any]
MakeBlobs = Callable[..., Array]
THRESHOLD = {"threshold": 36_000}
BLOCK: Mapping[AxisName, int] = {"z": 10, "y": 12, "x": 12}


class Failing:
    """A source that cannot be read any more after a few chunks."""

    def __init__(self, inner: Source, left: int) -> None:
        self.inner, self.left = inner, left

    @property
    def request(self) -> VolumeRequest:
        return self.inner.request

    @property
    def origin(self) -> Origin | None:
        return self.inner.origin

    def chunk(self, key: str) -> bytes | None:
        self.left -= 1
        if self.left < 0:
            raise errors.SourceUnreadable("The disk of the microscope is gone.")
        return self.inner.chunk(key)

    def read(self, region: Mapping[AxisName, Interval]) -> Array:
        return self.inner.read(region)

    def close(self) -> None:
        self.inner.close()


def blocks_done(client: Client, run_id: str) -> int:
    return client.info(run_id).progress.blocks_done


def test_attaching_to_a_cancelled_run_computes_only_if_asked(
    *,
    client: Client,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    image, output = blobs(), tmp_path / "out.ome.zarr"
    run = client.run("components", zarr_of(image), parameters=THRESHOLD, block=BLOCK, output=output)
    for event in run.watch():
        if isinstance(event, Progressed) and event.progress.blocks_done > 3:
            run.cancel()
    with pytest.raises(errors.RunCancelled, match=f"hmz attach {run.id}"):
        run.wait(30)
    looked = client.attach(run.id)
    assert looked.info().state == "cancelled"
    with pytest.raises(errors.RunCancelled):
        looked.wait(30)
    done = blocks_done(client, run.id)
    again = client.attach(run.id, resume=True)
    seen = [event for event in again.watch() if isinstance(event, Progressed)]
    assert seen[-1].progress.blocks_done == run.info().plan.blocks > done > 3
    ended = again.wait(120)
    assert (ended.id, ended.state) == (run.id, "done")
    np.testing.assert_array_equal(written(output), labels_of(image))


def test_an_image_that_could_not_be_read_is_told_with_the_way_on(
    *,
    client: Client,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    image, output = blobs(), tmp_path / "out.ome.zarr"
    path = zarr_of(image)
    source = Failing(open_source(path), 6)
    run = client.run("components", source, parameters=THRESHOLD, block=BLOCK, output=output)
    with pytest.raises(errors.SourceUnreadable, match="microscope") as raised:
        run.wait(60)
    assert f"hmz attach {run.id}" in raised.value.remedy
    assert "finished is kept" in raised.value.remedy
    again = client.run("components", path, parameters=THRESHOLD, block=BLOCK, output=output)
    assert again.id == run.id
    again.wait(120)
    np.testing.assert_array_equal(written(output), labels_of(image))


def test_a_run_whose_image_nobody_knows_is_not_resumed(
    client: Client, blobs: MakeBlobs, connected: Callable[..., Client], backend: BackendProcess
) -> None:
    source = Failing(open_source(blobs()), 0)
    run = client.run("components", source, parameters=THRESHOLD, block=BLOCK)
    with pytest.raises(errors.SourceUnreadable):
        run.wait(60)
    with pytest.raises(errors.Conflict, match="does not know where") as raised:
        connected(backend).attach(run.id, resume=True)
    assert "not sent again" in raised.value.remedy
    assert client.info(run.id).state == "cancelled"


def test_unfinished_output_of_another_run_is_refused_with_the_difference(
    client: Client, blobs: MakeBlobs, zarr_of: Callable[..., Path], tmp_path: Path
) -> None:
    path, output = zarr_of(blobs()), tmp_path / "out.ome.zarr"
    run = client.run("components", path, parameters=THRESHOLD, block=BLOCK, output=output)
    run.cancel()
    run.close()
    count = len(client.runs())
    other = zarr_of(blobs(24, 40, 40), "other.zarr")
    for image, options, words in (
        (path, {"parameters": {"threshold": 30_000}}, "parameters differs"),
        (path, {"block": {"z": 20}, "with_image": True}, "block, the copy of the image differ"),
        (other, {}, "the image differs"),
    ):
        usual = {"parameters": THRESHOLD, "block": BLOCK, "output": output}
        asked: dict[str, Any] = {**usual, **options}
        with pytest.raises(errors.OutputExists, match=words) as raised:
            client.run("components", image, **asked)
        assert f"hmz attach {run.id}" in raised.value.remedy
        assert "--overwrite" in raised.value.remedy
    assert len(client.runs()) == count
    told = json.loads((output / "zarr.json").read_text())
    told["attributes"]["napari-hmz"]["run"] = "of-another-backend"
    (output / "zarr.json").write_text(json.dumps(told))
    with pytest.raises(errors.OutputExists, match="does not know"):
        client.run("components", path, parameters=THRESHOLD, block=BLOCK, output=output)


def test_finished_output_is_refused_as_ever(
    client: Client, blobs: MakeBlobs, zarr_of: Callable[..., Path], tmp_path: Path
) -> None:
    path, output = zarr_of(blobs()), tmp_path / "out.ome.zarr"
    client.run("components", path, parameters=THRESHOLD, output=output).wait(120)
    with pytest.raises(errors.OutputExists, match="exists already"):
        client.run("components", path, parameters=THRESHOLD, output=output)


@pytest.fixture
def shell(
    backend: BackendProcess, state: Path, tmp_path: Path
) -> Callable[..., "subprocess.Popen[str]"]:
    """Begin an `hmz` command."""
    environment = {
        **os.environ,
        "HMZ_URL": backend.url,
        "HMZ_TOKEN": backend.token,
        "HMZ_STATE_DIR": str(state),
    }

    def begin(*words: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "napari_hmz.cli", *map(str, words)],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_same_command_again_goes_on(
    *,
    client: Client,
    shell: Callable[..., "subprocess.Popen[str]"],
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    image = blobs()
    words = ("run", "components", zarr_of(image), "out.zarr", "-p", "threshold=36000")
    block = ("--block", "z=10,y=12,x=12")
    first = shell(*words, *block)
    assert first.stderr is not None
    while "computing" not in (line := first.stderr.readline()):
        assert line, "the command ended before it ran"
    run_id = client.runs()[0].id
    first.send_signal(how)
    first.communicate(timeout=60)
    cancelled, _ = shell("cancel", run_id).communicate(timeout=60)
    assert run_id in cancelled
    other = shell(*words, "-p", "connectivity=full")
    assert f"hmz attach {run_id}" in other.communicate(timeout=60)[1]
    said, told = shell(*words, *block, "--json").communicate(timeout=120)
    assert json.loads(said)["run"]["id"] == run_id, told
    assert f"Run {run_id} goes on" in told
    np.testing.assert_array_equal(written(tmp_path / "out.zarr"), labels_of(image))
    assert len([run for run in client.runs() if run.id == run_id]) == 1


def test_attach_from_the_shell_resumes_and_says_so(
    *,
    client: Client,
    shell: Callable[..., "subprocess.Popen[str]"],
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    image, output = blobs(), tmp_path / "out.zarr"
    run = client.run("components", zarr_of(image), parameters=THRESHOLD, block=BLOCK, output=output)
    for event in run.watch():
        if isinstance(event, ChunkDone):
            break
    run.cancel()
    run.close()
    said, told = shell("attach", run.id).communicate(timeout=120)
    assert f"Run {run.id} was cancelled and goes on now" in told
    assert "objects" in said
    np.testing.assert_array_equal(written(output), labels_of(image))
