"""The example configs: each loads, and is refused only for what this machine does not have."""

import json
import os
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hmz_backend.check import chosen, triton
from hmz_backend.cli import app
from hmz_backend.settings import load_settings
from napari_hmz.errors import EngineUnavailable

EXAMPLES = Path(__file__).parents[3] / "backend" / "deploy" / "examples"
LACKING = {
    "laptop": (),
    "one-server": ("secrets", "database", "public address", "issuer", "triton", "storage"),
    "desy": (
        "public address",
        "secrets",
        "database",
        "issuer",
        "hub",
        "triton",
        "storage",
        "models and groups",
    ),
}
"""What may be lacking here: servers, secrets, disks and folders of packages."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine of nobody, without a network."""

    def no_address(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "there is no network")

    def no_triton(url: str, _timeout_s: float) -> object:
        raise EngineUnavailable(f"Triton at {url} cannot be reached.")

    for name in [name for name in os.environ if name.startswith("HMZ_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HMZ_BACKEND_DATA_DIR", str(tmp_path / "data"))
    for name, value in (("PORT", "0"), ("METRICS_ADDRESS", "127.0.0.1:0")):
        monkeypatch.setenv(f"HMZ_BACKEND_{name}", value)
    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    monkeypatch.setattr(triton, "probe", no_triton)


def test_there_is_a_test_for_each_example() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.toml")} == set(LACKING)


@pytest.mark.parametrize("name", LACKING)
def test_an_example_is_refused_only_for_what_is_not_here(machine: None, name: str) -> None:
    config = EXAMPLES / f"{name}.toml"
    settings = load_settings(config)
    done = CliRunner().invoke(app, ["check", "--config", str(config), "--json"])
    found = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "wrong"]
    assert [one for one in found if not one["subject"].startswith(LACKING[name])] == []
    missing = [str(folder) for folder in settings.models if not folder.is_dir()]
    rules = [one["words"] for one in found if one["subject"] == "models and groups"]
    assert rules == [f"models: there is no folder {folder}." for folder in missing]


@pytest.mark.parametrize("name", LACKING)
def test_an_example_has_no_port_but_the_usual_one(name: str) -> None:
    assert load_settings(EXAMPLES / f"{name}.toml").port == 8650


def test_all_that_an_example_needs_is_looked_at() -> None:
    checks, _ = chosen.chosen_checks(EXAMPLES / "desy.toml")
    subjects = [check.subject for check in checks]
    assert len([subject for subject in subjects if subject.startswith("issuer")]) == 2
    assert len([subject for subject in subjects if subject.startswith("triton")]) == 6
    assert "hub https://max-jhub.desy.de/hub/api" in subjects
    assert "certificates" in subjects
