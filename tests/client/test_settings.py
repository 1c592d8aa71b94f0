from pathlib import Path

import pytest

from napari_hmz.errors import SettingsInvalid
from napari_hmz.settings import load_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HMZ_URL", "HMZ_TOKEN", "HMZ_CONNECTIONS", "HMZ_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HMZ_CONFIG", str(tmp_path / "client.toml"))
    return tmp_path / "client.toml"


def test_nothing_set_means_the_backend_of_this_machine(file: Path) -> None:
    settings = load_settings()
    assert settings.url is None
    assert settings.engine == "embedded"


def test_argument_over_environment_over_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('url = "http://file"\nconnections = 2\nengine = "triton"\n')
    monkeypatch.setenv("HMZ_URL", "http://environment")
    monkeypatch.setenv("HMZ_CONNECTIONS", "3")
    settings = load_settings(url="http://argument", connections=None)
    assert (settings.url, settings.connections) == ("http://argument", 3)
    assert settings.engine == "triton"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "colour"),
        ("connections = 0", "connections"),
        ('engine = "abacus"', "engine"),
        ("connections = ", "client.toml"),
    ],
)
def test_says_what_is_wrong(file: Path, text: str, named: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsInvalid, match=named):
        load_settings()


def test_token_is_not_shown(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMZ_TOKEN", "a-secret")
    settings = load_settings()
    assert "a-secret" not in repr(settings) + str(settings) + settings.model_dump_json()
    file.write_text('token = ["a-secret"]')
    monkeypatch.delenv("HMZ_TOKEN")
    with pytest.raises(SettingsInvalid) as raised:
        load_settings()
    assert "a-secret" not in str(raised.value)


def test_an_unknown_key_is_told_with_the_one_that_was_meant(file: Path) -> None:
    file.write_text('urll = "http://file"\n')
    with pytest.raises(SettingsInvalid, match="urll: there is no such setting; did you mean url"):
        load_settings()
