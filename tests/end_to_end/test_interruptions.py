"""What breaks loses nothing: another process goes on, and so does a backend that was killed."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz import errors
from napari_hmz.client import Client
from napari_hmz.results import disk
from napari_hmz.results import output as output_files
from napari_hmz.schema import AxisName, ChunkDone, Health, wire
from napari_hmz.testing.backend_process import BackendProcess
from napari_hmz.testing.scripted_server import Answer, ScriptedServer

Array = NDArray[Any]
MakeBlobs = Callable[..., Array]
THRESHOLD = {"threshold": 36_000}

DIES_AT_ONCE = """
import os, sys
from napari_hmz.client import connect
url, token, state, image, output = sys.argv[1:]
client = connect(url, token, state_dir=state, connections=1)
run = client.run("components", image, parameters={"threshold": 36_000}, output=output,
                 block={"z": 16, "y": 16, "x": 16})
print(run.id, flush=True)
os._exit(9)
"""


@pytest.fixture
def orphan(backend: BackendProcess, state: Path, tmp_path: Path) -> Callable[[Path], str]:
    """Start a run in a process that dies before the image is sent, and return the run's id."""

    def make(image: Path) -> str:
        output = tmp_path / "out.ome.zarr"
        words = [backend.url, backend.token, str(state), str(image), str(output)]
        done = subprocess.run(
            [sys.executable, "-c", DIES_AT_ONCE, *words],
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 9, done.stderr
        return done.stdout.strip()

    return make


def test_another_process_goes_on_with_sending_and_writing(
    *,
    client: Client,
    orphan: Callable[[Path], str],
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    image = blobs()
    run = client.attach(orphan(zarr_of(image)))
    assert run.wait(120).state == "done"
    assert run.transfer.bytes_up > 0
    np.testing.assert_array_equal(written(tmp_path / "out.ome.zarr"), labels_of(image))
    again = client.attach(run.id)  # all is written: nothing is fetched again
    again.wait(60)
    assert again.transfer.bytes_down == 0


def test_a_changed_image_is_not_sent_into_an_old_run(
    client: Client, orphan: Callable[[Path], str], blobs: MakeBlobs, zarr_of: Callable[..., Path]
) -> None:
    path = zarr_of(blobs())
    run_id = orphan(path)
    (path / "c/0/0/0").write_bytes(b"something else")
    with pytest.raises(errors.Conflict):
        client.attach(run_id)
    client.cancel(run_id)


def test_a_run_that_was_begun_but_not_noted_is_found_by_the_same_request(
    *,
    client: Client,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    state: Path,
    tmp_path: Path,
) -> None:
    image, output = blobs(), tmp_path / "out.ome.zarr"
    path = zarr_of(image)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(client, "_remember", dies)
        with pytest.raises(KeyboardInterrupt):
            client.run("components", path, parameters=THRESHOLD, output=output)
    begun = client.runs()[0].id
    client.cancel(begun)
    run = client.run("components", path, parameters=THRESHOLD, output=output)
    assert run.id == begun
    assert run.wait(60).state == "done"
    np.testing.assert_array_equal(written(output), labels_of(image))
    assert [file.suffix for file in (state / "runs").iterdir()] == [".json"]
    again = client.run("components", path, parameters=THRESHOLD, output=output, overwrite=True)
    assert again.id != begun
    again.cancel()


def test_output_can_be_fetched_later_and_elsewhere(
    *,
    client: Client,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    tmp_path: Path,
) -> None:
    image = blobs()
    run = client.run("components", image, parameters=THRESHOLD)
    run.wait(60)
    later = client.attach(run.id, tmp_path / "later.ome.zarr")
    later.wait(60)
    assert later.transfer.bytes_up == 0
    np.testing.assert_array_equal(written(tmp_path / "later.ome.zarr"), labels_of(image))


def test_a_full_disk_keeps_what_is_written_and_is_gone_on_with(
    *,
    client: Client,
    connected: Callable[..., Client],
    backend: BackendProcess,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    image, output, left = blobs(), tmp_path / "out.ome.zarr", iter(range(5))
    put = disk.write_whole

    def until_full(path: Path, body: bytes) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        put(path, body)

    block: Mapping[AxisName, int] = {"z": 20, "y": 24, "x": 20}
    with monkeypatch.context() as patch:
        patch.setattr(output_files, "write_whole", until_full)
        first = client.run("components", image, parameters=THRESHOLD, block=block, output=output)
        with pytest.raises(errors.DiskFull, match="hmz attach"):
            first.wait(60)
    second = connected(backend).attach(first.id)
    ended = second.wait(60)
    assert second.transfer.chunks_down == ended.plan.blocks - 5
    np.testing.assert_array_equal(written(output), labels_of(image))


def test_a_killed_backend_goes_on_where_it_was(
    *,
    own_backend: BackendProcess,
    connected: Callable[..., Client],
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    tmp_path: Path,
) -> None:
    image, output = blobs(), tmp_path / "out.ome.zarr"
    client = connected(own_backend)
    run = client.run(
        "components",
        image,
        parameters=THRESHOLD,
        block={"z": 10, "y": 12, "x": 12},
        output=output,
    )
    seen = 0
    for event in run.watch():
        seen += isinstance(event, ChunkDone)
        if seen == 5:
            break
    own_backend.kill()
    time.sleep(0.5)  # so that the transfers meet a closed door
    own_backend.start()
    ended = run.wait(200)
    assert ended.state == "done"
    np.testing.assert_array_equal(written(output), labels_of(image))
    np.testing.assert_array_equal(run.array()[...], labels_of(image))


def test_what_is_lost_with_the_power_after_the_last_word_is_sent_again(
    *,
    own_backend: BackendProcess,
    connected: Callable[..., Client],
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    image = blobs()
    client = connected(own_backend)
    first = client.run("components", zarr_of(image), parameters=THRESHOLD)
    first.wait(120)
    client.close()  # else it would be the one that sends again
    own_backend.kill()
    data = own_backend.folder / "data"
    (data / "runs" / first.id / "work").mkdir(exist_ok=True)  # as before its outputs were synced
    for path in (*data.glob("runs/*/outputs/*/c/*/*/*"), *data.glob("volumes/*/array/c/*/*/*")):
        os.truncate(path, path.stat().st_size // 2)
    own_backend.start()
    second = connected(own_backend).attach(first.id, tmp_path / "out.ome.zarr")
    assert second.wait(120).state == "done"
    assert second.transfer.chunks_up > 0
    np.testing.assert_array_equal(written(tmp_path / "out.ome.zarr"), labels_of(image))


def test_ctrl_c_leaves_the_run_alone_and_says_how_to_return(
    *,
    backend: BackendProcess,
    client: Client,
    state: Path,
    blobs: MakeBlobs,
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    words = ["-p", "threshold=36000", "--block", "z=4,y=4,x=4", "--url", backend.url]
    command = [sys.executable, "-m", "napari_hmz.cli", "run", "components"]
    environment = {**os.environ, "HMZ_TOKEN": backend.token, "HMZ_STATE_DIR": str(state)}
    shell = subprocess.Popen(
        [*command, str(zarr_of(blobs())), str(tmp_path / "out.ome.zarr"), *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert shell.stderr is not None
    while "computing" not in (line := shell.stderr.readline()):
        assert line, "the command ended before it ran"
    shell.send_signal(signal.SIGINT)
    _, said = shell.communicate(timeout=30)
    assert shell.returncode == 130
    run_id = client.runs()[0].id
    assert f"hmz attach {run_id}" in said
    assert "Traceback" not in said
    assert client.runs()[0].state in {"queued", "running"}
    client.cancel(run_id)


def test_a_backend_that_is_too_old_is_named_in_the_shell(state: Path, tmp_path: Path) -> None:
    health = Health(status="ok", version="0.0.1", protocol=0, oldest_client=0, engine="embedded")
    variables = {**os.environ, "HMZ_STATE_DIR": str(state), "HMZ_TOKEN": "a token"}
    with ScriptedServer() as server:
        server.on("GET", wire.HEALTH, lambda _: Answer(200, health.model_dump_json().encode()))
        command = [sys.executable, "-m", "napari_hmz.cli", "run", "components", "image.zarr"]
        done = subprocess.run(
            [*command, str(tmp_path / "out.ome.zarr"), "--url", server.url],
            capture_output=True,
            check=False,
            env=variables,
            text=True,
        )
    assert done.returncode == 3
    assert "backend 0.0.1 speaks protocol 0" in done.stderr
    assert "[backend-too-old]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2  # what happened, and what to do
    assert not (tmp_path / "out.ome.zarr").exists()
