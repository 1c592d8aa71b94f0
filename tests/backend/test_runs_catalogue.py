"""What the backend tells of its models beside their cards: how fast they are here."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from hmz_backend.access.models import ModelRules
from hmz_backend.database.access import Database
from hmz_backend.identity.protocol import Principal
from hmz_backend.planning.estimate import work_share
from hmz_backend.runs import records
from hmz_backend.runs.catalogue import Catalogue
from hmz_backend.runs.lookout import Lookout
from hmz_backend.testing.cards import CARDS
from hmz_backend.testing.live_backend import FakePackages
from hmz_backend.testing.user import User
from napari_hmz.schema import ModelCard, ParameterSpec, RescaleRule, wire

PLAIN = CARDS[0]
RESCALED = PLAIN.model_copy(
    update={
        "id": "rescaled",
        "parameters": {"diameter": ParameterSpec(type="number", default=50.0)},
        "tile": PLAIN.tile.model_copy(
            update={"rescale": RescaleRule(parameter="diameter", reference=25, axes=("y", "x"))}
        ),
    }
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'db'}")
    yield opened
    opened.close()


def told(database: Database, card: ModelCard) -> ModelCard:
    async def ask() -> ModelCard:
        write = partial(
            records.add_speed, model=card.id, version=card.version, voxels=3000, seconds=2.0
        )
        await database.write(write)
        with ThreadPoolExecutor(1) as threads:
            catalogue = Catalogue(Lookout(FakePackages([card]), threads, database), ModelRules())
            (found,) = await catalogue.with_speeds(
                await catalogue.search(Principal("local", "owner"))
            )
        return found

    return asyncio.run(ask())


def test_a_card_tells_the_speed_that_runs_have_taught(database: Database) -> None:
    assert told(database, PLAIN).voxels_per_s_here == pytest.approx(1500)


def test_the_speed_is_that_at_the_defaults(database: Database) -> None:
    share = work_share(RESCALED.tile, {"diameter": 50.0})
    assert share < 1, "things are twice as large as the network wants them"
    assert told(database, RESCALED).voxels_per_s_here == pytest.approx(1500 / share)


def test_a_model_that_has_not_run_tells_none(user: User) -> None:
    for path in (wire.MODELS, wire.model(PLAIN.id), wire.model(PLAIN.id, PLAIN.version)):
        assert '"voxels_per_s_here":null' in user.http.get(path).text
