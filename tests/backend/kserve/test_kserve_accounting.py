"""Each call of `/v2` is in the trail, and in the ledger if the engine has computed something."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hmz_backend.audit import trail
from hmz_backend.audit.summary import Summary
from hmz_backend.database.access import Database
from hmz_backend.dispatch.engine_clock import Stay
from hmz_backend.identity.protocol import Principal
from hmz_backend.kserve.accounting import Accounting, Call
from hmz_backend.testing.cards import CARDS
from hmz_backend.usage.amount import Amount
from hmz_backend.usage.report import Span, report
from hmz_backend.usage.tally import Tally
from napari_hmz.errors import EngineBusy

ANN = Principal("https://login.example.de", "ann", credential="token")
CARD = CARDS[0]


def computes(call: Call) -> None:
    call.stay = Stay(0.25)
    call.answered(voxels=1000, bytes_up=11, bytes_down=12)


def is_busy(_: Call) -> None:
    raise EngineBusy("Too much to do.")


def is_left(call: Call) -> None:
    computes(call)
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("happens", "outcome", "tiles"),
    [(computes, "ok", 1), (is_busy, EngineBusy.code, 0), (is_left, "given-up", 1)],
)
def test_a_call_is_written_down_however_it_ends(
    tmp_path: Path, happens: Callable[[Call], None], outcome: str, tiles: int
) -> None:
    async def check() -> None:
        database = Database.open(f"sqlite:///{tmp_path / 'test.sqlite'}")
        tally, summary = Tally(database), Summary(database)
        with (
            contextlib.suppress(EngineBusy, asyncio.CancelledError),
            Accounting(tally, summary).of(ANN, CARD) as call,
        ):
            happens(call)
        await tally.flush()
        await summary.flush()
        (record,) = await database.read(lambda c: [*trail.records(c)])
        said = record.document()
        assert (said["what"], said["subject"]) == ("model.inferred", "ann")
        assert said["outcome"] == outcome
        assert (said["model"], said["version"]) == (CARD.id, CARD.version)
        lines = await database.read(lambda c: report(c, "model", Span()))
        used = Amount(1, 1000, 250_000, 11, 12)
        assert lines == ([((CARD.id, CARD.version), used)] if tiles else [])
        database.close()

    asyncio.run(check())
