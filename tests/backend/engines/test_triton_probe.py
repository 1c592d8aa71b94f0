"""A look at a real Triton from outside, and what checks and lists make of it."""

import asyncio
import importlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hmz_backend.check.triton import TritonGrpc, TritonHttpSide
from hmz_backend.cli import app
from hmz_backend.engines.bundled import RunningTriton
from hmz_backend.engines.triton import TritonEngine
from hmz_backend.engines.triton_probe import READY, probe
from hmz_backend.testing.packages import TinyPackage
from hmz_backend.zoo.catalogue import Zoo
from napari_hmz.errors import EngineUnavailable

pytestmark = pytest.mark.triton
COMMAND = importlib.import_module("hmz_backend.cli.models")  # its name is the command's in `cli`


def load(server: RunningTriton, model: str) -> None:
    async def work() -> None:
        engine = TritonEngine([server.grpc_url])
        try:
            await engine.describe(model, "1.0.0")
        finally:
            await engine.close()

    asyncio.run(work())


def test_it_tells_version_mode_and_models(server: RunningTriton) -> None:
    load(server, "grains")
    with pytest.raises(EngineUnavailable):
        load(server, "broken")
    state = probe(server.grpc_url, 10)
    assert (state.is_ready, state.is_explicit) == (True, True)
    assert state.version.startswith("2.")
    assert state.models["grains-1_0_0"] == READY
    assert state.models["broken-1_0_0"] != READY


def test_who_does_not_speak_grpc_is_unavailable(server: RunningTriton) -> None:
    with pytest.raises(EngineUnavailable):
        probe(server.http_url.removeprefix("http://"), 10)


def test_a_right_server_is_ok_and_a_model_that_it_lacks_is_named(
    server: RunningTriton, packages: Path, tmp_path: Path
) -> None:
    shutil.copytree(packages / "grains", tmp_path / "grains")
    check = TritonGrpc(server.grpc_url, Zoo([tmp_path]))
    assert [found.level for found in check.look()] == ["ok"]
    assert [found.level for found in TritonHttpSide(server.http_url).look()] == ["ok"]
    TinyPackage(id="lacking").write(tmp_path / "lacking")
    (found,) = check.look()
    assert (found.level, "lacking 1.0.0" in found.words) == ("wrong", True)
    assert "zoo deploy" in found.remedy


def test_models_are_listed_with_their_health_on_each_server(
    server: RunningTriton, packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(server, "grains")
    shutil.copytree(packages / "grains", tmp_path / "models" / "grains")
    TinyPackage(id="lacking").write(tmp_path / "models" / "lacking")
    monkeypatch.setattr(COMMAND, "shipped_models", lambda: tmp_path / "models")
    config = tmp_path / "backend.toml"
    urls = f'["{server.grpc_url}", "127.0.0.1:1"]'
    config.write_text(f'engine = "triton"\ntriton_urls = {urls}')
    done = CliRunner().invoke(app, ["models", "--config", str(config), "--json"])
    told = {
        model["id"]: [one["words"] for one in model["engines"]] for model in json.loads(done.stdout)
    }
    silent = "the server does not answer"
    assert told == {"grains": ["ready", silent], "lacking": ["not in its repository", silent]}
