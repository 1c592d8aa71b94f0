import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from hmz_backend.database.access import Database
from hmz_backend.database.connection import open_database
from hmz_backend.database.tables import TokenRow
from hmz_backend.identity.api_token import MOST_TOKENS, ApiTokens
from hmz_backend.identity.protocol import Credential, Identity, Principal
from hmz_backend.testing.cards import CARDS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.identity_contract import IdentityContract
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.named_people import ISSUER, NamedPeople, shows
from napari_hmz.errors import NotFound, NotSignedIn, RequestError
from napari_hmz.schema import Me, NewToken, TokenRequest, wire

GROUPS = frozenset({"urn:geant:helmholtz.de:group:Imaging#login.example.de"})
ANN = Principal(ISSUER, "ann", GROUPS, frozenset({"user", "admin"}), name="Ann")
BOB = Principal(ISSUER, "bob")
NIGHTLY = TokenRequest(name="nightly")


class Calendar:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def tokens(database_url: str, calendar: Calendar) -> Iterator[ApiTokens]:
    database = Database.open(database_url)
    yield ApiTokens(database, life_days=365, groups_days=30, now=calendar)
    database.close()


def asked(tokens: ApiTokens, token: str) -> Principal | None:
    tokens._known.forget()  # as if a second had passed
    return asyncio.run(tokens.identify(Credential(token)))


class TestApiTokens(IdentityContract):
    @pytest.fixture(autouse=True)
    def _made(self, tokens: ApiTokens) -> None:
        self.tokens = tokens
        self.token = asyncio.run(tokens.create(ANN, NIGHTLY)).token

    def made(self) -> Identity:
        self.tokens._known.forget()
        return self.tokens

    def good(self) -> Credential:
        return Credential(self.token)

    def foreign(self) -> Credential:
        return Credential("hmz-of-another-kind")


def test_a_token_acts_for_its_owner_without_further_roles(tokens: ApiTokens) -> None:
    made = asyncio.run(tokens.create(ANN, TokenRequest(name="look", scopes=("read",))))
    found = asked(tokens, made.token)
    assert found is not None
    assert (found.issuer, found.subject, found.groups) == (ISSUER, "ann", GROUPS)
    assert found.roles == {"user"}, "a token that leaks must not make anyone an admin"
    assert found.scopes == {"read"}
    assert found.credential == "token"


def test_the_token_is_not_kept(tokens: ApiTokens, database_url: str) -> None:
    made = asyncio.run(tokens.create(ANN, NIGHTLY))
    secret = made.token.split("_", 2)[2]
    engine = open_database(database_url)
    with engine.connect() as connection:
        (row,) = connection.execute(select(TokenRow.__table__)).all()
    engine.dispose()
    assert secret not in repr(tuple(row))
    assert made.id in made.token


def test_a_wrong_secret_an_unknown_id_and_another_form_open_nothing(tokens: ApiTokens) -> None:
    token = asyncio.run(tokens.create(ANN, NIGHTLY)).token
    other = asyncio.run(tokens.create(BOB, NIGHTLY)).token
    swapped = token[:20] + other[20:]
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), f"hmz_{'0' * 16}_{'x' * 43}"):
        with pytest.raises(NotSignedIn):
            asked(tokens, wrong)
    with pytest.raises(NotSignedIn):
        asked(tokens, swapped)
    assert asked(tokens, token + "x") is None
    assert asked(tokens, token.upper()) is None


def test_it_expires(tokens: ApiTokens, calendar: Calendar) -> None:
    made = asyncio.run(tokens.create(ANN, TokenRequest(name="short", days=2)))
    calendar.now += timedelta(days=2, seconds=-1)
    assert asked(tokens, made.token)
    calendar.now += timedelta(seconds=1)
    with pytest.raises(NotSignedIn, match="expired"):
        asked(tokens, made.token)
    assert asyncio.run(tokens.listing(ANN)) == []


def test_groups_are_believed_for_a_while_only(tokens: ApiTokens, calendar: Calendar) -> None:
    token = asyncio.run(tokens.create(ANN, NIGHTLY)).token
    calendar.now += timedelta(days=31)  # in which Ann was not here: who knows where she is now
    found = asked(tokens, token)
    assert found is not None
    assert found.groups == frozenset()


def test_only_the_owner_lists_and_revokes(tokens: ApiTokens) -> None:
    made = asyncio.run(tokens.create(ANN, NIGHTLY))
    assert [one.id for one in asyncio.run(tokens.listing(ANN))] == [made.id]
    assert asyncio.run(tokens.listing(BOB)) == []
    with pytest.raises(NotFound):
        asyncio.run(tokens.revoke(BOB, made.id))
    assert asked(tokens, made.token)
    asyncio.run(tokens.revoke(ANN, made.id))
    with pytest.raises(NotSignedIn, match="revoked"):
        asyncio.run(tokens.identify(Credential(made.token)))


def test_its_use_is_noted(tokens: ApiTokens, calendar: Calendar) -> None:
    made = asyncio.run(tokens.create(ANN, NIGHTLY))
    assert asyncio.run(tokens.listing(ANN))[0].used_at is None
    assert asked(tokens, made.token)
    first = asyncio.run(tokens.listing(ANN))[0].used_at
    calendar.now += timedelta(hours=1)
    assert asked(tokens, made.token)
    assert first is not None
    assert (asyncio.run(tokens.listing(ANN))[0].used_at or "") > first


def test_there_are_bounds(tokens: ApiTokens) -> None:
    with pytest.raises(RequestError, match="365"):
        asyncio.run(tokens.create(ANN, TokenRequest(name="for ever", days=366)))

    async def many() -> None:
        for _ in range(MOST_TOKENS):
            await tokens.create(BOB, NIGHTLY)

    asyncio.run(many())
    with pytest.raises(RequestError, match=str(MOST_TOKENS)):
        asyncio.run(tokens.create(BOB, NIGHTLY))


@pytest.fixture
def live(tmp_path: Path, engine: FakeEngine) -> Iterator[LiveBackend]:
    identities = (NamedPeople({"ann": GROUPS}),)
    with LiveBackend(tmp_path / "data", engine, CARDS, identities=identities) as live:
        yield live


@pytest.fixture
def http(live: LiveBackend) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live.url, timeout=30) as http:
        yield http


def made(http: httpx.Client, owner: str, **more: Any) -> NewToken:  # noqa: ANN401 # JSON
    answer = http.post(wire.TOKENS, headers=shows(owner), json={"name": "n", **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return NewToken.model_validate_json(answer.content)


def code(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.json()['code']}"


def test_a_client_can_tell_who_it_is(http: httpx.Client) -> None:
    me = Me.model_validate_json(http.get(wire.ME, headers=shows("ann")).content)
    assert (me.issuer, me.subject, me.name) == (ISSUER, "ann", "Ann")
    assert me.groups == tuple(GROUPS)
    assert me.scopes == ("read", "run", "tokens")
    token = made(http, "ann", scopes=["read"]).token
    me = Me.model_validate_json(http.get(wire.ME, headers=shows(token)).content)
    assert (me.subject, me.credential, me.scopes) == ("ann", "token", ("read",))
    assert me.groups == tuple(GROUPS)
    assert code(http.get(wire.ME)) == "401 not-signed-in"


def test_a_token_does_what_its_scopes_say(http: httpx.Client) -> None:
    look, both = made(http, "ann", scopes=["read"]).token, made(http, "ann").token
    for token in (look, both):
        assert http.get(wire.RUNS, headers=shows(token)).status_code == 200
        for method, path in (
            ("GET", wire.TOKENS),
            ("POST", wire.TOKENS),
            ("DELETE", wire.token("x")),
        ):
            answer = http.request(method, path, headers=shows(token), json={"name": "more"})
            assert code(answer) == "403 scope-missing"
    body = {"model": "copy", "volume": "x"}
    assert code(http.post(wire.RUNS, headers=shows(look), json=body)) == "403 scope-missing"
    assert code(http.post(wire.RUNS, headers=shows(both), json=body)) == "404 not-found"
    chunk = wire.chunk("nothing", "c/0")  # the short way for chunks asks the same
    assert code(http.put(chunk, headers=shows(look), content=b"x")) == "403 scope-missing"
    assert code(http.put(chunk, headers=shows(both), content=b"x")) == "404 not-found"


def test_a_token_that_is_taken_back_stops_at_once(http: httpx.Client) -> None:
    new = made(http, "ann")
    assert http.get(wire.RUNS, headers=shows(new.token)).status_code == 200
    assert code(http.delete(wire.token(new.id), headers=shows("bob"))) == "404 not-found"
    assert http.delete(wire.token(new.id), headers=shows("ann")).status_code == 204
    assert code(http.get(wire.RUNS, headers=shows(new.token))) == "401 not-signed-in"
    listed = http.get(wire.TOKENS, headers=shows("ann"))
    assert listed.json() == []
    assert new.token not in listed.text


def test_what_another_process_takes_back_stops_within_a_second(
    live: LiveBackend, http: httpx.Client
) -> None:
    new = made(http, "ann")
    assert http.get(wire.RUNS, headers=shows(new.token)).status_code == 200
    database = Database.open(f"sqlite:///{live.folder / 'backend.sqlite'}")
    other = ApiTokens(database, life_days=365, groups_days=30)
    asyncio.run(other.revoke(Principal(ISSUER, "ann"), new.id))
    database.close()
    wait_until(lambda: http.get(wire.RUNS, headers=shows(new.token)).status_code == 401)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "n", "scopes": []},
        {"name": "n", "scopes": ["tokens"]},
        {"name": "n", "scopes": ["admin"]},
        {"name": "n", "days": 0},
        {"name": "n", "days": 4000},
    ],
)
def test_what_cannot_be_made(http: httpx.Client, body: dict[str, object]) -> None:
    assert code(http.post(wire.TOKENS, headers=shows("ann"), json=body)) == "422 request"


def test_a_token_looks_like_one() -> None:
    """Scanners for secrets find it by its form."""
    document = Path(__file__).parents[2] / "client" / "golden" / "new-token.json"
    token = NewToken.model_validate_json(document.read_text()).token
    assert re.fullmatch(r"hmz_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", token)
