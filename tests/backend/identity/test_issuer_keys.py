"""Signed tokens: which keys and algorithms count, and which tokens are forged."""

import asyncio
import base64
import hmac

import pytest
from joserfc.jwk import ECKey, RSAKey

from hmz_backend.identity.protocol import Credential
from hmz_backend.identity.recall import FRESH_S, PAUSE_S
from hmz_backend.identity.signed_token import ALGORITHMS, SignedToken
from hmz_backend.testing.paper_issuer import NOW_S, URL, Key, PaperIssuer, new_key, unsigned
from napari_hmz.errors import NotSignedIn

from .conftest import DAY_S, FOREIGN, SECRET, ask, identity


def confused(paper: PaperIssuer) -> str:
    """Return a token whose secret is the public key: who mixes up the kinds accepts it."""
    assert isinstance(paper.key, RSAKey)
    secret = paper.key.as_pem(private=False)
    content = unsigned(paper.claims(), alg="HS256", kid=paper.key.kid).removesuffix(".")
    digest = hmac.digest(secret, content.encode(), "sha256")
    return f"{content}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def forged(paper: PaperIssuer, how: str) -> str:
    """Return a token that must not be accepted."""
    claims = paper.claims()
    key = paper.key
    if how == "changed afterwards":
        head, _, tail = paper.token(claims).split(".")
        body = unsigned({**claims, "sub": "bob"}).split(".")[1]
        return f"{head}.{body}.{tail}"
    if how == "signature of another token":
        head, body, _ = paper.token(claims).split(".")
        return f"{head}.{body}.{paper.token(paper.claims(sub='bob')).split('.')[2]}"
    if how == "its key comes along":
        jwk = FOREIGN.as_dict(private=False)
        return paper.token(claims, FOREIGN, kid=key.kid, jwk=jwk)
    if how == "its key lies elsewhere":
        return paper.token(claims, FOREIGN, jku="https://evil.example/jwks", x5u="https://evil")
    made = {
        "unsigned": lambda: unsigned(claims),
        "unsigned, in capitals": lambda: unsigned(claims, alg="NONE"),
        "unsigned, with our key": lambda: unsigned(claims, kid=key.kid),
        "HMAC with the public key": lambda: confused(paper),
        "HMAC with a key of the set": lambda: paper.token(claims, SHARED, alg="HS256"),
        "another key, our kid": lambda: paper.token(claims, FOREIGN, kid=key.kid),
        "another key, no kid": lambda: paper.token(claims, FOREIGN, kid=None),
        "unknown kid": lambda: paper.token(claims, FOREIGN),
        "kid is no text": lambda: unsigned(claims, alg="RS256", kid={"a": 1}),
        "no signature": lambda: paper.token(claims).rpartition(".")[0] + ".",
        "critical header": lambda: unsigned(claims, alg="RS256", crit=["exp"], kid=key.kid),
        "no access token by its type": lambda: paper.token(claims, typ="logout+jwt"),
    }
    return made[how]()


SHARED = new_key("oct")


FORGERIES = [
    "changed afterwards",
    "signature of another token",
    "its key comes along",
    "its key lies elsewhere",
    "unsigned",
    "unsigned, in capitals",
    "unsigned, with our key",
    "HMAC with the public key",
    "HMAC with a key of the set",
    "another key, our kid",
    "another key, no kid",
    "unknown kid",
    "kid is no text",
    "no signature",
    "critical header",
    "no access token by its type",
]


@pytest.mark.parametrize("how", FORGERIES)
def test_forged_tokens_are_refused(paper: PaperIssuer, how: str) -> None:
    paper.show_keys(paper.key, SHARED)
    known = identity(paper, check=("keys", "introspection"), **SECRET)
    with pytest.raises(NotSignedIn):
        ask(known, forged(paper, how))
    urls = {f"{URL}/.well-known/openid-configuration", f"{URL}/jwks_uri"}
    assert set(paper.inquiry.asked) <= urls, "an address in a token was followed"


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_accepted_algorithm_works(paper: PaperIssuer, algorithm: str) -> None:
    if algorithm in {"ES384", "ES512"}:
        curve = {"ES384": "P-384", "ES512": "P-521"}[algorithm]
        key: Key = ECKey.generate_key(curve, {"use": "sig"}, auto_kid=True)
    else:
        key = paper.key if ALGORITHMS[algorithm] == "RSA" else new_key(ALGORITHMS[algorithm])
    paper.show_keys(new_key("EC"), key)
    assert ask(identity(paper), paper.token(paper.claims(), key, alg=algorithm))
    assert ask(identity(paper), paper.token(paper.claims(), key, alg=algorithm, kid=None))


def test_weak_and_private_keys_and_those_of_another_use_are_none(paper: PaperIssuer) -> None:
    key = FOREIGN.as_dict(private=False)
    for document in (
        {**key, "n": str(key["n"])[:171]},  # 1024 bits
        FOREIGN.as_dict(private=True),
        {**key, "use": "enc"},
        {**key, "n": "!" * 342},
        {"kty": "new"},
        "nonsense",
    ):
        paper.inquiry.documents[f"{URL}/jwks_uri"] = {
            "keys": [document, paper.key.as_dict(private=False)]
        }
        with pytest.raises(NotSignedIn):
            ask(identity(paper), paper.token(paper.claims(), FOREIGN))
        assert ask(identity(paper), paper.token(paper.claims()))


def test_a_key_for_one_algorithm_is_not_used_for_another(paper: PaperIssuer) -> None:
    key = new_key("RSA", alg="RS512")
    paper.show_keys(key)
    assert ask(identity(paper), paper.token(paper.claims(), key, alg="RS512"))
    document = key.as_dict(private=True)
    del document["alg"]
    with pytest.raises(NotSignedIn):
        ask(identity(paper), paper.token(paper.claims(), RSAKey.import_key(document)))


def test_new_keys_are_found_at_once_and_not_asked_for_by_the_thousand(paper: PaperIssuer) -> None:
    known = identity(paper)

    async def check() -> None:
        await known.identify(Credential(paper.token(paper.claims())))
        fresh = new_key("EC")
        paper.show_keys(paper.key, fresh)
        paper.hands.passed_s += PAUSE_S + 1
        asked = len(paper.inquiry.asked)
        token = Credential(paper.token(paper.claims(), fresh, alg="ES256"))
        assert await known.identify(token)
        assert len(paper.inquiry.asked) == asked + 1
        made_up = [paper.token(paper.claims(), FOREIGN, kid=f"k{n}") for n in range(50)]
        for number in range(50):  # made-up key ids do not make us ask for each
            with pytest.raises(NotSignedIn):
                await known.identify(Credential(unsigned(paper.claims(), alg="RS256", kid=number)))
            with pytest.raises(NotSignedIn):
                await known.identify(Credential(made_up[number]))
        assert len(paper.inquiry.asked) == asked + 1

    asyncio.run(check())


def test_a_key_that_is_taken_back_is_refused_soon(paper: PaperIssuer) -> None:
    known = identity(paper)

    async def check() -> None:
        token = Credential(paper.token(paper.claims(exp=NOW_S + DAY_S)))
        assert await known.identify(token)
        paper.show_keys(new_key("EC"))
        paper.hands.passed_s += FRESH_S + 1
        await known.identify(token)  # used once more, while the new ones are fetched
        await asyncio.sleep(0.01)
        paper.hands.passed_s += 61
        with pytest.raises(NotSignedIn):
            await known.identify(token)

    asyncio.run(check())


def test_text_that_only_looks_signed_is_none() -> None:
    for text in ("a.b", "a.b.c.d", "e30.e30", "!.!.!", "W10.e30.x", "e30.W10.x", "\u00fc.e30.x"):
        assert SignedToken.read(text) is None
    deep = base64.urlsafe_b64encode(b"[" * 60_000).decode().rstrip("=")
    assert SignedToken.read(f"{deep}.{deep}.x") is None
