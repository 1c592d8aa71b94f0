import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_hmz
from napari_hmz.errors import LocalBackendFailed, LocalBackendStopped
from napari_hmz.http import Http
from napari_hmz.local import Handshake, LocalFolder, local_backend
from napari_hmz.schema import Health, wire

PROGRAM = """
import json, os, pathlib, sys
from napari_hmz.schema import Health
from napari_hmz.testing.scripted_server import Answer, ScriptedServer

file = pathlib.Path(sys.argv[sys.argv.index("--handshake") + 1])
starts = file.with_name("starts")
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
server = ScriptedServer()
health = Health(status="ok", version="{version}", protocol=1, oldest_client=1,
                engine=os.environ["HMZ_BACKEND_ENGINE"],
                detail=os.environ["HMZ_BACKEND_DATA_DIR"] + os.environ.get("HMZ_TOKEN", ""))
server.on("GET", "/v1/health", lambda _: Answer(200, health.model_dump_json().encode()))
print("listening")
file.write_text(json.dumps({{"url": server.url, "token": "secret", "pid": os.getpid()}}))
"""


def command(version: str = napari_hmz.__version__) -> tuple[str, ...]:
    return (sys.executable, "-c", PROGRAM.format(version=version))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalFolder:
    monkeypatch.delenv("HMZ_BACKEND_DATA_DIR", raising=False)
    return LocalFolder(tmp_path / "state", tmp_path / "data")


@pytest.fixture(autouse=True)
def ended(folder: LocalFolder) -> Iterator[set[int]]:
    pids: set[int] = set()
    yield pids
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for thread in threading.enumerate():
        if thread.name == "hmz-local-backend":
            thread.join(10.0)


def test_is_not_started_unless_it_may_be(folder: LocalFolder) -> None:
    with pytest.raises(LocalBackendStopped):
        local_backend(folder, "embedded", start=False, command=command())
    assert not folder.state.exists()


def test_is_started_once_and_then_found(folder: LocalFolder, ended: set[int]) -> None:
    first = local_backend(folder, "embedded", command=command())
    ended.add(first.pid)
    assert local_backend(folder, "embedded", command=command()) == first
    assert (folder.state / "starts").read_text() == "x"
    assert not folder.lock.exists()
    assert "secret" not in repr(first)


def test_gets_its_engine_and_folder_and_no_token_of_another(
    folder: LocalFolder, ended: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMZ_TOKEN", "of-a-remote-backend")
    found = local_backend(folder, "triton", command=command())
    ended.add(found.pid)
    with Http(found.url) as http:
        health = http.get(wire.HEALTH, Health)
    assert (health.engine, health.detail) == ("triton", str(folder.data))


def test_two_who_ask_at_once_share_one(folder: LocalFolder, ended: set[int]) -> None:
    found: list[Handshake] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(local_backend(folder, "embedded", command=command()))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended |= {each.pid for each in found}
    assert len(found) == 3
    assert len(ended) == 1


def test_a_dead_one_is_replaced(folder: LocalFolder, ended: set[int]) -> None:
    first = local_backend(folder, "embedded", command=command())
    os.kill(first.pid, signal.SIGKILL)
    second = local_backend(folder, "embedded", command=command())
    ended.add(second.pid)
    assert second.pid != first.pid


def test_one_of_another_version_is_replaced(folder: LocalFolder, ended: set[int]) -> None:
    old = local_backend(folder, "embedded", command=command("0.0.1"))
    new = local_backend(folder, "embedded", command=command())
    ended |= {old.pid, new.pid}
    assert new.pid != old.pid
    with pytest.raises(ProcessLookupError):
        os.kill(old.pid, 0)


def test_one_that_ends_at_once_says_why(folder: LocalFolder) -> None:
    program = (sys.executable, "-c", "print('the port is haunted'); raise SystemExit(3)")
    with pytest.raises(LocalBackendFailed, match=r"ended with 3[\s\S]*haunted"):
        local_backend(folder, "embedded", command=program)
    assert not folder.lock.exists()


def test_one_that_never_listens_is_given_up(folder: LocalFolder) -> None:
    program = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(LocalBackendFailed, match="did not listen"):
        local_backend(folder, "embedded", command=program, timeout_s=0.5)


def test_a_lock_that_nobody_holds_is_broken(folder: LocalFolder, ended: set[int]) -> None:
    folder.state.mkdir()
    folder.lock.touch()
    os.utime(folder.lock, (0, 0))
    ended.add(local_backend(folder, "embedded", command=command()).pid)


def test_outlives_the_program_that_started_it(folder: LocalFolder, ended: set[int]) -> None:
    program = f"""
from pathlib import Path
from napari_hmz.local import LocalFolder, local_backend
folder = LocalFolder(Path({str(folder.state)!r}), Path({str(folder.data)!r}))
print(local_backend(folder, "embedded", command={command()!r}).pid)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True
    )
    ended.add(int(done.stdout))
    assert done.stderr == ""
    assert local_backend(folder, "embedded", command=command()).pid == int(done.stdout)
