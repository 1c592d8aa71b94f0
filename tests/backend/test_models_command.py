"""`hmz-backend models`: versions, who may see them, and how they are."""

import importlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hmz_backend.cli import app
from hmz_backend.testing.packages import TinyPackage

SHELL = CliRunner()
COMMAND = importlib.import_module("hmz_backend.cli.models")  # its name is the command's in `cli`
GROUP = "urn:geant:helmholtz.de:group:Imaging#login.helmholtz.de"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    models = tmp_path / "models"
    for version in ("1.0.0", "2.0.0"):
        TinyPackage(version=version).write(models / f"tiny-{version}")
    TinyPackage(id="other").write(models / "other")
    monkeypatch.setattr(COMMAND, "shipped_models", lambda: models)
    path = tmp_path / "backend.toml"
    path.write_text(
        f'[model_access."tiny/2.0.0"]\ngroups = ["{GROUP}"]\n'
        '[model_access.other]\ndata_classes = ["open"]\n'
    )
    return path


def test_each_version_is_listed_with_those_who_may_see_it(config: Path) -> None:
    done = SHELL.invoke(app, ["models", "--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    found = {f"{each['id']}/{each['version']}": each for each in json.loads(done.stdout)}
    assert list(found) == ["other/1.0.0", "tiny/2.0.0", "tiny/1.0.0"]
    assert (found["tiny/2.0.0"]["public"], found["tiny/2.0.0"]["groups"]) == (False, [GROUP])
    assert found["tiny/1.0.0"]["public"]
    assert found["other/1.0.0"]["data_classes"] == ["open"]
    assert [each["engine"] for each in found["tiny/1.0.0"]["engines"]] == ["embedded"]


def test_people_read_a_table_and_hear_of_refused_packages(config: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "bad").mkdir()
    (tmp_path / "models" / "bad" / "rdf.yaml").write_text("id: bad")
    done = SHELL.invoke(app, ["models", "--config", str(config)])
    assert done.exit_code == 0, done.output
    rows = {tuple(line.split()[:2]): line for line in done.stdout.splitlines()}
    assert GROUP in rows[("tiny", "2.0.0")]
    assert "everybody" in rows[("tiny", "1.0.0")]
    assert "reviewers and admins" in rows[("other", "1.0.0")]
    assert "refused" in done.stderr


def test_a_triton_that_is_not_installed_is_told(config: Path, tmp_path: Path) -> None:
    text = f'engine = "triton"\ntriton_prefix = "{tmp_path}/none"\n'
    config.write_text(text + config.read_text())
    done = SHELL.invoke(app, ["models", "--config", str(config)])
    assert "Triton is not installed" in done.stdout
