import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from hmz_backend.cli.chosen_identities import choose_identities
from hmz_backend.identity.anonymous import Anonymous
from hmz_backend.identity.protocol import Credential, Identity
from hmz_backend.settings import load_settings
from hmz_backend.testing.cards import CARDS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.identity_contract import IdentityContract
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.named_people import NamedPeople, shows
from hmz_backend.testing.paper_triton import PaperTriton
from hmz_backend.testing.user import User
from hmz_backend.watch.watch import Watch
from napari_hmz.schema import AccessSpec, Me, wire

NAME = "anonymous_" + "x" * 22
OTHER = "anonymous_" + "y" * 40


class TestAnonymous(IdentityContract):
    def made(self) -> Identity:
        return Anonymous()

    def good(self) -> Credential:
        return Credential(NAME)

    def foreign(self) -> Credential:
        return Credential("a token")

    def test_nothing_at_all_is_not_its_kind(self) -> None:
        """It is: a visitor, who may look."""
        found = asyncio.run(self.made().identify(Credential()))
        assert found is not None
        assert found.scopes == {"read"}
        assert not found.roles
        assert not found.groups


@pytest.mark.parametrize("name", ["anonymous_", "anonymous_short", "anonymous_" + "x" * 129])
def test_a_name_that_could_be_guessed_is_none(name: str) -> None:
    assert asyncio.run(Anonymous().identify(Credential(name))) is None


def test_only_where_the_admin_says_so() -> None:
    from pydantic import SecretStr

    secret = SecretStr("a long secret")
    assert not any(
        isinstance(one, Anonymous) for one in choose_identities(load_settings(), secret, Watch())
    )
    opened = choose_identities(load_settings(anonymous=True), secret, Watch())
    assert isinstance(opened[-1], Anonymous), "it is the last to be asked"


@pytest.fixture
def http(tmp_path: Path, engine: FakeEngine) -> Iterator[httpx.Client]:
    identities = (NamedPeople(), Anonymous())
    with (
        LiveBackend(tmp_path, engine, CARDS, identities=identities) as live,
        httpx.Client(base_url=live.url, timeout=30) as http,
    ):
        yield http


def test_a_visitor_looks_around_and_runs_nothing(http: httpx.Client) -> None:
    assert http.get(wire.MODELS).status_code == 200
    assert Me.model_validate_json(http.get(wire.ME).content).credential == "anonymous"
    for path in (wire.RUNS, wire.VOLUMES, wire.PLANS, wire.TOKENS):
        answer = http.post(path, json={"name": "x"})
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert "HMZ_TOKEN=anonymous_" in http.post(wire.RUNS, json={}).json()["remedy"]


def test_a_visitor_may_have_a_tile_computed_where_the_model_is_public(
    tmp_path: Path, engine: FakeEngine
) -> None:
    spec = CARDS[0].inputs[0]
    tensor = {"name": f"{spec.name}_uint8", "datatype": "UINT8", "shape": [1, 4, 4, 4]}
    tile = {"inputs": [{**tensor, "data": [1] * 64}]}
    closed = CARDS[1].model_copy(update={"access": AccessSpec(public=False)})
    identities = (NamedPeople(), Anonymous())
    backend = LiveBackend(
        tmp_path, engine, [CARDS[0], closed], {}, identities, triton_http=PaperTriton()
    )
    with backend as live, httpx.Client(base_url=live.url, timeout=30) as http:
        listed = http.post(f"{wire.KSERVE}/repository/index").json()
        assert [each["name"] for each in listed] == [CARDS[0].id]
        path = f"{wire.KSERVE}/models/{{}}/infer"
        answer = http.post(path.format(CARDS[0].id), json=tile)
        assert answer.status_code == 200, answer.text
        assert http.post(path.format(closed.id), json=tile).status_code == 404


def test_who_makes_up_a_name_runs_and_is_seen_by_nobody_else(http: httpx.Client) -> None:
    image = np.random.default_rng(5).integers(0, 256, (8, 16, 16)).astype("uint8")
    http.headers.update(shows(NAME))
    user = User(http, image, (8, 16, 16))
    user.announce()
    run = user.start("copy")
    user.finish(run.id)
    for other in (shows(OTHER), {"Authorization": ""}, shows("ann")):
        assert http.get(wire.run(run.id), headers=other).status_code == 404
        assert http.get(wire.RUNS, headers=other).json() == []
    answer = http.post(wire.TOKENS, json={"name": "x"})
    assert answer.status_code == 403, "a token would outlive whoever made it"
