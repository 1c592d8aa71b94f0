"""`hmz-backend zoo` from the shell's side."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from hmz_backend.cli import app, main
from hmz_backend.zoo.recipes import RECIPES, Recipe
from napari_hmz.schema import Measurement

SHELL = CliRunner()
Edit = Callable[[Path, Callable[[dict[str, Any]], None]], None]
COMMAND = importlib.import_module("hmz_backend.cli.zoo")  # its name is the Typer's in `cli`


def test_check_says_what_held(package: Path) -> None:
    done = SHELL.invoke(app, ["zoo", "check", str(package)])
    assert done.exit_code == 0, done.output
    assert "test tensors are reproduced" in done.output


def test_check_ends_with_1_and_says_what_is_wrong(package: Path) -> None:
    (package / "README.md").unlink()
    done = SHELL.invoke(app, ["zoo", "check", str(package), "--json"])
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert not answer["ok"]
    assert answer["findings"][0]["code"] == "package-file-missing"


def test_list_shows_models_and_faults(package: Path, tmp_path: Path) -> None:
    done = SHELL.invoke(app, ["zoo", "list", "--models", str(tmp_path), "--json"])
    assert [card["id"] for card in json.loads(done.stdout)] == ["components"]
    (package / "README.md").unlink()
    done = SHELL.invoke(app, ["zoo", "list", "--models", str(tmp_path)])
    assert done.exit_code == 0
    assert "refused" in done.stderr
    assert "README.md" in done.stderr


def test_test_runs_one_model_or_all(package: Path, tmp_path: Path) -> None:
    for words in (["components", "--models", str(tmp_path)], [str(package)]):
        done = SHELL.invoke(app, ["zoo", "test", *words])
        assert done.exit_code == 0, done.output
        assert "reproduced" in done.output


def test_quality_prints_the_figures_beside_those_of_the_card(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = Measurement(metric="AP@0.5", value=0.875, dataset="cells", samples=2, protocol="p")
    monkeypatch.setattr(COMMAND, "evaluate", lambda *_: (figure,))
    monkeypatch.setattr(COMMAND, "fetch", lambda folder, download: folder)
    words = ["zoo", "quality", str(package), "--data", str(tmp_path)]
    done = SHELL.invoke(app, words)
    assert "AP@0.5: 0.875 (on the card: none); p" in done.output
    assert json.loads(SHELL.invoke(app, [*words, "--json"]).stdout)[0]["value"] == 0.875


def test_build_makes_and_checks_a_package(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def build(folder: Path) -> Path:
        asked.append(folder)
        return package

    entry = Recipe(name="cake", summary="A cake.", needs="flour", build=build)
    monkeypatch.setitem(RECIPES, "cake", entry)
    done = SHELL.invoke(app, ["zoo", "build", "cake", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert asked == [tmp_path / "out" / "cake"]


def test_deploy_writes_what_a_backend_serves(package: Path, edit: Edit, tmp_path: Path) -> None:
    edit(package, lambda document: document.update(id="of-our-own"))
    config, target = tmp_path / "backend.toml", tmp_path / "repository"
    config.write_text(f'data_dir = "{tmp_path / "data"}"\nmodels = ["{package}"]\n')
    done = SHELL.invoke(app, ["zoo", "deploy", str(target), "--config", str(config)])
    assert done.exit_code == 0, done.output
    written = [folder.name for folder in target.iterdir()]
    assert any(name.startswith("of-our-own") for name in written)
    assert any(name.startswith("nuclei-3d") for name in written)


def test_deploy_writes_a_repository(package: Path, tmp_path: Path) -> None:
    target = tmp_path / "repository"
    done = SHELL.invoke(app, ["zoo", "deploy", str(target), "--models", str(package)])
    assert done.exit_code == 0, done.output
    assert (target / "components-1_0_0" / "config.pbtxt").is_file()
    done = SHELL.invoke(app, ["zoo", "deploy", str(target), "--kind", "magic"])
    assert done.exit_code == 2


def test_expected_errors_are_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["hmz-backend", "zoo", "build", "cake", "--out", "x"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "Recipes are: deepbet." in told
    assert "[not-found]" in told


def test_a_model_that_fails_makes_the_test_fail(package: Path) -> None:
    np.save(package / "test_output.npy", np.zeros((1, 20, 44, 40), dtype=np.uint32))
    done = SHELL.invoke(app, ["zoo", "test", str(package.parent), "--models", str(package.parent)])
    assert done.exit_code == 1
