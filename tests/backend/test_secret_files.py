"""Secrets by file or environment, instead of in the settings file."""

from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr
from sqlalchemy.engine import make_url

from hmz_backend.cli.serve import chosen_token
from hmz_backend.issuers import HubSettings, IssuerSettings
from hmz_backend.settings import Settings, load_settings
from napari_hmz.errors import SettingsInvalid

URL = "postgresql+psycopg://hmz@db.example.de/hmz"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("  p@ss:w/rd of the file\n")
    return path


@pytest.mark.parametrize("table", [Settings, IssuerSettings, HubSettings])
def test_each_secret_may_lie_in_a_file(table: type[BaseModel]) -> None:
    secrets = [
        name
        for name, field in table.model_fields.items()
        if "SecretStr" in str(field.annotation) and field.annotation is not None
    ]
    assert {f"{name}_file" for name in secrets} <= set(table.model_fields)


def test_the_password_of_the_database_is_put_into_its_address(secret: Path) -> None:
    settings = load_settings(database_url=URL, database_password_file=secret)
    url = make_url(settings.database_address)
    assert (url.password, url.host) == ("p@ss:w/rd of the file", "db.example.de")
    settings = load_settings(database_url=URL, database_password="given")
    assert make_url(settings.database_address).password == "given"
    assert load_settings(database_url=URL).database_address == URL


def test_a_file_of_the_environment_holds_the_token(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMZ_BACKEND_TOKEN_FILE", str(secret))
    token, made_up = chosen_token(load_settings())
    assert (token, made_up) == (SecretStr("p@ss:w/rd of the file"), False)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe\xfa"])
def test_a_file_that_has_no_secret_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    settings = load_settings(token_file=path)
    with pytest.raises(SettingsInvalid, match="secret") as told:
        settings.shared_token()
    assert "token_file" in told.value.remedy


@pytest.mark.parametrize(
    "given",
    [
        {"token": "a token of all", "token_file": "/t"},
        {"database_url": URL, "database_password": "a", "database_password_file": "/p"},
        {"database_password": "a"},
    ],
)
def test_a_secret_is_said_once_and_where_it_belongs(given: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid):
        load_settings(None, **given)


def test_no_secret_is_shown() -> None:
    url = "postgresql+psycopg://hmz:geheimnis@db.example.de/hmz"
    settings = load_settings(database_url=url, token="geheimnis-2")
    assert "geheimnis" not in f"{settings!r} {settings}"
    with pytest.raises(SettingsInvalid) as told:
        _ = load_settings(database_url="geheimnis", database_password="g").database_address
    assert "geheimnis" not in told.value.detail
