from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.postgres import fresh_database, postgres
from hmz_backend.testing.user import User

SHAPE = (20, 50, 44)
CHUNKS = (8, 16, 16)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(MODELS)


@pytest.fixture
def backend(tmp_path: Path, engine: FakeEngine) -> Iterator[LiveBackend]:
    with LiveBackend(tmp_path / "data", engine, CARDS) as live:
        yield live


@pytest.fixture
def user(backend: LiveBackend) -> Iterator[User]:
    image = np.random.default_rng(5).integers(0, 256, SHAPE).astype("uint8")
    with backend.client() as http:
        yield User(http, image, CHUNKS)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'deeper' / 'test.sqlite'}"
    else:
        with fresh_database(request.getfixturevalue("postgres_server")) as url:
            yield url
