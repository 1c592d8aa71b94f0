"""The backend asks a real OpenID Connect provider (npm `oidc-provider`) who is calling."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from hmz_backend.identity.inquiry import Inquiry
from hmz_backend.identity.issuer import IssuerTokens
from hmz_backend.identity.protocol import Credential, Identity
from hmz_backend.issuers import IssuerSettings
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.identity_contract import IdentityContract
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.paper_issuer import Hands, unsigned
from napari_hmz.errors import NotSignedIn
from napari_hmz.schema import Problem, wire
from napari_hmz.testing.issuer import API, BACKEND, DESKTOP, Issuer

GROUP = "urn:geant:helmholtz.de:group:Imaging:Pilots#login.helmholtz.de"
ABOVE = "urn:geant:helmholtz.de:group:Imaging#login.helmholtz.de"


def identity(issuer: Issuer, **changes: object) -> IssuerTokens:
    told = {
        "url": issuer.url,
        "audiences": (API,),
        "authorities": ("login.helmholtz.de",),
        "client_id": BACKEND[0],
        "client_secret": BACKEND[1],
        **changes,
    }
    return IssuerTokens(IssuerSettings.model_validate(told), Inquiry())


def opaque(issuer: Issuer, **changes: object) -> IssuerTokens:
    way = {"audiences": (), "clients": (DESKTOP,), "check": ("introspection",), **changes}
    return identity(issuer, **way)


@contextmanager
def served(folder: Path, *identities: Identity) -> Iterator[httpx.Client]:
    with (
        LiveBackend(folder, FakeEngine(MODELS), CARDS, identities=identities) as live,
        httpx.Client(base_url=live.url, timeout=30) as http,
    ):
        yield http


def asked(http: httpx.Client, token: str) -> httpx.Response:
    return http.get(wire.MODELS, headers={"Authorization": f"Bearer {token}"})


class OfRealIssuer(IdentityContract):
    @pytest.fixture(autouse=True)
    def _at(self, issuer: Issuer) -> None:
        issuer.account("ida", GROUP)
        self.issuer = issuer

    def foreign(self) -> Credential:
        return Credential("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL290aGVyIn0.c2ln")


class TestSigned(OfRealIssuer):
    def made(self) -> Identity:
        return identity(self.issuer)

    def good(self) -> Credential:
        return Credential(self.issuer.tokens("ida").access)


class TestOpaque(OfRealIssuer):
    def made(self) -> Identity:
        return opaque(self.issuer)

    def good(self) -> Credential:
        return Credential(self.issuer.tokens("ida", resource=None).access)


@pytest.mark.parametrize("resource", [API, "urn:test:es256", "urn:test:client", None])
def test_tokens_of_every_kind_name_the_same_person(
    tmp_path: Path, issuer: Issuer, resource: str | None
) -> None:
    issuer.account("ann", GROUP, email="ann@example.org")
    token = Credential(issuer.tokens("ann", resource=resource).access)
    audiences = (API, "urn:test:es256", DESKTOP)
    both = identity(issuer, audiences=audiences, check=("keys", "introspection"))
    if resource is None:  # it names the client alone
        both = opaque(issuer, check=("keys", "introspection"))
    found = asyncio.run(both.identify(token))
    assert found is not None
    assert (found.issuer, found.subject) == (issuer.url, "ann")
    assert found.groups == {GROUP, ABOVE}


def test_userinfo_of_the_real_one(issuer: Issuer) -> None:
    issuer.account("una", GROUP)
    token = Credential(issuer.tokens("una", resource=None).access)
    for known in (
        opaque(issuer, check=("introspection", "userinfo")),
        opaque(issuer, clients=(), check=("userinfo",)),
    ):
        found = asyncio.run(known.identify(token))
        assert found is not None
        assert (found.subject, found.name) == ("una", "una")
        assert GROUP in found.groups
    assert asyncio.run(opaque(issuer).identify(Credential("made-up"))) is None
    alone = opaque(issuer, clients=(), check=("userinfo",))
    assert asyncio.run(alone.identify(Credential("made-up"))) is None


def test_a_refresh_token_and_an_id_token_are_no_access_tokens(issuer: Issuer) -> None:
    issuer.account("rita")
    tokens = issuer.tokens("rita", resource=None)
    assert tokens.refresh
    with pytest.raises(NotSignedIn):
        asyncio.run(opaque(issuer).identify(Credential(tokens.refresh)))
    of_desktop = identity(issuer, audiences=(DESKTOP,))
    with pytest.raises(NotSignedIn):
        asyncio.run(of_desktop.identify(Credential(tokens.identity)))


def test_a_backend_answers_people_of_the_issuer_and_nobody_else(
    tmp_path: Path, issuer: Issuer
) -> None:
    issuer.account("ben", *(f"{GROUP[:-20]}:Sub {n}#login.helmholtz.de" for n in range(400)))
    now_s = int(time.time())
    good = {"iss": issuer.url, "sub": "ben", "aud": API, "client_id": DESKTOP, "iat": now_s}
    good |= {"exp": now_s + 300}
    with served(tmp_path, identity(issuer)) as http:
        real = issuer.tokens("ben").access
        assert len(real) > 30_000
        assert asked(http, real).status_code == 200
        assert asked(http, issuer.sign(good)).status_code == 200
        for changes in (
            {"iss": "https://login.helmholtz.de/oauth2"},
            {"aud": "urn:another"},
            {"exp": now_s - 100},
            {"iat": now_s + 600},
            {"sub": ""},
        ):
            answer = asked(http, issuer.sign({**good, **changes}))
            assert answer.status_code == 401, changes
            assert Problem.model_validate_json(answer.content).code == "not-signed-in"
        assert asked(http, unsigned(good)).status_code == 401
        assert asked(http, issuer.sign(good, kid="unknown")).status_code == 401


def test_keys_may_change_while_it_runs(tmp_path: Path, own_issuer: Issuer) -> None:
    clock = Hands()
    own_issuer.account("kim", GROUP)
    inquiry = Inquiry(clock.steady_s)
    known = IssuerTokens(identity(own_issuer).settings, inquiry)
    with served(tmp_path, known) as http:
        old = own_issuer.tokens("kim").access
        assert asked(http, old).status_code == 200
        clock.passed_s += 61  # as if time had passed for what is remembered, not for the tokens
        own_issuer.rotate_keys()
        new = own_issuer.tokens("kim").access
        assert asked(http, new).status_code == 200
        assert asked(http, old).status_code == 200
        clock.passed_s += 61
        own_issuer.rotate_keys(keep=False)
        newest = own_issuer.tokens("kim").access
        assert asked(http, newest).status_code == 200
        clock.passed_s += 61
        assert asked(http, old).status_code == 401


@pytest.mark.parametrize("way", ["signed", "opaque"])
def test_an_issuer_that_stops_makes_nobody_a_stranger(
    tmp_path: Path, own_issuer: Issuer, way: str
) -> None:
    own_issuer.account("sam")
    resource = API if way == "signed" else None
    first, second = (own_issuer.tokens("sam", resource=resource).access for _ in range(2))
    known = identity(own_issuer) if way == "signed" else opaque(own_issuer)
    with served(tmp_path, known) as http:
        assert asked(http, first).status_code == 200
        own_issuer.stop()
        assert asked(http, first).status_code == 200  # remembered
        answer = asked(http, second)
        if way == "signed":  # its keys are known
            assert answer.status_code == 200
            return
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        problem = Problem.model_validate_json(answer.content)
        assert problem.code == "issuer-unavailable"
        assert second not in answer.text
        own_issuer.start()
        again = own_issuer.tokens("sam", resource=resource).access if way == "signed" else second
        wait_until(lambda: asked(http, again).status_code == 401)  # it knows nobody any more
