"""`hmz-backend check`: a right config has no finding, and each fault is named with a remedy.

Database and issuer are real ones; faults that these cannot have are those of imitations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from hmz_backend.check.public_address import PublicAddress, status_of_upload
from hmz_backend.cli import app
from hmz_backend.database.connection import open_database
from hmz_backend.identity import person_records
from hmz_backend.identity.protocol import Principal
from hmz_backend.settings import Settings
from hmz_backend.testing.live_backend import LiveBackend
from napari_hmz.schema import wire
from napari_hmz.testing.backend_process import free_port
from napari_hmz.version import __version__

from .conftest import SHELL, Imitation, Place, expect, findings


def test_a_right_config_has_no_finding(place: Place) -> None:
    assert findings(place) == []
    done = SHELL.invoke(app, ["check", "--config", str(place.config)])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert len(lines) >= 9
    assert all(line.startswith("ok ") for line in lines)


def test_a_right_config_on_sqlite_has_no_finding(place: Place) -> None:
    _without_password(place)
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


def _nobody_is_known(place: Place) -> None:
    place.config.write_text(f'data_dir = "{place.folder}/data"\nhost = "0.0.0.0"\nport = 0')


def _several_processes_on_sqlite(place: Place) -> None:
    _without_password(place)
    place.change(place.database, "")
    place.add('peer_url = "http://10.0.0.1:8650"\n')


def _another_prefix(place: Place) -> None:
    place.add('url_prefix = "/services/hmz"\npublic_url = "http://127.0.0.1:1/hmz"\n')


def _without_password(place: Place) -> None:
    place.change("database_password_file", "#")


def _open_secret(place: Place) -> None:
    (place.folder / "client-secret").chmod(0o644)


def _empty_secret(place: Place) -> None:
    (place.folder / "client-secret").write_text("\n")


def _wrong_secret(place: Place) -> None:
    (place.folder / "client-secret").write_text("another")


def _secret_in_an_open_file(place: Place) -> None:
    place.change("database_password_file", 'database_password = "the-password" #')
    place.config.chmod(0o644)


def _config_that_all_may_write(place: Place) -> None:
    place.config.chmod(0o666)


def _open_data(place: Place) -> None:
    (place.folder / "data").chmod(0o755)


def _data_that_is_a_file(place: Place) -> None:
    (place.folder / "data").rmdir()
    (place.folder / "data").touch()


def _no_such_database(place: Place) -> None:
    name = make_url(place.database).database
    place.change(f"/{name}?", f"/{name}x?")


def _older_tables(place: Place) -> None:
    _sql(place, "UPDATE alembic_version SET version_num = '0001'")


def _newer_tables(place: Place) -> None:
    _sql(place, "UPDATE alembic_version SET version_num = '9999'")


def _standby(place: Place) -> None:
    place.take_own_database()
    name = make_url(place.database).database
    _sql(place, f"ALTER DATABASE {name} SET default_transaction_read_only = on")


def _no_rights(place: Place) -> None:
    _sql(place, "ALTER SCHEMA public RENAME TO private")


def _file_that_is_no_database(place: Place) -> None:
    _without_password(place)
    place.change(place.database, f"sqlite:///{place.folder}/b.sqlite")
    (place.folder / "b.sqlite").write_text("no database at all, but long enough to look like one")


def _broken_package(place: Place) -> None:
    (place.folder / "models" / "rdf.yaml").write_text("id: broken")


def _misspelt_group(place: Place) -> None:
    place.take_own_database()
    group = "urn:geant:helmholtz.de:group:Imagine#login.helmholtz.de"
    engine = create_engine(place.database)
    with engine.begin() as connection:
        person_records.note(connection, Principal("https://a.de", "b", frozenset({group})))
    engine.dispose()


def _sql(place: Place, statement: str) -> None:
    place.take_own_database()
    engine = create_engine(place.database)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


DEEDS: dict[str, tuple[Callable[[Place], None], str, str, str]] = {
    "nobody is known": (_nobody_is_known, "settings together", "nobody is known", "wrong"),
    "several processes on SQLite": (
        _several_processes_on_sqlite,
        "settings together",
        "need PostgreSQL",
        "wrong",
    ),
    "another prefix": (_another_prefix, "settings together", "does not end with", "wrong"),
    "open secret": (_open_secret, "secrets", "everybody on this machine may read", "wrong"),
    "empty secret": (_empty_secret, "secrets", "is empty", "wrong"),
    "wrong secret": (_wrong_secret, "issuer", "does not accept hmz-backend", "wrong"),
    "secret in an open file": (_secret_in_an_open_file, "secrets", "database_password st", "wrong"),
    "config of all": (_config_that_all_may_write, "settings", "Everybody may write", "wrong"),
    "open data": (_open_data, "storage", "may look into", "warning"),
    "data that is a file": (_data_that_is_a_file, "storage", "is no folder", "wrong"),
    "no such database": (_no_such_database, "database", "does not exist", "wrong"),
    "older tables": (_older_tables, "database", "are of version 0001", "warning"),
    "newer tables": (_newer_tables, "database", "a newer backend has made", "wrong"),
    "standby": (_standby, "database", "read-only", "wrong"),
    "no rights": (_no_rights, "database", "may not make tables", "wrong"),
    "no database": (_file_that_is_no_database, "database", "not a database", "wrong"),
    "broken package": (_broken_package, "models and groups", "is refused", "warning"),
    "misspelt group": (_misspelt_group, "models and groups", "did you mean urn", "warning"),
}


@pytest.mark.parametrize("name", DEEDS)
def test_a_fault_of_the_machine_is_named(place: Place, name: str) -> None:
    deed, subject, words, level = DEEDS[name]
    deed(place)
    expect(place, subject, words, level)


def test_a_variable_that_is_no_setting_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMZ_BACKEND_PROT", "8650")
    expect(place, "settings", "did you mean HMZ_BACKEND_PORT?", "warning")
    monkeypatch.setenv("HMZ_BACKEND_ISSUERS", "no JSON")
    expect(place, "settings", "must be JSON")


def test_a_port_that_another_program_has_is_named(
    place: Place, imitate: Callable[[], Imitation]
) -> None:
    server = imitate()
    place.change("port = 0", f"port = {server.url.rpartition(':')[2]}")
    expect(place, "address", "Another program listens")
    server.documents = {wire.HEALTH: {"engine": "embedded"}}
    assert findings(place) == []


def test_a_proxy_that_does_not_lead_here_or_holds_chunks_back_is_named(
    place: Place, imitate: Callable[[], Imitation]
) -> None:
    server = imitate()
    place.add(f'public_url = "{server.url}/hmz/"\n')
    expect(place, "public address", "Something else is there")
    server.documents = {f"/hmz{wire.HEALTH}": {"engine": "embedded", "version": __version__}}
    assert findings(place) == []
    server.uploads = 413
    expect(place, "public address", "refuses bodies of 10000000 bytes")
    server.documents = {f"/hmz{wire.HEALTH}": {"engine": "embedded", "version": "0.0.1"}}
    expect(place, "public address", "of version 0.0.1", "warning")


def test_a_backend_lets_the_check_of_its_public_address_pass(backend: LiveBackend) -> None:
    check = PublicAddress(Settings(public_url=backend.url))
    assert [found.level for found in check.look()] == ["ok"]
    assert status_of_upload(backend.url, 10**8) == 401  # told without a byte of the body


def test_a_public_address_that_does_not_answer_is_named(place: Place) -> None:
    place.add(f'public_url = "http://127.0.0.1:{free_port()}"\n')
    expect(place, "public address", "cannot be reached")


def test_no_secret_is_shown_whatever_happens(place: Place) -> None:
    _without_password(place)
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


def issuer_of(place: Place, url: str) -> None:
    lines = place.config.read_text().splitlines()
    changed = [f'url = "{url}"' if line.startswith("url = ") else line for line in lines]
    place.config.write_text("\n".join(changed).replace('"introspection", "userinfo"', ""))


def described(url: str, **more: object) -> dict[str, Any]:
    return {"/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/jwks"} | more}


def test_an_issuer_that_does_not_answer_is_named(place: Place) -> None:
    issuer_of(place, f"http://127.0.0.1:{free_port()}")
    expect(place, "issuer", "cannot be reached")


def test_an_issuer_of_another_spelling_is_named(
    place: Place, imitate: Callable[[], Imitation]
) -> None:
    server = imitate()
    server.documents = described("https://login.example.de/OAuth2")
    issuer_of(place, server.url)
    expect(place, "issuer", "calls itself https://login.example.de/OAuth2")


def test_an_address_that_is_no_issuer_is_named(
    place: Place, imitate: Callable[[], Imitation]
) -> None:
    issuer_of(place, imitate().url)
    expect(place, "issuer", "There is no issuer")


def test_keys_that_are_of_no_use_are_named(place: Place, imitate: Callable[[], Imitation]) -> None:
    server = imitate()
    shared = {"kty": "oct", "k": "bm90aGluZyB0aGF0IGFueWJvZHkgc2hvdWxkIGtub3c", "alg": "HS256"}
    server.documents = described(server.url) | {"/jwks": {"keys": [shared]}}
    issuer_of(place, server.url)
    expect(place, "issuer", "keys are of no use")


def test_an_issuer_that_cannot_do_what_is_asked_of_it_is_named(
    place: Place, imitate: Callable[[], Imitation]
) -> None:
    server = imitate()
    server.documents = described(
        server.url,
        code_challenge_methods_supported=["plain"],
        scopes_supported=["openid"],
        claims_supported=["sub"],
    )
    issuer_of(place, server.url)
    words = " ".join(one["words"] for one in findings(place))
    for expected in ("from napari", "PKCE", "no scopes", "tells groups"):
        assert expected in words


@pytest.mark.parametrize(("ahead_s", "level"), [(3600, "wrong"), (-3600, "wrong"), (30, "warning")])
def test_a_clock_that_is_wrong_is_named(
    place: Place, imitate: Callable[[], Imitation], ahead_s: float, level: str
) -> None:
    server = imitate()
    server.documents = described(server.url)
    server.ahead_s = ahead_s
    issuer_of(place, server.url)
    expect(place, "clock", "behind" if ahead_s > 0 else "ahead of", level)


@pytest.mark.parametrize(
    ("days", "words", "level"),
    [(-1, "certificate has expired", "wrong"), (3, "ends in 3 days", "warning")],
    ids=["ended", "soon"],
)
def test_a_certificate_that_has_ended_or_will_soon_is_named(
    place: Place, imitate: Callable[[int], Imitation], days: int, words: str, level: str
) -> None:
    server = imitate(days)
    server.documents = described(server.url)
    issuer_of(place, server.url)
    expect(place, "certificates", words, level)


def test_a_hub_that_is_none_is_named(place: Place, imitate: Callable[[], Imitation]) -> None:
    server = imitate()
    with place.config.open("a") as file:
        file.write(f'\n[jupyterhub]\nurl = "{server.url}/hub/api"\nscope = "access:services"\n')
    expect(place, "hub", "no JupyterHub")
    server.documents = {"/hub/api/": {"version": "5.2"}}
    expect(place, "hub", "no JupyterHub")  # it would let anyone in


def test_an_http_address_that_is_no_triton_is_named(
    place: Place, imitate: Callable[[], Imitation]
) -> None:
    server = imitate()
    grpc = server.url.removeprefix("http://")
    urls = f'triton_urls = ["{grpc}"]\ntriton_http_urls = ["{server.url}"]\n'
    place.add(f'engine = "triton"\n{urls}')
    expect(place, f"triton {server.url}", "is no Triton")
    expect(place, f"triton {grpc}", "Nobody answers gRPC")


def test_several_faults_are_named_together(place: Place) -> None:
    place.change("port = 0", "prot = 0")
    _open_secret(place)
    _open_data(place)
    _newer_tables(place)
    _broken_package(place)
    subjects = {one["subject"] for one in findings(place)}
    assert subjects == {"settings", "secrets", "storage", "database", "models and groups"}
