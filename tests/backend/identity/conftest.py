"""An issuer on paper, and who knows its tokens."""

import asyncio

import pytest

from hmz_backend.identity.issuer import IssuerTokens
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.issuers import IssuerSettings
from hmz_backend.testing.paper_issuer import URL, PaperIssuer, new_key

SETTINGS = {"url": f"{URL}/", "audiences": ("hmz",), "authorities": ("login.example.de",)}
SECRET = {"client_id": "backend", "client_secret": "s3cret"}
FOREIGN = new_key("RSA")
DAY_S = 86400


def identity(paper: PaperIssuer, **changes: object) -> IssuerTokens:
    settings = IssuerSettings.model_validate({**SETTINGS, **changes})
    return IssuerTokens(settings, paper.inquiry, paper.hands.now_s)


def ask(known: IssuerTokens, token: str) -> Principal | None:
    return asyncio.run(known.identify(Credential(token)))


@pytest.fixture(scope="session")
def issued() -> PaperIssuer:
    """One for all tests that change nothing of it: keys take long to make."""
    return PaperIssuer()


@pytest.fixture
def paper(issued: PaperIssuer) -> PaperIssuer:
    return PaperIssuer(key=issued.key)
