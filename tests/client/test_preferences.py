"""Preferences stand over the file and beneath the environment, where they say something."""

from pathlib import Path

import pytest

from napari_hmz.errors import SettingsInvalid
from napari_hmz.preferences import Preferences
from napari_hmz.settings import load_settings

PROFILES = '[profiles.desy]\nurl = "https://hmz.desy.de"\n[profiles.kit]\nurl = "https://kit"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HMZ_URL", "HMZ_TOKEN", "HMZ_PROFILE", "HMZ_CONNECTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HMZ_CONFIG", str(tmp_path / "client.toml"))
    (tmp_path / "client.toml").write_text(PROFILES)
    return tmp_path / "client.toml"


def test_what_is_not_set_leaves_the_settings_as_they_are(file: Path) -> None:
    file.write_text('profile = "desy"\nconnections = 3\n' + PROFILES)
    assert Preferences().settings_arguments() == {}
    assert Preferences().settings() == load_settings()


def test_a_preferred_profile_stands_over_the_file_and_beneath_what_is_chosen(file: Path) -> None:
    file.write_text('profile = "desy"\n' + PROFILES)
    assert Preferences(profile=" kit ").settings().url == "https://kit"
    assert Preferences(profile="kit").settings("desy").url == "https://hmz.desy.de"
    assert Preferences(profile="kit").settings("local").url is None


@pytest.mark.parametrize(("variable", "value"), [("URL", "https://mine"), ("PROFILE", "desy")])
def test_the_environment_stands_over_a_preferred_backend(
    file: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"HMZ_{variable}", value)
    assert Preferences(profile="kit").settings() == load_settings()
    assert Preferences(url="https://other").settings() == load_settings()


def test_a_preferred_address_is_for_those_who_have_named_no_backend(file: Path) -> None:
    assert Preferences(url="https://mine").settings().url == "https://mine"
    file.write_text('url = "https://named"\ntoken = "t"\n')
    assert Preferences(url="https://mine").settings().url == "https://named"
    file.write_text('profile = "desy"\n' + PROFILES)
    assert Preferences(url="https://mine").settings().url == "https://hmz.desy.de"


def test_limits_are_taken_unless_the_environment_sets_them(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("connections = 3\n")
    wishes = Preferences(connections=5, memory_mib=100)
    assert wishes.settings().connections == 5
    assert wishes.settings("local").memory.total_bytes == 100 * 2**20
    monkeypatch.setenv("HMZ_CONNECTIONS", "7")
    assert wishes.settings().connections == 7


def test_a_profile_that_is_not_there_is_an_error_as_in_the_file(file: Path) -> None:
    with pytest.raises(SettingsInvalid, match="no profile gone"):
        Preferences(profile="gone").settings()


def test_what_is_not_known_is_left_out() -> None:
    assert Preferences.of({"profile": "kit", "future": 1}) == Preferences(profile="kit")


def test_results_lie_in_the_preferred_folder_unless_their_path_is_whole(tmp_path: Path) -> None:
    wishes = Preferences(folder=str(tmp_path))
    assert wishes.placed(Path("labels.zarr")) == tmp_path / "labels.zarr"
    assert wishes.placed(Path("/else/labels.zarr")) == Path("/else/labels.zarr")
    assert wishes.placed(Path("~/labels.zarr")) == Path.home() / "labels.zarr"
    assert Preferences().placed(Path("labels.zarr")) == Path("labels.zarr")
