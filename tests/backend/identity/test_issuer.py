import asyncio
import base64
import hmac

import pytest
from joserfc.jwk import ECKey, RSAKey

from hmz_backend.identity.issuer import IssuerTokens
from hmz_backend.identity.protocol import Credential, Identity, Principal
from hmz_backend.identity.recall import FRESH_S, PAUSE_S
from hmz_backend.identity.signed_token import ALGORITHMS, SignedToken
from hmz_backend.issuers import IssuerSettings
from hmz_backend.testing.identity_contract import IdentityContract
from hmz_backend.testing.paper_issuer import GROUP, NOW_S, URL, Key, PaperIssuer, new_key, unsigned
from napari_hmz.errors import IssuerUnavailable, NotSignedIn

SETTINGS = {"url": f"{URL}/", "audiences": ("hmz",), "authorities": ("login.example.de",)}
SECRET = {"client_id": "backend", "client_secret": "s3cret"}
FOREIGN = new_key("RSA")
DAY_S = 86400


def identity(paper: PaperIssuer, **changes: object) -> IssuerTokens:
    settings = IssuerSettings.model_validate({**SETTINGS, **changes})
    return IssuerTokens(settings, paper.inquiry, paper.hands.now_s)


def ask(known: IssuerTokens, token: str) -> Principal | None:
    return asyncio.run(known.identify(Credential(token)))


@pytest.fixture(scope="module")
def issued() -> PaperIssuer:
    """One for all tests that change nothing of it: keys take long to make."""
    return PaperIssuer()


@pytest.fixture
def paper(issued: PaperIssuer) -> PaperIssuer:
    return PaperIssuer(key=issued.key)


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


def test_hundreds_of_groups_fit_into_a_token(paper: PaperIssuer) -> None:
    many = [f"urn:geant:helmholtz.de:group:Centre {n}:Sub#login.example.de" for n in range(900)]
    token = paper.token(paper.claims(entitlements=many))
    assert len(token) > 60_000
    found = ask(identity(paper), token)
    assert found is not None
    assert len(found.groups) == 1800


def test_text_that_only_looks_signed_is_none() -> None:
    for text in ("a.b", "a.b.c.d", "e30.e30", "!.!.!", "W10.e30.x", "e30.W10.x", "\u00fc.e30.x"):
        assert SignedToken.read(text) is None
    deep = base64.urlsafe_b64encode(b"[" * 60_000).decode().rstrip("=")
    assert SignedToken.read(f"{deep}.{deep}.x") is None
