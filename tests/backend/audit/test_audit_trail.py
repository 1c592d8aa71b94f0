"""The trail in both kinds of database: added to by many at once, changed by nobody."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner, Result

from hmz_backend.audit import trail
from hmz_backend.audit.chain import Mark, TrailBroken, verify
from hmz_backend.audit.checkpoints import Checkpoints, checkpoint_line
from hmz_backend.audit.entry import Entry, Named
from hmz_backend.audit.keeper import AuditKeeper
from hmz_backend.audit.summary import Summary
from hmz_backend.cli import app
from hmz_backend.database.access import Database
from hmz_backend.database.connection import open_database
from hmz_backend.database.writer import Operation
from hmz_backend.request_id import enter_request

ANN = Named("https://login.example.de", "ann", "issuer")


def act(thing: str) -> Entry:
    return Entry("run.submitted", ANN, thing=thing, request="r")


@pytest.fixture
def opened(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def add(engine: Engine, *things: str) -> None:
    for thing in things:
        with engine.begin() as connection:
            trail.append(connection, act(thing))


def verified(engine: Engine) -> tuple[Mark, Mark]:
    with engine.connect() as connection:
        return verify(trail.records(connection), trail.head(connection))


def things(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [record.document().get("thing", "") for record in trail.records(connection)]


def test_records_are_added_in_the_transaction_of_what_they_tell_of(opened: Engine) -> None:
    add(opened, "a", "b")
    with opened.connect() as connection:
        trail.append(connection, act("of what did not happen"))
        connection.rollback()
    add(opened, "c")
    assert things(opened) == ["a", "b", "c"]
    assert verified(opened)[1].number == 3


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET body = '{}' WHERE number = 1", "DELETE FROM audit WHERE number = 2"],
)
def test_the_database_itself_refuses_to_change_records(opened: Engine, statement: str) -> None:
    add(opened, "a", "b")
    with pytest.raises(DBAPIError, match="append-only"), opened.begin() as connection:
        connection.execute(text(statement))
    if opened.dialect.name == "postgresql":
        with pytest.raises(DBAPIError, match="append-only"), opened.begin() as connection:
            connection.execute(text("TRUNCATE audit"))
    assert things(opened) == ["a", "b"]


def test_who_takes_the_triggers_away_is_found_all_the_same(opened: Engine) -> None:
    add(opened, "a", "b", "c")
    with opened.begin() as connection:
        connection.execute(text("UPDATE audit_head SET removed_until = 1"))
        connection.execute(text("DELETE FROM audit WHERE number = 1"))
    with pytest.raises(TrailBroken, match="Record 1: it is missing"):
        verified(opened)


def test_the_end_that_was_cut_off_is_found(opened: Engine) -> None:
    add(opened, "a", "b", "c")
    with opened.begin() as connection:
        connection.execute(text("UPDATE audit_head SET removed_until = 3"))
        connection.execute(text("DELETE FROM audit WHERE number = 3"))
        connection.execute(text("UPDATE audit_head SET removed_until = 0"))
    with pytest.raises(TrailBroken, match="Record 3: it is missing"):
        verified(opened)


def test_many_who_add_at_once_make_one_chain(opened: Engine, database_url: str) -> None:
    """Each has a connection of its own, as processes that share a database have."""
    faults: list[Exception] = []

    def work(name: str) -> None:
        own = create_engine(database_url, connect_args=PATIENT[opened.dialect.name])
        try:
            add(own, *(f"{name}{number}" for number in range(25)))
        except Exception as error:  # noqa: BLE001 # told below, in the test's own thread
            faults.append(error)
        finally:
            own.dispose()

    workers = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not faults
    assert verified(opened)[1].number == 100
    found = things(opened)
    for name in "abcd":  # each one's acts in their order
        assert [t for t in found if t[0] == name] == [f"{name}{n}" for n in range(25)]


PATIENT = {"sqlite": {"timeout": 60}, "postgresql": {}}


def test_two_writers_who_hold_each_others_rows_do_not_meet_at_the_trail(database_url: str) -> None:
    """The trail comes at the end of a transaction, whatever else is in it."""
    order: list[str] = []

    def note(word: str) -> Operation:
        def operation(_: Connection) -> None:
            order.append(word)

        return operation

    async def check() -> None:
        database = Database.open(database_url)
        gate = threading.Event()

        def hold(_: Connection) -> None:
            assert gate.wait(30)

        writes = [
            database.write(note("a"), last=note("trail a")),
            database.write(note("b"), note("b again"), last=note("trail b")),
        ]
        waiting = asyncio.gather(database.write(hold), *writes)
        await asyncio.sleep(0)  # all three are handed over
        gate.set()
        await waiting
        database.close()

    asyncio.run(check())
    assert order == ["a", "b", "b again", "trail a", "trail b"]


def test_old_records_are_removed_and_the_rest_can_still_be_verified(opened: Engine) -> None:
    add(opened, "a", "b", "c")
    with opened.begin() as connection:
        assert trail.remove(connection, "2000-01-01", ANN) == 0
        begin = trail.head(connection)
        assert trail.remove(connection, "2999-01-01", ANN) == 3
    add(opened, "d")
    assert things(opened) == ["", "d"]
    assert verified(opened)[0] == begin
    with pytest.raises(DBAPIError, match="append-only"), opened.begin() as connection:
        connection.execute(text("DELETE FROM audit WHERE number = 5"))
    with opened.begin() as connection:
        assert trail.remove(connection, "2999-01-01", ANN) == 2
    assert verified(opened)[0].number == 5


def test_more_records_than_a_page_are_read_in_order(
    opened: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "PAGE", 3)
    add(opened, *"abcdefgh")
    assert things(opened) == [*"abcdefgh"]
    with opened.connect() as connection:
        assert [r.number for r in trail.newest(connection, 4)] == [5, 6, 7, 8]
        assert list(trail.records(connection, "2999")) == []
        assert [r.number for r in trail.records(connection, until=2)] == [1, 2]


def test_acts_that_come_by_the_thousand_are_two_records_a_minute(database_url: str) -> None:
    async def check() -> None:
        database = Database.open(database_url)
        summary = Summary(database, period_s=0.2)
        running = asyncio.create_task(summary.run())
        enter_request("first")
        for _ in range(500):
            summary.note(Entry("model.inferred", ANN, model="nuclei", version="1"))
            enter_request("later")
        summary.note(Entry("model.inferred", ANN, model="spots", version="1"))
        while True:
            told = [r.document() for r in await database.read(lambda c: [*trail.records(c)])]
            if len(told) == 3:
                break
            await asyncio.sleep(0.01)
        running.cancel()
        assert [said["model"] for said in told] == ["nuclei", "spots", "nuclei"]
        assert [said.get("request") for said in told] == ["first", "later", None]
        assert told[2]["more"] == {"times": 499}
        summary.note(Entry("model.inferred", ANN, model="nuclei", version="1"))
        await summary.flush()
        assert (await database.read(trail.head)).number == 4
        database.close()

    asyncio.run(check())


def test_start_stop_and_checkpoints_are_told(tmp_path: Path, database_url: str) -> None:
    path = tmp_path / "elsewhere.jsonl"

    async def check() -> None:
        database = Database.open(database_url)
        keeper = AuditKeeper(database, Checkpoints(path))
        await keeper.start()
        keeper.summary.note(act("noted at the last moment"))
        await keeper.stop()
        told = await database.read(lambda c: [r.document()["what"] for r in trail.records(c)])
        assert told == ["backend.started", "run.submitted", "backend.stopped"]
        lines = path.read_text("utf-8").splitlines()
        assert json.loads(lines[-1])["number"] == 3
        database.close()

    asyncio.run(check())


def audit(tmp_path: Path, database_url: str, *words: str) -> Result:
    """Do what an admin does."""
    config = tmp_path / "backend.toml"
    config.write_text(f'data_dir = "{tmp_path}"\ndatabase_url = "{database_url}"')
    return CliRunner().invoke(app, ["audit", *words, "--config", str(config)])


def test_an_admin_lists_verifies_exports_and_removes(
    tmp_path: Path, opened: Engine, database_url: str
) -> None:
    def done(*words: str) -> Result:
        return audit(tmp_path, database_url, *words)

    assert "no records yet" in done("list").stdout
    add(opened, "run-1", "run-2", "run-3")
    listed = done("list").stdout
    assert "ann of https://login.example.de (issuer)" in listed
    assert "run-3" in listed
    assert "run-1" not in done("list", "--since", "2999-01-01").stdout
    assert "Records 1 to 6 are as they were written" in done("verify").stdout  # 3 were read
    exported, marks = tmp_path / "trail.jsonl", tmp_path / "marks.jsonl"
    exported.write_text(done("export").stdout)
    assert "Records 1 to 6" in done("verify", str(exported)).stdout
    marks.write_text(f"2026-11-28 INFO audit checkpoint {done('checkpoint').stdout}")
    assert done("verify", "--checkpoints", str(marks)).exit_code == 0
    assert "Removed: 7 records" in done("remove", "--before", "2999-01-01").stdout
    again = done("verify", "--checkpoints", str(marks))
    assert "Records 8 to 8" in again.stdout
    assert str(json.loads(marks.read_text().partition("checkpoint ")[2])["digest"]) in again.stdout


def test_an_admin_is_told_which_record_is_broken(
    tmp_path: Path, opened: Engine, database_url: str
) -> None:
    add(opened, "run-1", "run-2", "run-3")
    exported = tmp_path / "trail.jsonl"
    exported.write_text(audit(tmp_path, database_url, "export").stdout.replace("run-2", "run-9"))
    result = audit(tmp_path, database_url, "verify", str(exported))
    assert (result.exit_code, "Record 2: what it says" in result.stderr) == (1, True)
    marks = tmp_path / "marks.jsonl"
    marks.write_text(checkpoint_line(Mark(9, "of a longer trail")))
    result = audit(tmp_path, database_url, "verify", "--checkpoints", str(marks))
    assert (result.exit_code, "Record 5: it is missing" in result.stderr) == (1, True)


@pytest.mark.parametrize("words", [["verify", "FILE"], ["verify", "--checkpoints", "FILE"]])
def test_a_file_that_is_something_else_is_refused(
    tmp_path: Path, database_url: str, words: Sequence[str]
) -> None:
    other = tmp_path / "other.txt"
    other.write_text('{"of": "something else"}')
    result = audit(tmp_path, database_url, *(str(other) if w == "FILE" else w for w in words))
    assert type(result.exception).__name__ == "RequestError"


def test_commands_about_people_leave_records(tmp_path: Path, database_url: str) -> None:
    config = tmp_path / "backend.toml"
    config.write_text(f'data_dir = "{tmp_path}"\ndatabase_url = "{database_url}"')
    for command in ("suspend", "restore"):
        words = ["users", command, "bob", "--issuer", "https://login.example.de"]
        assert CliRunner().invoke(app, [*words, "--config", str(config)]).exit_code == 0
    listed = audit(tmp_path, database_url, "list").stdout
    assert listed.index("person.suspended") < listed.index("person.restored")
    assert "(command)" in listed
    assert "issuer=https://login.example.de" in listed
