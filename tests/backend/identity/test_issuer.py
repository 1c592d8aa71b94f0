"""Tokens of an issuer: whom they name, and which claims are refused."""

import pytest

from hmz_backend.identity.protocol import Credential, Identity
from hmz_backend.testing.identity_contract import IdentityContract
from hmz_backend.testing.paper_issuer import GROUP, NOW_S, URL, PaperIssuer
from napari_hmz.errors import NotSignedIn

from .conftest import SECRET, ask, identity


class TestSignedToken(IdentityContract):
    paper = PaperIssuer()

    def made(self) -> Identity:
        return identity(self.paper)

    def good(self) -> Credential:
        return Credential(self.paper.token(self.paper.claims()))

    def foreign(self) -> Credential:
        return Credential("8f1c0e2b7a6d4e55b8a6d3e1f0a91c27")


class TestOpaqueToken(IdentityContract):
    paper = PaperIssuer(key=TestSignedToken.paper.key)

    def made(self) -> Identity:
        self.paper.introspects(active=True, **self.paper.claims())
        return identity(self.paper, check=("introspection",), **SECRET)

    def good(self) -> Credential:
        return Credential("an-opaque-token")

    def foreign(self) -> Credential:
        return Credential(self.paper.token(self.paper.claims(iss="https://other.example")))


def test_a_good_token_tells_person_groups_and_roles(paper: PaperIssuer) -> None:
    older = "urn:geant:h-df.de:group:Model Zoo:role=admin#login.example.de"
    forged = "urn:geant:helmholtz.de:group:Forged#evil.example"
    claims = paper.claims(
        iss=f"{URL}/",
        entitlements=None,
        eduperson_entitlement=[older, forged],
        preferred_username="ann.example",
    )
    roles = {"admin": {"groups": [older]}, "reviewer": {"subjects": ["someone else"]}}
    found = ask(identity(paper, roles=roles), paper.token(claims))
    assert found is not None
    assert (found.issuer, found.subject, found.name) == (URL, "ann", "ann.example")
    assert found.groups == {
        "urn:geant:helmholtz.de:group:Model%20Zoo#login.example.de",
        "urn:geant:helmholtz.de:group:Model%20Zoo:role=admin#login.example.de",
    }
    assert found.roles == {"user", "admin"}


def test_both_claims_count_and_one_text_is_a_list_of_one(paper: PaperIssuer) -> None:
    other = "urn:geant:helmholtz.de:group:Other#login.example.de"
    claims = paper.claims(entitlements=GROUP, eduperson_entitlement=[other])
    found = ask(identity(paper), paper.token(claims))
    assert found is not None
    assert {GROUP, other} < found.groups


GOOD_CLAIMS: list[dict[str, object]] = [
    {"aud": ["other", "hmz"]},
    {"exp": NOW_S + 0.5},
    {"exp": NOW_S - 59},  # within the leeway
    {"iat": NOW_S + 59},
    {"nbf": NOW_S - 5},
    {"iss": f"{URL}/"},
    {"sub": "x" * 255},
]


@pytest.mark.parametrize("changes", GOOD_CLAIMS, ids=str)
def test_tokens_that_are_accepted(issued: PaperIssuer, changes: dict[str, object]) -> None:
    assert ask(identity(issued), issued.token(issued.claims(**changes)))


BAD_CLAIMS: list[dict[str, object]] = [
    {"exp": NOW_S - 61},
    {"exp": None},
    {"exp": "tomorrow"},
    {"exp": True},
    {"exp": float("nan")},
    {"iat": NOW_S + 61},
    {"iat": None},
    {"nbf": NOW_S + 61},
    {"nbf": [NOW_S]},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "x" * 256},
    {"sub": "ann\n"},
    {"aud": None},
    {"aud": "other"},
    {"aud": ["other", 7]},
    {"aud": {"hmz": 1}},
    {"client_id": None},  # an ID token
    {"at_hash": "x"},  # another one
    {"typ": "ID"},
    {"typ": "Refresh"},
    {"events": {}},
    {"cnf": {"jkt": "x"}},  # bound to a key
]


@pytest.mark.parametrize("changes", BAD_CLAIMS, ids=str)
def test_claims_that_are_refused(issued: PaperIssuer, changes: dict[str, object]) -> None:
    with pytest.raises(NotSignedIn):
        ask(identity(issued), issued.token(issued.claims(**changes)))


@pytest.mark.parametrize("issuer", ["https://other.example", f"{URL}//", f"{URL}x", "", None, 7])
def test_a_token_of_another_issuer_is_left_to_others(issued: PaperIssuer, issuer: object) -> None:
    issued.inquiry.asked.clear()
    assert ask(identity(issued), issued.token(issued.claims(iss=issuer))) is None
    every = identity(issued, check=("keys", "introspection", "userinfo"), **SECRET)
    assert ask(every, issued.token(issued.claims(iss=issuer))) is None
    assert not issued.inquiry.asked


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"client_id": "desktop"}, True),
        ({"client_id": None, "azp": "desktop", "scope": "openid"}, True),
        ({"client_id": "other"}, False),
        ({"client_id": None, "scope": "openid"}, False),
        ({"aud": "other"}, False),  # both must fit where both are set
    ],
)
def test_clients_are_held_against_a_list(
    issued: PaperIssuer, claims: dict[str, object], accepted: bool
) -> None:
    known = identity(issued, clients=("desktop",))
    token = issued.token(issued.claims(**claims))
    if accepted:
        assert ask(known, token)
    else:
        with pytest.raises(NotSignedIn, match="another service"):
            ask(known, token)


def test_hundreds_of_groups_fit_into_a_token(paper: PaperIssuer) -> None:
    many = [f"urn:geant:helmholtz.de:group:Centre {n}:Sub#login.example.de" for n in range(900)]
    token = paper.token(paper.claims(entitlements=many))
    assert len(token) > 60_000
    found = ask(identity(paper), token)
    assert found is not None
    assert len(found.groups) == 1800
