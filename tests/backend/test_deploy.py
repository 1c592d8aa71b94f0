"""What is shipped for admins is what the programs that read it take."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hmz_backend.settings import Settings, load_settings

DEPLOY = Path(__file__).parents[2] / "backend" / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
NAMED = re.compile(r"HMZ_BACKEND_([A-Z_]+)")
UNIT = DEPLOY / "systemd" / "napari-hmz@.service"
LEAST_EXPOSED = 20
"""Of 100, by systemd's own count: 96 is a service without any of these lines."""


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = shutil.which("systemd-analyze")
    assert command, "systemd is not installed (apt-get install systemd)"
    return subprocess.run([command, *words], capture_output=True, text=True, check=False)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with programs and a user that this machine has."""
    text = UNIT.read_text()
    backend = Path(sys.executable).with_name("hmz-backend")
    for before, after in {
        "/opt/napari-hmz/bin/hmz-backend": str(backend),
        "/usr/bin/curl": sys.executable,
        "User=hmz": "User=root",
        "Group=hmz": "Group=root",
    }.items():
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / "napari-hmz@8651.service"
    path.write_text(text)
    return path


def test_systemd_takes_the_unit(unit: Path) -> None:
    found = analyze("verify", "--man=no", unit)
    complaints = [line for line in found.stderr.splitlines() if unit.stem in line]
    assert found.returncode == 0, found.stderr
    assert complaints == []


def test_the_unit_may_do_little(unit: Path) -> None:
    text = unit.read_text().replace("User=root", "User=hmz")
    unit.write_text(text)
    found = analyze("security", "--offline=yes", f"--threshold={LEAST_EXPOSED}", unit)
    assert found.returncode == 0, found.stdout


def compose() -> Any:  # noqa: ANN401 # YAML
    return yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())


def settings_of(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that variables set, by name."""
    found = {NAMED.fullmatch(name): value for name, value in environment.items()}
    return {name[1].lower(): value for name, value in found.items() if name}


def test_compose_sets_what_is_there_for_two_processes_that_find_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = compose()["services"]
    for name in ("backend-1", "backend-2"):
        service = services[name]
        given = settings_of(service["environment"])
        for setting, value in given.items():
            if setting not in ("config", "database_password_file"):
                monkeypatch.setenv(f"HMZ_BACKEND_{setting.upper()}", str(value))
        found = load_settings()
        assert found.address_for_peers == f"http://{name}:8650"
        assert found.triton_urls == ("triton:8001",)
        assert service["image"] == "napari-hmz-backend"
        assert service["read_only"]
    assert "ports" not in services["triton"]
    assert services["triton"]["networks"] == ["back"]
    assert compose()["networks"]["back"]["internal"]


def test_every_file_that_compose_mounts_or_builds_is_there() -> None:
    made = {"./backend.toml", "./certificates", "./secrets/database"}  # by the admin
    for service in compose()["services"].values():
        sources = [str(each).split(":")[0] for each in service.get("volumes", [])]
        files = [source for source in sources if source.startswith(".") and source not in made]
        build = service.get("build")
        if build:
            files.append(f"{build['context']}/{build['dockerfile']}")
        for file in files:
            assert (DEPLOY / "compose" / file).exists(), file


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    known = set(Settings.model_fields) | {"config"}
    assert {name.lower() for name in NAMED.findall(path.read_text())} <= known


def test_the_single_user_script_passes_on_what_the_hub_says(tmp_path: Path) -> None:
    stand_in = tmp_path / "hmz-backend"
    stand_in.write_text('#!/bin/sh\necho "$@"; env | grep HMZ_BACKEND\n')
    stand_in.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "HOME": "/home/a",
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:4711/user/a%40b/",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/a%40b/",
        "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api",
        "JUPYTERHUB_USER": "a@b",
    }
    script = DEPLOY / "jupyterhub" / "single_user.sh"
    done = subprocess.run([script], env=environment, capture_output=True, text=True, check=True)
    words, *variables = done.stdout.splitlines()
    assert words == "serve --host 127.0.0.1 --port 4711"
    given = settings_of(dict(line.split("=", 1) for line in variables))
    assert given["data_dir"] == "/home/a/napari-hmz"
    assert given["url_prefix"] == "/user/a%40b"
    assert json.loads(given["jupyterhub"]) == {
        "url": "http://127.0.0.1:8081/hub/api",
        "scope": "access:servers!user=a@b",
    }
