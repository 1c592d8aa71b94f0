"""What is asked of an issuer, by introspection, userinfo or its own description, and how often."""

import asyncio

import pytest

from hmz_backend.identity.protocol import Credential
from hmz_backend.testing.paper_issuer import GROUP, NOW_S, URL, PaperIssuer
from napari_hmz.errors import IssuerUnavailable, NotSignedIn

from .conftest import DAY_S, SECRET, ask, identity


def test_an_issuer_that_is_down_is_no_reason_to_refuse_anyone(paper: PaperIssuer) -> None:
    known = identity(paper)

    async def check() -> None:
        token = Credential(paper.token(paper.claims(exp=NOW_S + 2 * DAY_S)))
        paper.inquiry.is_down = True
        with pytest.raises(IssuerUnavailable):
            await known.identify(token)
        paper.inquiry.is_down = False
        assert await known.identify(token)
        paper.inquiry.is_down = True
        paper.hands.passed_s += 0.9 * DAY_S  # keys that are known are used for a day
        assert await known.identify(token)
        paper.hands.passed_s += 0.2 * DAY_S
        with pytest.raises(IssuerUnavailable):
            await known.identify(token)

    asyncio.run(check())


def test_many_at_once_ask_once_and_a_caller_who_leaves_takes_nobody_along(
    paper: PaperIssuer,
) -> None:
    paper.introspects(active=True, **paper.claims())
    known = identity(paper, check=("introspection",), **SECRET)

    async def check() -> None:
        first = asyncio.create_task(known.identify(Credential("opaque")))
        await asyncio.sleep(0)
        others = [asyncio.create_task(known.identify(Credential("opaque"))) for _ in range(20)]
        await asyncio.sleep(0)
        first.cancel()
        assert all(await asyncio.gather(*others))
        assert paper.inquiry.shown == ["", "opaque"]

    asyncio.run(check())


def test_what_is_known_of_a_token_is_forgotten_before_it_ends(paper: PaperIssuer) -> None:
    paper.introspects(active=True, **paper.claims(exp=NOW_S + 20))
    known = identity(paper, check=("introspection",), leeway_s=0, **SECRET)

    async def check() -> None:
        assert await known.identify(Credential("opaque"))
        paper.introspects(active=False)  # taken back
        paper.hands.passed_s += 19
        assert await known.identify(Credential("opaque"))
        paper.hands.passed_s += 2
        assert await known.identify(Credential("opaque")) is None

    asyncio.run(check())


@pytest.mark.parametrize(
    "said",
    [
        {"aud": "other"},
        {"iss": "https://other.example"},
        {"sub": None},
        {"exp": NOW_S - 61},
        {"exp": "soon"},
        {"token_type": "refresh_token"},
        {"token_type": None, "scope": "openid"},
        {"typ": "Refresh"},
    ],
    ids=str,
)
def test_what_an_issuer_says_of_an_opaque_token_is_checked(
    paper: PaperIssuer, said: dict[str, object]
) -> None:
    paper.introspects(active=True, **{**paper.claims(**said), **said})
    known = identity(paper, check=("introspection",), **SECRET)

    async def check() -> None:
        for _ in range(3):
            with pytest.raises(NotSignedIn):
                await known.identify(Credential("opaque"))
        assert len(paper.inquiry.asked) <= 2, "a refusal is remembered"

    asyncio.run(check())


@pytest.mark.parametrize("answer", [{"active": False}, {"active": "true"}, {}])
def test_a_token_that_the_issuer_does_not_know_is_left_to_others(
    paper: PaperIssuer, answer: dict[str, object]
) -> None:
    paper.introspects(**answer)
    known = identity(paper, check=("introspection",), **SECRET)
    assert ask(known, "opaque") is None


def test_userinfo_tells_the_groups_of_now(paper: PaperIssuer) -> None:
    paper.introspects(active=True, **paper.claims(entitlements=None))
    url = f"{URL}/userinfo_endpoint"
    paper.inquiry.documents[url] = {"sub": "ann", "entitlements": [GROUP], "exp": 1, "aud": "x"}
    both = identity(paper, check=("keys", "introspection", "userinfo"), **SECRET)
    for token in ("opaque", paper.token(paper.claims(entitlements=None))):
        found = ask(both, token)
        assert found is not None
        assert GROUP in found.groups
    paper.inquiry.documents[url] = {"sub": "bob", "entitlements": [GROUP]}
    for token in ("opaque2", paper.token(paper.claims(entitlements=None, jti="2"))):
        with pytest.raises(NotSignedIn, match="whose"):
            ask(both, token)


def test_userinfo_alone_is_a_check_too(paper: PaperIssuer) -> None:
    paper.inquiry.documents[f"{URL}/userinfo_endpoint"] = {"sub": "ann", "name": "Ann"}
    alone = identity(paper, audiences=(), check=("userinfo",))
    found = ask(alone, "opaque")
    assert found is not None
    assert (found.subject, found.name) == ("ann", "Ann")
    paper.inquiry.documents[f"{URL}/userinfo_endpoint"] = 401
    assert ask(alone, "another") is None


def test_opaque_tokens_are_not_shown_to_an_issuer_that_checks_by_keys(paper: PaperIssuer) -> None:
    assert ask(identity(paper), "opaque") is None
    both = identity(paper, check=("keys", "userinfo"))
    assert ask(both, "opaque") is None
    assert not paper.inquiry.asked


@pytest.mark.parametrize("token", ["", "two words", "li\nne", "ü", "a" * 200_000, "...", "a.b.c"])
def test_what_is_no_token_is_sent_nowhere(paper: PaperIssuer, token: str) -> None:
    known = identity(paper, check=("keys",))
    assert ask(known, token) is None
    assert not paper.inquiry.asked


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example", "jwks_uri": f"{URL}/jwks_uri"},
        {"issuer": URL},
        {"issuer": URL, "jwks_uri": "http://elsewhere.example/jwks"},
    ],
)
def test_an_issuer_that_does_not_describe_itself_is_not_asked(
    paper: PaperIssuer, metadata: dict[str, str]
) -> None:
    paper.inquiry.documents[f"{URL}/.well-known/openid-configuration"] = metadata
    with pytest.raises(IssuerUnavailable):
        ask(identity(paper), paper.token(paper.claims()))


def test_a_token_that_the_issuer_will_not_look_at_is_unknown(paper: PaperIssuer) -> None:
    paper.inquiry.documents[f"{URL}/introspection_endpoint"] = 400
    assert ask(identity(paper, check=("introspection",), **SECRET), "opaque") is None


def test_a_wrong_secret_of_ours_is_not_the_callers_fault(paper: PaperIssuer) -> None:
    paper.inquiry.documents[f"{URL}/introspection_endpoint"] = 401
    with pytest.raises(IssuerUnavailable):
        ask(identity(paper, check=("introspection",), **SECRET), "opaque")
