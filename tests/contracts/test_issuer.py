"""What the provider of the tests does: the ground on which tests of signing in stand."""

import base64
import json
from typing import Any

import httpx
import pytest

from napari_hmz.testing.issuer import API, DESKTOP, Issuer

GROUP = "urn:geant:helmholtz.de:group:imaging#login.helmholtz.de"


def part(token: str, index: int) -> dict[str, Any]:
    text = token.split(".")[index]
    return dict(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))


@pytest.fixture
def alice(issuer: Issuer) -> str:
    issuer.account("alice", GROUP)
    return "alice"


def test_a_token_for_an_api_is_a_jwt_with_the_groups_of_the_person(
    issuer: Issuer, alice: str
) -> None:
    tokens = issuer.tokens(alice)
    claims = part(tokens.access, 1)
    assert (claims["iss"], claims["sub"], claims["aud"]) == (issuer.url, alice, API)
    assert claims["entitlements"] == claims["eduperson_entitlement"] == [GROUP]
    assert part(tokens.access, 0)["alg"] == "RS256"
    assert tokens.refresh
    es = issuer.tokens(alice, resource="urn:test:es256").access
    assert part(es, 0)["alg"] == "ES256"
    of_client = issuer.tokens(alice, resource="urn:test:client").access
    assert part(of_client, 1)["aud"] == DESKTOP


def test_a_token_for_nothing_else_is_opaque_and_known_to_the_provider(
    issuer: Issuer, alice: str
) -> None:
    access = issuer.tokens(alice, resource=None).access
    assert "." not in access
    told = issuer.introspect(access)
    assert (told["active"], told["sub"], told["entitlements"]) == (True, alice, [GROUP])
    of_her = issuer.get("/me", Authorization=f"Bearer {access}").json()
    assert (of_her["sub"], of_her["entitlements"]) == (alice, [GROUP])


def test_lifetimes_and_keys_are_those_that_a_test_wants(issuer: Issuer, alice: str) -> None:
    issuer.lifetimes(access_s=7)
    tokens = issuer.tokens(alice)
    assert tokens.expires_in_s == 7
    old = part(tokens.access, 0)["kid"]
    issuer.rotate_keys()
    known = [key["kid"] for key in issuer.get("/jwks").json()["keys"]]
    new = part(issuer.tokens(alice).access, 0)["kid"]
    assert old != new
    assert {old, new} <= set(known)
    issuer.rotate_keys(keep=False)
    assert old not in [key["kid"] for key in issuer.get("/jwks").json()["keys"]]


def test_a_refresh_token_works_once(issuer: Issuer, alice: str) -> None:
    first = issuer.tokens(alice)
    form = {"grant_type": "refresh_token", "client_id": DESKTOP, "refresh_token": first.refresh}
    again = httpx.post(f"{issuer.url}/token", data=form, trust_env=False)
    assert again.is_success, again.text
    assert again.json()["refresh_token"] != first.refresh
    assert again.json()["access_token"].count(".") == 2, "the resource of the first one is kept"
    twice = httpx.post(f"{issuer.url}/token", data=form, trust_env=False)
    assert twice.json()["error"] == "invalid_grant"


def test_a_device_is_approved_elsewhere(issuer: Issuer, alice: str) -> None:
    asked = {"client_id": DESKTOP, "scope": "openid", "resource": API}
    device = httpx.post(f"{issuer.url}/device/auth", data=asked, trust_env=False).json()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": DESKTOP,
        "device_code": device["device_code"],
    }
    early = httpx.post(f"{issuer.url}/token", data=form, trust_env=False)
    assert early.json()["error"] == "authorization_pending"
    issuer.approve(device["verification_uri_complete"], alice)
    late = httpx.post(f"{issuer.url}/token", data=form, trust_env=False)
    assert part(late.json()["access_token"], 1)["sub"] == alice


def test_any_claims_are_signed_as_the_provider_would(issuer: Issuer) -> None:
    token = issuer.sign({"iss": issuer.url, "sub": "nobody", "exp": 1}, alg="ES256")
    assert part(token, 1) == {"iss": issuer.url, "sub": "nobody", "exp": 1}
    assert part(token, 0)["kid"] in [k["kid"] for k in issuer.get("/jwks").json()["keys"]]
