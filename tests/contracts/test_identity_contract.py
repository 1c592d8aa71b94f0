import asyncio

import pytest
from pydantic import SecretStr

from hmz_backend.identity.chain import Chain
from hmz_backend.identity.protocol import Credential, Identity, Principal
from hmz_backend.identity.shared_token import SharedToken
from hmz_backend.testing.identity_contract import IdentityContract
from napari_hmz.errors import NotSignedIn


class TestSharedToken(IdentityContract):
    def made(self) -> Identity:
        return SharedToken(SecretStr("a long enough secret"))

    def good(self) -> Credential:
        return Credential("a long enough secret")

    def foreign(self) -> Credential:
        return Credential("eyJhbGciOi.another.kind")


class TestChain(TestSharedToken):
    def made(self) -> Identity:
        return Chain([SharedToken(SecretStr("another")), super().made()])


def test_an_empty_secret_opens_nothing() -> None:
    nobody = SharedToken(SecretStr(""))
    assert asyncio.run(nobody.identify(Credential(""))) is None
    assert asyncio.run(nobody.identify(Credential())) is None


def test_the_first_that_knows_the_caller_answers() -> None:
    class Other:
        async def identify(self, credential: Credential) -> Principal | None:
            return Principal("other", "someone")

    known = SharedToken(SecretStr("secret"))
    first = asyncio.run(Chain([known, Other()]).require(Credential("secret")))
    second = asyncio.run(Chain([known, Other()]).require(Credential("else")))
    assert (first.issuer, second.issuer) == ("local", "other")
    with pytest.raises(NotSignedIn):
        asyncio.run(Chain([known]).require(Credential("else")))
