"""`hmz-backend check`: a right config has no finding, and each fault is named with a remedy.

Database and issuer are real ones; faults that these cannot have are those of imitations.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from hmz_backend.cli import app
from hmz_backend.database.connection import open_database

from .conftest import SHELL, Place, expect, findings


def test_a_right_config_has_no_finding(place: Place) -> None:
    assert findings(place) == []
    done = SHELL.invoke(app, ["check", "--config", str(place.config)])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert len(lines) >= 9
    assert all(line.startswith("ok ") for line in lines)


def test_a_right_config_on_sqlite_has_no_finding(place: Place) -> None:
    place.drop_password()
    place.change(place.database, "")
    assert findings(place) == []  # before the first start
    open_database(f"sqlite:///{place.folder}/data/backend.sqlite").dispose()
    before = sorted((place.folder / "data").iterdir())
    assert findings(place) == []
    assert sorted((place.folder / "data").iterdir()) == before


@dataclass(frozen=True)
class Fault:
    """A change of the right config, and what must be said of it."""

    old: str
    new: str
    subject: str
    words: str
    level: str = "wrong"


ISSUER = 'url = "'


FAULTS = {
    "unknown setting": Fault("port = 0", "prot = 0", "settings", "did you mean port?"),
    "unknown key of a table": Fault(
        "audiences =", "audience =", "settings", "issuers[0].audience: there is no such setting"
    ),
    "wrong type": Fault("port = 0", 'port = "http"', "settings", "port: "),
    "out of range": Fault("port = 0", "port = 70000", "settings", "port: "),
    "no TOML": Fault("port = 0", "port =", "settings", "cannot be read"),
    "no group": Fault('"urn:geant:helmholtz.de:group:Imaging#', '"Imaging#', "settings", "share_w"),
    "part larger than the whole": Fault(
        "stream_bytes = 20_", "stream_bytes = 90_", "settings together", "staging_quota_bytes"
    ),
    "Triton that is not asked": Fault(
        "port = 0", 'port = 0\ntriton_urls = ["x:1"]', "settings together", "not asked"
    ),
    "people who would be refused": Fault(
        'clients = ["hmz-desktop"]', 'clients = ["b"]', "settings together", "refused"
    ),
    "role that nobody can have": Fault(
        "group:Admins#login.helmholtz.de",
        "group:Admins#login.helmholtz.org",
        "settings together",
        "Nobody has the role admin",
    ),
    "token of nobody": Fault(
        "port = 0", 'port = 0\ntoken = "x"', "settings together", "opens nothing", "warning"
    ),
    "secret that is not there": Fault(
        "/client-secret", "/secret", "secrets", "client_secret_file: The secret cannot be read"
    ),
    "no such driver": Fault("+psycopg:", ":", "database", "does not run on postgresql."),
    "no address of a database": Fault(
        "postgresql+psycopg://", "pg-", "database", "no database address"
    ),
    "disk that is full": Fault(
        "disk_reserve_bytes = 1_000_000", f"disk_reserve_bytes = {2**62}", "storage", "refused"
    ),
    "quota that does not fit": Fault(
        "quota_bytes = 50_000_000", f"quota_bytes = {2**62}", "storage", "more than", "warning"
    ),
    "no such folder of models": Fault("/models", "/modles", "models and groups", "no folder"),
    "no such model": Fault(
        '."components"', '."compnents"', "models and groups", "did you mean components?"
    ),
    "no such version": Fault(
        '."components"', '."components/9"', "models and groups", "there is no such model"
    ),
    "group that nobody can be in": Fault(
        ":Imaging#login.helmholtz.de", ":Imaging#x.de", "models and groups", "nobody can be in"
    ),
    "host of others": Fault("port = 0", 'port = 0\nhost = "192.0.2.1"', "address", "cannot listen"),
    "wrong name of the client": Fault(
        'client_id = "hmz-backend"', 'client_id = "hmz-frontend"', "issuer", "does not accept"
    ),
    "Triton that does not answer": Fault(
        "port = 0", 'port = 0\nengine = "triton"\ntriton_urls = ["127.0.0.1:1"]', "triton", "Nobody"
    ),
    "Triton that is not installed": Fault(
        "port = 0",
        'port = 0\nengine = "triton"\ntriton_prefix = "/no"',
        "triton",
        "is not installed",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_file_is_named(place: Place, name: str) -> None:
    fault = FAULTS[name]
    place.change(fault.old, fault.new)
    expect(place, fault.subject, fault.words, fault.level)


def test_a_variable_that_is_no_setting_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMZ_BACKEND_PROT", "8650")
    expect(place, "settings", "did you mean HMZ_BACKEND_PORT?", "warning")
    monkeypatch.setenv("HMZ_BACKEND_ISSUERS", "no JSON")
    expect(place, "settings", "must be JSON")


def test_no_secret_is_shown_whatever_happens(place: Place) -> None:
    place.drop_password()
    place.change(place.database, "postgresql+psycopg://hmz:geheimnis@127.0.0.1:1/geheimnis")
    place.add('token = "geheimnis"\n')
    for words in (["--json"], []):
        done = SHELL.invoke(app, ["check", "--config", str(place.config), *words])
        assert done.exit_code == 1
        assert "geheimnis" not in done.output


def test_what_cannot_be_looked_at_at_all_is_told(tmp_path: Path) -> None:
    done = SHELL.invoke(app, ["check", "--config", str(tmp_path / "none.toml")])
    assert (done.exit_code, "cannot be read" in done.stdout) == (1, True)
    assert SHELL.invoke(app, ["check", "--nonsense"]).exit_code == 2
