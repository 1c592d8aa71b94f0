"""What people do with a live backend stands in the ledger, exactly."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import Connection, event, select
from typer.testing import CliRunner

from hmz_backend.database.connection import open_database
from hmz_backend.database.tables import BlockRow, RunRow
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.named_people import ISSUER, NamedPeople, shows
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import encoded_chunks
from hmz_backend.usage.amount import Amount
from hmz_backend.usage.report import Span, report
from napari_hmz.cli import app as hmz
from napari_hmz.schema import Usage, Used, wire

IMAGE = np.random.default_rng(5).integers(1, 256, (20, 50, 44)).astype("uint8")
CHUNKS = (8, 16, 16)
SENT = sum(map(len, encoded_chunks(IMAGE, CHUNKS).values()))
VO = "urn:geant:helmholtz.de:group:Imaging"


def backend(folder: Path, database_url: str, delay_s: float = 0.0) -> LiveBackend:
    people = (NamedPeople({"ann": frozenset({VO})}),)
    engine = FakeEngine(MODELS, delay_s=delay_s)
    return LiveBackend(folder, engine, CARDS, {"database_url": database_url}, people)


@pytest.fixture
def live(tmp_path: Path, database_url: str) -> Iterator[LiveBackend]:
    with backend(tmp_path / "data", database_url, 0.02) as live:
        yield live


def user(live: LiveBackend, name: str) -> User:
    return User(httpx.Client(base_url=live.url, headers=shows(name), timeout=60), IMAGE, CHUNKS)


def used(http: httpx.Client) -> list[Used]:
    answer = http.get(wire.USAGE)
    return list(Usage.model_validate_json(answer.content).used)


def test_a_run_its_image_and_its_results_are_counted_once(live: LiveBackend) -> None:
    ann, bob = user(live, "ann"), user(live, "bob")
    with ann.http, bob.http:
        ann.announce()
        first = ann.start("components")
        ann.finish(first.id)
        second = ann.start("copy")  # sends nothing again
        ann.finish(second.id)
        body = ann.http.get(wire.output(second.id, "out", "c/0/0/0")).content
        wait_until(lambda: len(used(ann.http)) == 3 and used(ann.http)[2].bytes_down)
        nothing, components, copy = used(ann.http)
        assert (nothing.model, nothing.bytes_up, nothing.voxels) == ("", SENT, 0)
        for line, run in ((components, first), (copy, second)):
            assert (line.model, line.version) == (run.provenance.model, run.provenance.version)
            assert (line.tiles, line.voxels) == (run.plan.blocks, run.plan.voxels)
            assert line.engine_s >= 0.02 * run.plan.blocks / 2  # two tiles at two instances
        assert copy.bytes_down == len(body)
        assert used(bob.http) == []
        later = ann.http.get(wire.USAGE, params={"since": "2999-01-01"})
        assert Usage.model_validate_json(later.content).used == ()
        assert ann.http.get(wire.USAGE, params={"since": "yesterday"}).status_code == 422
    with live.app.state.services.usage.database.engine.connect() as connection:
        ((group, whole),) = report(connection, "group", Span())
        assert group == (VO,)
        assert whole.voxels == first.plan.voxels + second.plan.voxels


def test_people_are_told_their_own_use(live: LiveBackend) -> None:
    def told(*words: str) -> str:
        words = ("usage", "--url", live.url, *words)
        done = CliRunner().invoke(hmz, words, env={"HMZ_TOKEN": "ann"}, catch_exceptions=False)
        return done.stdout

    assert "used nothing yet" in told()
    ann = user(live, "ann")
    with ann.http:
        ann.announce()
        run = ann.start("copy")
        ann.finish(run.id)
        wait_until(lambda: len(used(ann.http)) == 2)
    assert "copy 1.0.0" in told()
    assert "(images sent)" in told()
    lines = Usage.model_validate_json(told("--json")).used
    assert sum(line.voxels for line in lines) == run.plan.voxels


def test_at_every_commit_the_ledger_says_what_the_journal_says(
    tmp_path: Path, database_url: str
) -> None:
    """So a kill at any moment loses nothing, and counts nothing twice."""
    seen = set[int]()
    with backend(tmp_path / "data", database_url) as live:
        engine = live.app.state.services.usage.database.engine

        def look(connection: Connection) -> None:
            """Compare inside of the transaction, right before it is committed."""
            if connection.execute(select(RunRow.id)).first() is None:
                return
            tiles = sum((line[1] for line in report(connection, "model", Span())), Amount()).tiles
            rows = connection.execute(select(BlockRow.block).distinct()).scalars().all()
            assert tiles == len(rows)
            seen.add(tiles)

        event.listen(engine, "commit", look)
        ann = user(live, "ann")
        with ann.http:
            ann.announce()
            run = ann.start("copy")
            assert ann.finish(run.id).state == "done"
        event.remove(engine, "commit", look)
    assert len(seen) > 2
    assert max(seen) == run.plan.blocks


def test_a_run_that_is_taken_up_again_counts_what_is_left(
    tmp_path: Path, database_url: str
) -> None:
    with backend(tmp_path / "data", database_url, 0.05) as live:
        ann = user(live, "ann")
        with ann.http:
            ann.announce()
            run = ann.start("components")
            with ann.feeding():
                wait_until(lambda: ann.get(run.id).progress.blocks_done > 2)
    with backend(tmp_path / "data", database_url) as live:
        again = user(live, "ann")
        with again.http:
            again.volume = ann.volume
            assert again.finish(run.id).state == "done"
    opened = open_database(database_url)
    with opened.connect() as connection:
        lines = dict(report(connection, "model", Span()))
        assert lines["components", "1.0.0"].voxels == run.plan.voxels
        assert lines["components", "1.0.0"].tiles == run.plan.blocks
        people = dict(report(connection, "person", Span()))
        assert people.keys() == {(ISSUER, "ann")}
        assert people[ISSUER, "ann"].voxels == run.plan.voxels
    opened.dispose()
