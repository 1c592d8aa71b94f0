"""Old months of the ledger name nobody any more, and all sums stay."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hmz_backend.audit import trail
from hmz_backend.database.access import Database
from hmz_backend.database.tables import UsageRow
from hmz_backend.settings import load_settings
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.usage.amount import Account, Amount
from hmz_backend.usage.folding import Folding, first_named
from hmz_backend.usage.ledger import Ledger
from hmz_backend.usage.report import By, Names, Span, own_report, report

ISSUER = "https://login.example.de"
VO, LAB = "urn:geant:helmholtz.de:group:Imaging", "urn:geant:helmholtz.de:group:Lab"
ANN = Account(ISSUER, "ann", frozenset({VO, LAB}), "nuclei", "1")
BOB = Account(ISSUER, "bob", frozenset({VO}), "nuclei", "2")
EVE = Account(ISSUER, "eve", frozenset())


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database.open(database_url)
    yield opened
    opened.close()


def use(database: Database, day: str) -> None:
    with database.engine.begin() as connection:
        for process in (Ledger(), Ledger()):
            for tiles, account in enumerate((ANN, BOB, EVE), start=1):
                process.put(connection, account, Amount(tiles, 2**40, 7, 8, 9), day)


def sums(database: Database, by: By, span: Span = Span()) -> dict[Names, Amount]:  # noqa: B008 # frozen
    with database.engine.connect() as connection:
        return dict(report(connection, by, span))


def folded(database: Database, months: int = 1, day: str = "2026-11-28") -> None:
    asyncio.run(Folding(database, months, lambda: day).sweep())


def test_only_sums_by_person_change(database: Database) -> None:
    for day in ("2026-08-31", "2026-09-01", "2026-09-30", "2026-10-01", "2026-11-28"):
        use(database, day)
    kinds: tuple[By, ...] = ("group", "model", "month")
    before = {by: sums(database, by) for by in kinds}
    everybody = sum(sums(database, "person").values(), Amount())
    folded(database)
    assert {by: sums(database, by) for by in kinds} == before
    by_person = sums(database, "person")
    assert by_person[ISSUER, "ann"].tiles == 4  # October and November, by two processes
    assert by_person["", ""].tiles == 3 * 2 * (1 + 2 + 3)
    assert sum(by_person.values(), Amount()) == everybody
    with database.engine.connect() as connection:
        named = connection.execute(select(UsageRow.day).where(UsageRow.subject != "")).scalars()
        assert min(named) == "2026-10-01"
        own = own_report(connection, ISSUER, "ann", Span())
    assert [names[0] for names, _ in own] == ["2026-10", "2026-11"]
    assert sums(database, "month", Span("2026-09-01", "2026-09-01"))["2026-09",].tiles == 24


def test_folding_twice_changes_nothing_and_each_month_has_one_record(database: Database) -> None:
    use(database, "2026-01-15")
    use(database, "2026-02-15")
    for _ in range(2):
        folded(database)
    assert sums(database, "month")["2026-02",].tiles == 12
    with database.engine.connect() as connection:
        told = [record.document() for record in trail.records(connection)]
    assert [(said["what"], said["thing"], said["credential"]) for said in told] == [
        ("usage.folded", "2026-01", "backend"),
        ("usage.folded", "2026-02", "backend"),
    ]


def test_what_comes_late_for_a_folded_month_is_added_to_it(database: Database) -> None:
    use(database, "2026-01-15")
    folded(database)
    use(database, "2026-01-31")
    folded(database)
    assert sums(database, "person") == {("", ""): sums(database, "month")["2026-01",]}
    assert sums(database, "month")["2026-01",].tiles == 24


@pytest.mark.parametrize(
    ("day", "months", "first"),
    [
        ("2026-11-28", 1, "2026-10"),
        ("2026-01-01", 1, "2025-12"),
        ("2026-12-31", 12, "2025-12"),
        ("2026-03-15", 27, "2023-12"),
    ],
)
def test_persons_are_named_for_whole_months(day: str, months: int, first: str) -> None:
    assert first_named(day, months) == first


def test_a_backend_folds_by_itself_only_if_it_is_told_to(
    tmp_path: Path, database_url: str, database: Database
) -> None:
    use(database, "2020-01-15")
    assert load_settings().ledger_names_months == 0
    for months, people in ((0, 3), (1, 1)):
        changes = {"database_url": database_url, "ledger_names_months": months}
        with LiveBackend(tmp_path / "data", FakeEngine(MODELS), CARDS, changes):
            wait_until(lambda people=people: len(sums(database, "person")) == people)
