from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from hmz_backend.issuers import HubSettings, IssuerSettings
from hmz_backend.settings import load_settings
from napari_hmz.errors import SettingsInvalid

FILE = """
[[issuers]]
url = "https://login.example.de/oauth2/"
audiences = ["hmz"]
authorities = ["login.example.de"]
check = ["keys", "introspection"]
client_id = "backend"
client_secret_file = "{secret}"

[issuers.roles.admin]
groups = ["urn:geant:h-df.de:group:Model Zoo:role=admin#login.example.de"]
subjects = ["2f1c"]

[jupyterhub]
url = "https://hub.example.de/hub/api"
scope = "access:services!service=hmz"
"""


def issuer(**changes: object) -> IssuerSettings:
    return IssuerSettings.model_validate({"url": "https://a.de", "audiences": ("hmz",), **changes})


def test_the_file_names_issuers_and_a_hub(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the file\n")
    config = tmp_path / "backend.toml"
    config.write_text(FILE.format(secret=secret))
    settings = load_settings(config)
    (found,) = settings.issuers
    assert settings.knows_people
    assert found.url == "https://login.example.de/oauth2"
    assert found.roles["admin"].groups == (
        "urn:geant:helmholtz.de:group:Model%20Zoo:role=admin#login.example.de",
    )
    assert found.secret().get_secret_value() == "of the file"
    assert settings.jupyterhub is not None
    assert settings.jupyterhub.scope == "access:services!service=hmz"


def test_secrets_come_from_three_places_and_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert issuer(client_secret="here").secret().get_secret_value() == "here"
    monkeypatch.setenv("OF_MINE", "there")
    assert issuer(client_secret_env="OF_MINE").secret().get_secret_value() == "there"
    assert "here" not in repr(issuer(client_secret=SecretStr("here")))
    with pytest.raises(SettingsInvalid, match="missing"):
        issuer(client_secret_file=tmp_path / "missing").secret()
    with pytest.raises(SettingsInvalid, match="empty"):
        issuer(client_secret_env="NOT_THERE").secret()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://a.de"}, "https"),
        ({"url": "https://"}, "https"),
        ({"url": "https://me:pw@a.de"}, "password"),
        ({"url": "https://a.de?x=1"}, "query"),
        ({"audiences": ()}, "for whom"),
        ({"check": ()}, "way"),
        ({"check": ("magic",)}, "introspection"),
        ({"check": ("introspection",)}, "client_id"),
        ({"check": ("introspection",), "client_id": "me"}, "secret"),
        ({"check": ("userinfo",)}, "does not tell"),
        ({"leeway_s": 4000}, "300"),
        ({"roles": {"owner": {}}}, "contributor"),
        ({"roles": {"admin": {"groups": ["Imaging"]}}}, "authority"),
        ({"unknown": 1}, "not permitted"),
    ],
)
def test_what_would_not_be_safe_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        issuer(**changes)


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "http://localhost:9/x", "http://[::1]:1"])
def test_loopback_needs_no_tls(url: str) -> None:
    assert issuer(url=url).url == url
    assert HubSettings(url=url, scope="x").url == url


def test_userinfo_alone_has_no_audience_and_says_so() -> None:
    assert issuer(audiences=(), check=("userinfo",)).check == ("userinfo",)


def test_an_issuer_stands_there_once(tmp_path: Path) -> None:
    config = tmp_path / "backend.toml"
    once = '[[issuers]]\nurl = "https://a.de{slash}"\naudiences = ["x"]\n'
    config.write_text(once.format(slash="") + once.format(slash="/"))
    with pytest.raises(SettingsInvalid, match="twice"):
        load_settings(config)
