import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hmz_backend.engines import environment
from hmz_backend.engines.bundled import Ports, start
from hmz_backend.engines.environment import Environment, check_machine, install, requirements
from napari_hmz.errors import EngineUnavailable


def test_the_environment_repeats_the_versions_that_compute_here() -> None:
    from onnxruntime import __version__ as runtime

    assert f"onnxruntime=={runtime}" in requirements()
    assert "numpy>=1.26.4,<2" in requirements()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("sys.platform", "darwin", "Linux on x86-64"),
        ("platform.machine", lambda: "aarch64", "Linux on x86-64, not Linux on aarch64"),
        ("sys.version_info", (3, 14, 0), "Python 3.11 or 3.12"),
    ],
)
def test_machines_that_cannot_run_triton_are_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, attribute: str, value: object, message: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(f"hmz_backend.engines.environment.{attribute}", value)
        with pytest.raises(EngineUnavailable, match=message) as failure:
            check_machine()
    assert "embedded engine" in failure.value.remedy


def test_a_python_without_shared_library_is_told_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "shared_library", lambda: tmp_path / "libpython.so")
    with pytest.raises(EngineUnavailable, match="no shared library"):
        install(tmp_path / "prefix")
    assert not (tmp_path / "prefix").exists()


def test_a_failed_installation_says_what_pip_said_and_is_not_taken_for_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "TRITON", "no-such-package-for-napari-hmz @ file:///nowhere")
    with pytest.raises(EngineUnavailable, match="could not be made") as failure:
        install(tmp_path)
    assert "install.log" in failure.value.remedy
    assert not Environment(tmp_path).is_installed()


@pytest.mark.triton
def test_installing_again_does_nothing_until_the_requirements_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = install()
    made: list[Environment] = []
    monkeypatch.setattr(environment, "_make", lambda place, extras: made.append(place))
    assert install() == there
    assert not made
    monkeypatch.setattr(environment, "FIXED", ("numpy>=1.26.4,<1.27",))
    assert not there.is_installed()
    install()
    assert made == [there]


def test_packages_that_some_models_need_are_added_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: list[list[str]] = []

    def do(command: list[str], log: Path, **options: object) -> None:
        commands.append(command)

    monkeypatch.setattr(environment, "_do", do)
    monkeypatch.setattr(environment, "_place_backend", lambda _: None)
    install(tmp_path, extras=["stardist"])
    assert commands[-2][-1] == "stardist"
    assert "numpy>=1.26.4,<2" in commands[-2]
    assert Environment(tmp_path).extras() == {"stardist"}
    install(tmp_path, extras=["cellpose"])
    assert commands[-2][-2:] == ["cellpose", "stardist"]


def test_it_is_made_anew_while_a_triton_of_the_old_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Environment(tmp_path)
    triton = made.packages / "pytriton" / "tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = triton / "python_backend_stubs" / version / "triton_python_backend_stub"
    library = triton / "backends" / "python" / "libtriton_python.so"
    sleep = shutil.which("sleep")
    assert sleep is not None

    def pip(*_: object, **__: object) -> None:
        for folder in (stub.parent, library.parent):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(sleep, stub)
        library.write_bytes(b"")
        library.with_name("triton_python_backend_utils.py").write_text("")
        made.server.parent.mkdir(exist_ok=True)
        made.server.write_bytes(b"")

    monkeypatch.setattr(environment, "_do", pip)
    install(tmp_path)
    placed = made.backends / "python" / stub.name
    with subprocess.Popen([placed, "60"]) as running:
        (tmp_path / environment.MARKER).unlink()
        try:
            assert install(tmp_path).is_installed()
            assert running.poll() is None
        finally:
            running.kill()
    assert [path.name for path in placed.parent.glob(".*")] == []


def test_a_half_made_environment_is_not_started(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    (prefix / "installed.json").write_text(json.dumps({"digest": "of something else"}))
    with pytest.raises(EngineUnavailable, match="not installed") as failure:
        start(tmp_path, prefix=prefix)
    assert "triton install" in failure.value.remedy


def test_free_ports_differ() -> None:
    ports = Ports(http=8000).filled()
    assert ports.http == 8000
    assert len({ports.http, ports.grpc, ports.metrics}) == 3
    assert sys.platform  # the module under test was restored
