"""`hmz-backend check`: each fault of files, folders, database and models is named with a remedy."""

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from hmz_backend.identity import person_records
from hmz_backend.identity.protocol import Principal

from .conftest import Place, expect, findings


def _nobody_is_known(place: Place) -> None:
    place.config.write_text(f'data_dir = "{place.folder}/data"\nhost = "0.0.0.0"\nport = 0')


def _several_processes_on_sqlite(place: Place) -> None:
    place.drop_password()
    place.change(place.database, "")
    place.add('peer_url = "http://10.0.0.1:8650"\n')


def _another_prefix(place: Place) -> None:
    place.add('url_prefix = "/services/hmz"\npublic_url = "http://127.0.0.1:1/hmz"\n')


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
    place.drop_password()
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


def test_several_faults_are_named_together(place: Place) -> None:
    place.change("port = 0", "prot = 0")
    _open_secret(place)
    _open_data(place)
    _newer_tables(place)
    _broken_package(place)
    subjects = {one["subject"] for one in findings(place)}
    assert subjects == {"settings", "secrets", "storage", "database", "models and groups"}
