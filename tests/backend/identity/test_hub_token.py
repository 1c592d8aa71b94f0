import asyncio

import pytest

from hmz_backend.identity.hub_token import HubTokens
from hmz_backend.identity.protocol import Credential, Identity, Principal
from hmz_backend.issuers import HubSettings
from hmz_backend.testing.identity_contract import IdentityContract
from hmz_backend.testing.paper_issuer import GROUP, Hands, PaperInquiry, unsigned
from napari_hmz.errors import IssuerUnavailable, NotSignedIn

URL = "https://hub.example.de/hub/api"
SCOPE = "access:services!service=hmz"
TOKEN = "8f1c0e2b7a6d4e55b8a6d3e1f0a91c27"  # of no hub
ANN = {
    "kind": "user",
    "name": "ann",
    "groups": ["imaging"],
    "scopes": [SCOPE, "read:users!user=ann"],
}


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def inquiry(hands: Hands) -> PaperInquiry:
    made = PaperInquiry(hands.steady_s)
    made.documents[f"{URL}/user"] = ANN
    return made


def hub(inquiry: PaperInquiry, **changes: object) -> HubTokens:
    told = {"url": URL, "scope": SCOPE, **changes}
    return HubTokens(HubSettings.model_validate(told), inquiry)


def ask(known: HubTokens, token: str = TOKEN) -> Principal | None:
    return asyncio.run(known.identify(Credential(token)))


class TestHubTokens(IdentityContract):
    def made(self) -> Identity:
        inquiry = PaperInquiry(Hands().steady_s)
        inquiry.documents[f"{URL}/user"] = ANN
        return hub(inquiry)

    def good(self) -> Credential:
        return Credential(TOKEN)

    def foreign(self) -> Credential:
        return Credential(unsigned({"iss": "https://login.example.de"}))


def test_the_hub_says_who_it_is_and_is_shown_the_token_in_a_header(inquiry: PaperInquiry) -> None:
    roles = {"reviewer": {"subjects": ["ann"]}}
    found = ask(hub(inquiry, roles=roles))
    assert found is not None
    assert (found.issuer, found.subject, found.credential) == (URL, "ann", "hub")
    assert found.roles == {"user", "reviewer"}
    assert found.scopes == {"read", "run"}, "no token is made from one that may be taken back"
    assert found.groups == {"urn:jupyterhub:hub:group:imaging#hub.example.de"}
    assert inquiry.shown == [f"token {TOKEN}"]


def test_groups_that_are_entitlements_count_as_those_of_an_issuer(inquiry: PaperInquiry) -> None:
    forged = GROUP.replace("login.example.de", "evil.example")
    inquiry.documents[f"{URL}/user"] = {**ANN, "groups": [GROUP, forged]}
    found = ask(hub(inquiry, authorities=("login.example.de",)))
    assert found is not None
    assert GROUP in found.groups
    assert forged not in found.groups


@pytest.mark.parametrize(
    "told",
    [
        {"scopes": ["read:users!user=ann"]},  # known, and not allowed in here
        {"scopes": ["access:services!service=other"]},
        {"scopes": ["access:servers"]},
        {"scopes": []},
        {"scopes": None},
        {"scopes": SCOPE + "x"},
        {"kind": "service"},
    ],
    ids=str,
)
def test_being_known_is_not_being_allowed(inquiry: PaperInquiry, told: dict[str, object]) -> None:
    inquiry.documents[f"{URL}/user"] = {**ANN, **told}
    with pytest.raises(NotSignedIn):
        ask(hub(inquiry))


def test_a_scope_without_a_filter_is_more(inquiry: PaperInquiry) -> None:
    inquiry.documents[f"{URL}/user"] = {**ANN, "scopes": ["access:services"]}
    assert ask(hub(inquiry))


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_of_no_hub_is_left_to_others(inquiry: PaperInquiry, status: int) -> None:
    inquiry.documents[f"{URL}/user"] = status
    assert ask(hub(inquiry)) is None


def test_a_hub_that_is_down_or_elsewhere_makes_nobody_a_stranger(inquiry: PaperInquiry) -> None:
    inquiry.documents[f"{URL}/user"] = 404
    with pytest.raises(IssuerUnavailable):
        ask(hub(inquiry))
    inquiry.is_down = True
    with pytest.raises(IssuerUnavailable):
        ask(hub(inquiry))


def test_a_token_that_is_taken_back_ends_within_a_minute(
    inquiry: PaperInquiry, hands: Hands
) -> None:
    known = hub(inquiry)

    async def check() -> None:
        assert await known.identify(Credential(TOKEN))
        inquiry.documents[f"{URL}/user"] = 403
        hands.passed_s += 59
        assert await known.identify(Credential(TOKEN))
        hands.passed_s += 2
        assert await known.identify(Credential(TOKEN)) is None

    asyncio.run(check())
