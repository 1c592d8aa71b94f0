from collections.abc import Iterator

import pytest

from napari_hmz.auth import SignIns
from napari_hmz.schema import SignIn, SignInIssuer, wire
from napari_hmz.testing.issuer import API, DESKTOP, SCOPE, Issuer
from napari_hmz.testing.memory_vault import MemoryVault
from napari_hmz.testing.person import Person
from napari_hmz.testing.scripted_server import Answer, ScriptedServer


@pytest.fixture
def vault() -> MemoryVault:
    return MemoryVault()


@pytest.fixture
def sign_ins(vault: MemoryVault) -> SignIns:
    return SignIns(lambda: vault)


@pytest.fixture
def way(issuer: Issuer) -> SignInIssuer:
    issuer.account("wanda", "urn:geant:helmholtz.de:group:imaging#login.helmholtz.de")
    return SignInIssuer(
        issuer=issuer.url,
        client_id=DESKTOP,
        name="Test",
        scopes=tuple(SCOPE.split()),
        resource=API,
    )


@pytest.fixture
def backend(server: ScriptedServer, way: SignInIssuer) -> ScriptedServer:
    """A backend that says where people sign in."""
    ways = SignIn(issuers=(way,)).model_dump_json().encode()
    server.on("GET", wire.SIGN_IN, lambda _: Answer(200, ways))
    return server


@pytest.fixture
def wanda(issuer: Issuer, way: SignInIssuer) -> Iterator[Person]:
    person = Person(issuer, "wanda")
    yield person
    person.join()
