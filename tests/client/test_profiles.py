"""Backends by name: whose address and whose token is used."""

from pathlib import Path

import pytest

from napari_hmz.errors import SettingsInvalid
from napari_hmz.settings import ClientSettings, load_settings

TEXT = """
url = "http://usual"
token = "usual-secret"
[profiles.desy]
url = "https://hmz.desy.de"
token_file = "{token}"
[profiles.open]
url = "https://open.example.org"
"""


@pytest.fixture(autouse=True)
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HMZ_URL", "HMZ_TOKEN", "HMZ_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HMZ_CONFIG", str(tmp_path / "client.toml"))
    token = tmp_path / "desy-token"
    token.write_text("desy-secret\n")
    (tmp_path / "client.toml").write_text(TEXT.format(token=token))
    return token


def secret(settings: ClientSettings) -> str | None:
    return None if settings.token is None else settings.token.get_secret_value()


def test_a_profile_brings_its_address_and_its_token() -> None:
    found = load_settings(profile="desy")
    assert (found.url, secret(found)) == ("https://hmz.desy.de", "desy-secret")
    assert "desy-secret" not in repr(found)


def test_a_token_goes_to_no_backend_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert secret(load_settings(profile="open")) is None
    monkeypatch.setenv("HMZ_TOKEN", "of-another")
    assert secret(load_settings(profile="open")) is None
    assert secret(load_settings(profile="open", token="said")) == "said"


def test_local_is_this_machine_whatever_address_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMZ_URL", "http://environment")
    found = load_settings(profile="local")
    assert (found.url, found.token) == (None, None)


def test_what_is_named_nearer_to_the_call_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMZ_PROFILE", "desy")
    assert load_settings().url == "https://hmz.desy.de"
    assert load_settings(url="http://argument").url == "http://argument"
    monkeypatch.setenv("HMZ_URL", "http://environment")
    assert load_settings().url == "https://hmz.desy.de"
    assert load_settings(profile="open").url == "https://open.example.org"


def test_an_address_in_the_environment_wins_over_a_profile_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "client.toml"
    file.write_text('profile = "open"\n' + file.read_text())
    assert load_settings().url == "https://open.example.org"
    monkeypatch.setenv("HMZ_URL", "http://environment")
    assert load_settings().url == "http://environment"


def test_an_unknown_profile_is_told_with_those_that_there_are() -> None:
    with pytest.raises(SettingsInvalid, match="no profile dsy; there are local, desy, open"):
        load_settings(profile="dsy")


def test_a_token_that_cannot_be_read_is_said_without_trying_others(token: Path) -> None:
    token.write_text("\n")
    with pytest.raises(SettingsInvalid, match="empty"):
        load_settings(profile="desy")
    token.unlink()
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        load_settings(profile="desy")
