"""Totals of the ledger are what was used, however it came in, and whoever counted it."""

import asyncio
import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from hmz_backend.cli import app
from hmz_backend.database.access import Database
from hmz_backend.usage import ledger as ledgers
from hmz_backend.usage.amount import Account, Amount
from hmz_backend.usage.folding import fold, unfolded
from hmz_backend.usage.ledger import Ledger
from hmz_backend.usage.report import NAMES, By, Names, Span, own_report, report
from hmz_backend.usage.tally import Tally

ISSUER = "https://login.example.de"
VO, LAB = "urn:geant:helmholtz.de:group:Imaging", "urn:geant:helmholtz.de:group:Lab"
DAYS = ("2026-10-31", "2026-11-01", "2026-11-28")
accounts = st.builds(
    Account,
    issuer=st.just(ISSUER),
    subject=st.sampled_from(["ann", "bob"]),
    groups=st.sampled_from([frozenset(), frozenset({VO}), frozenset({VO, LAB})]),
    model=st.sampled_from(["", "nuclei"]),
    version=st.just("1"),
)
figures = st.integers(0, 2**40)
amounts = st.builds(Amount, figures, figures, figures, figures, figures)


def names_of(account: Account, by: By, day: str) -> list[Names]:
    """Return under which names something counts."""
    if by == "person":
        return [(account.issuer, account.subject)]
    if by == "group":
        return [(group,) for group in account.groups or [""]]
    return [(account.model, account.version)] if by == "model" else [(day[:7],)]


class Use(RuleBasedStateMachine):
    """People use several processes, which count, and are killed, on several days."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.database = Database.open(f"sqlite:///{self.folder.name}/test.sqlite")
        self.day = DAYS[0]
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(ledgers, "today", lambda: self.day)
        self.tallies = [Tally(self.database) for _ in range(2)]
        self.gathered: list[list[tuple[Account, Amount, str]]] = [[], []]
        self.written: list[tuple[Account, Amount, str]] = []

    def teardown(self) -> None:
        self.patch.undo()
        self.database.close()
        self.folder.cleanup()

    @rule(process=st.sampled_from([0, 1]), account=accounts, amount=amounts)
    def a_chunk_or_a_call(self, process: int, account: Account, amount: Amount) -> None:
        self.tallies[process].add(account, amount)
        self.gathered[process].append((account, amount, self.day))

    @rule(process=st.sampled_from([0, 1]), account=accounts, amount=amounts)
    def blocks_are_journalled(self, process: int, account: Account, amount: Amount) -> None:
        used = {account: amount}
        asyncio.run(self.database.write(self.tallies[process].ledger.adding(used)))
        self.written.append((account, amount, self.day))

    @rule(process=st.sampled_from([0, 1]))
    def it_is_written(self, process: int) -> None:
        assert asyncio.run(self.tallies[process].flush())
        self.written += [(a, amount, self.day) for a, amount, _ in self.gathered[process]]
        self.gathered[process] = []

    @rule(process=st.sampled_from([0, 1]))
    def a_process_is_killed(self, process: int) -> None:
        self.tallies[process] = Tally(self.database)
        self.gathered[process] = []

    @rule(day=st.sampled_from(DAYS))
    def time_goes_on(self, day: str) -> None:
        self.day = max(day, self.day)

    @precondition(lambda self: self.day >= "2026-11")
    @rule()
    def october_is_folded(self) -> None:
        with self.database.engine.begin() as connection:
            for month in unfolded(connection, "2026-11"):
                fold(connection, month)
        self.written = [
            (replace(account, issuer="", subject=""), amount, "2026-10-01")
            if day < "2026-11"
            else (account, amount, day)
            for account, amount, day in self.written
        ]

    @invariant()
    def all_totals_are_exact(self) -> None:
        span = Span("2026-11-01", "2026-11-28")
        with self.database.engine.connect() as connection:
            for by in NAMES:
                for asked in (Span(), span):
                    found = dict(report(connection, by, asked))
                    assert found == self.expected(by, asked)

    def expected(self, by: By, span: Span) -> dict[Names, Amount]:
        sums: dict[Names, Amount] = defaultdict(Amount)
        for account, amount, day in self.written:
            if span.since <= day <= span.until:
                for names in names_of(account, by, day):
                    sums[names] += amount
        return dict(sums)


Use.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestUse = Use.TestCase


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


ANN = Account(ISSUER, "ann", frozenset({VO, LAB}), "nuclei", "1")
BOB = Account(ISSUER, "=bob()", frozenset())


def test_sums_are_the_same_on_both_databases_and_larger_than_32_bits(database: Database) -> None:
    async def check() -> None:
        for process in (Ledger(), Ledger()):
            for _ in range(2):
                used = {ANN: Amount(1, 2**33, 2_500_000, 5, 7), BOB: Amount(bytes_up=2**40)}
                await database.write(process.adding(used))
        lines = await database.read(lambda c: report(c, "group", Span()))
        whole = Amount(4, 2**35, 10_000_000, 20, 28)
        assert lines == [(("",), Amount(bytes_up=2**42)), ((VO,), whole), ((LAB,), whole)]
        month = ledgers.today()[:7]
        own = await database.read(lambda c: own_report(c, ISSUER, "ann", Span()))
        assert own == [((month, "nuclei", "1"), whole)]

    asyncio.run(check())


def test_what_cannot_be_written_now_is_kept_for_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: Any, **__: Any) -> None:  # noqa: ANN401 # as it is called
        raise OperationalError("insert", {}, Exception("the database is away"))

    async def check() -> None:
        tally = Tally(database)
        tally.add(ANN, Amount(tiles=1))
        with monkeypatch.context() as patch:
            patch.setattr(database.writer, "write", refused)
            assert not await tally.flush()
            tally.add(ANN, Amount(tiles=2))
        assert await tally.flush()
        lines = await database.read(lambda c: report(c, "person", Span()))
        assert lines == [((ISSUER, "ann"), Amount(tiles=3))]

    asyncio.run(check())


def test_what_is_counted_is_written_by_itself_and_the_rest_at_the_end(database: Database) -> None:
    async def people() -> list[Names]:
        return [names for names, _ in await database.read(lambda c: report(c, "person", Span()))]

    async def check() -> None:
        tally = Tally(database)
        tally.start()
        tally.add(ANN, Amount(tiles=1))
        for _ in range(3000):
            if await people():
                break
            await asyncio.sleep(0.01)
        tally.add(BOB, Amount(tiles=1))
        await tally.stop()
        assert len(await people()) == 2

    asyncio.run(check())


def usage(folder: Path, database_url: str, *words: str) -> str:
    """Ask what an admin asks."""
    config = folder / "backend.toml"
    config.write_text(f'data_dir = "{folder}"\ndatabase_url = "{database_url}"')
    done = CliRunner().invoke(app, ["usage", *words, "--config", str(config)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_admin_asks_by_person_group_model_and_month(
    tmp_path: Path, database_url: str, database: Database
) -> None:
    assert "Nothing was used yet" in usage(tmp_path, database_url)
    used = {ANN: Amount(1, 1000, 2_500_000, 5, 7), BOB: Amount(bytes_up=9)}
    asyncio.run(database.write(Ledger().adding(used)))
    shown = usage(tmp_path, database_url)
    assert [word in shown for word in ("ann", "=bob()", "2.500")] == [True] * 3
    rows = {
        by: [*csv.reader(io.StringIO(usage(tmp_path, database_url, "--by", by, "--csv")))]
        for by in NAMES
    }
    figures = ["tiles", "voxels", "engine_s", "bytes_up", "bytes_down"]
    assert rows["person"] == [
        ["issuer", "subject", *figures],
        [ISSUER, "'=bob()", "0", "0", "0.000", "9", "0"],  # no formula in a spreadsheet
        [ISSUER, "ann", "1", "1000", "2.500", "5", "7"],
    ]
    assert [row[0] for row in rows["group"][1:]] == ["", VO, LAB]
    assert [row[:2] for row in rows["model"][1:]] == [["", ""], ["nuclei", "1"]]
    assert rows["month"][1][1:] == ["1", "1000", "2.500", "14", "7"]
    later = usage(tmp_path, database_url, "--since", "2999-01-01", "--csv")
    assert len(later.splitlines()) == 1
    assert usage(tmp_path, database_url, "--until", "2000-01-01", "--csv") == later
