"""The access matrix: every route, asked by every kind of caller, answers as its rule says.

What a caller may not see is answered word for word like what does not exist.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import numpy as np
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import event

from hmz_backend.identity import person_records
from hmz_backend.identity.anonymous import Anonymous
from hmz_backend.identity.issuer import IssuerTokens
from hmz_backend.identity.protocol import Identity
from hmz_backend.issuers import IssuerSettings
from hmz_backend.routes.rules import Rule
from hmz_backend.testing.all_routes import all_routes, rules_of
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.paper_issuer import GROUP, NOW_S, URL, PaperIssuer, unsigned
from hmz_backend.testing.volumes import announcement, encoded_chunks
from napari_hmz.schema import AccessSpec, Problem, Run, wire

OTHER: Final = "urn:geant:helmholtz.de:group:Other#login.example.de"
HELPERS: Final = "urn:geant:helmholtz.de:group:Helpers#login.example.de"
SECRET: Final = CARDS[0].model_copy(
    update={
        "id": "secret",
        "access": AccessSpec(public=False, groups=(GROUP,)),
        "thumbnail": "cover.png",
    }
)
SHAPE, CHUNKS = (20, 50, 44), (8, 16, 16)
IMAGE: Final = np.random.default_rng(5).integers(1, 256, SHAPE).astype("uint8")
NONE: Final = "0" * 32
ANONYMOUS: Final = ("visitor", "made-up name")
UNKNOWN: Final = ("expired", "wrong audience", "wrong issuer", "none algorithm")
KNOWN: Final = (
    "owner",
    "member",
    "other VO",
    "may read",
    "may continue",
    "reviewer",
    "admin",
)
GROUPS: Final = {
    "owner": [GROUP],
    "member": [GROUP],
    "may read": [GROUP],
    "may continue": [HELPERS],
}
"""Who is in which groups; all others are in another one."""

MODEL_USERS = {"owner", "member", "may read", "reviewer", "admin"}
READERS = {"owner", "may read", "may continue"}
CONTINUERS = {"owner", "may continue"}
ALLOWED: Final[dict[Rule, set[str]]] = {
    Rule.OPEN: {*KNOWN, *ANONYMOUS, *UNKNOWN, "suspended"},
    Rule.KNOWN: {*KNOWN, *ANONYMOUS},
    Rule.PERSON: set(KNOWN),
    Rule.METRICS: {"admin"},
    Rule.MODEL: MODEL_USERS,
    Rule.RUN_INPUTS: READERS & MODEL_USERS,
    Rule.VOLUME_READ: READERS,
    Rule.VOLUME_CONTINUE: CONTINUERS,
    Rule.VOLUME_OWN: {"owner"},
    Rule.RUN_READ: READERS,
    Rule.RUN_CONTINUE: CONTINUERS,
    Rule.RUN_OWN: {"owner"},
}
SEEN: Final[dict[Rule, set[str]]] = {
    rule: READERS if rule.name.startswith(("RUN_C", "RUN_O", "VOLUME_")) else set() for rule in Rule
}
"""Who sees the thing, and is told so where they may not do this with it."""
Body = Callable[["Scene"], dict[str, Any]]


def run_request(scene: "Scene") -> dict[str, Any]:
    return {"json": {"model": scene.model, "volume": scene.volume}}


def chunk(_: "Scene") -> dict[str, Any]:
    return {"content": encoded_chunks(IMAGE, CHUNKS)["c/0/0/0"]}


def image(_: "Scene") -> dict[str, Any]:
    return {"json": json.loads(announcement(IMAGE, CHUNKS).model_dump_json())}


REQUESTS: Final[dict[tuple[str, str], Body]] = {
    ("POST", "/v1/tokens"): lambda _: {"json": {"name": "for a test"}},
    ("DELETE", "/v1/tokens/{token}"): lambda _: {},
    ("POST", "/v1/volumes"): image,
    ("PUT", "/v1/volumes/{volume}/chunks/{key:path}"): chunk,
    ("POST", "/v1/volumes/{volume}/absent"): lambda _: {"json": {"keys": []}},
    ("POST", "/v1/plans"): run_request,
    ("POST", "/v1/runs"): run_request,
    ("DELETE", "/v1/runs/{run}"): lambda _: {},
    ("POST", "/v1/runs/{run}/focus"): lambda _: {"json": {"region": {"z": [0, 4]}}},
    ("POST", "/v1/runs/{run}/cancel"): lambda _: {},
    ("POST", "/v1/runs/{run}/resume"): lambda _: {},
    ("POST", "/v1/runs/{run}/shares"): lambda _: {"json": {"subject": "somebody"}},
    ("DELETE", "/v1/runs/{run}/shares/{share}"): lambda _: {},
    ("POST", "/v1/volumes/{volume}/shares"): lambda _: {"json": {"subject": "somebody"}},
    ("DELETE", "/v1/volumes/{volume}/shares/{share}"): lambda _: {},
    ("POST", "/v2/repository/index"): lambda _: {},
    ("POST", "/v2/models/{model}/infer"): lambda _: {"content": b"{}"},
    ("POST", "/v2/models/{model}/versions/{version}/infer"): lambda _: {"content": b"{}"},
}
"""What is sent with each request that changes something; those that read send nothing."""


@dataclass
class Scene:
    """A model of one group, a volume and a run of its owner, and shares of both."""

    backend: LiveBackend
    tokens: dict[str, str]
    model: str = SECRET.id
    volume: str = NONE
    run: str = NONE
    share: str = NONE
    token: str = NONE
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        """Connect."""
        self.http = httpx.Client(base_url=self.backend.url, timeout=30.0)

    def ask(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 # httpx's
        """Ask as somebody; of an answer that goes on, only the beginning."""
        shown = {"Authorization": f"Bearer {self.tokens[who]}"} if who in self.tokens else {}
        headers = {**shown, wire.REQUEST_ID_HEADER: "matrix"}
        with self.http.stream(method, path, headers=headers, **more) as answer:
            if answer.headers.get("content-type", "").partition(";")[0] != wire.EVENTS_TYPE:
                answer.read()
        return answer

    def begin(self) -> None:
        """Start and share another run of the owner; the volume is announced the first time."""
        owner = "owner"
        if self.volume == NONE:
            self.volume = self.ask(owner, "POST", wire.VOLUMES, **image(self)).json()["id"]
            self.open_to_others(wire.volume(self.volume))
        made = self.ask(owner, "POST", wire.RUNS, **run_request(self))
        self.run = Run.model_validate_json(made.content).id
        self.open_to_others(wire.run(self.run))

    def suspend(self) -> None:
        """Keep somebody out who may do what the owner may, and wait until it holds."""
        subject = {"subject": "suspended", "allows": "continue"}
        self.ask("owner", "POST", wire.shares(wire.run(self.run)), json=subject)
        people = self.backend.app.state.services.identity.people
        with people.database.engine.begin() as connection:
            person_records.suspend(connection, (URL, "suspended"))
        wait_until(lambda: "suspended" in self.ask("suspended", "GET", wire.MODELS).text)

    def open_to_others(self, thing: str) -> None:
        """Share a volume or run with those who may read it, or continue it."""
        reader = {"subject": "may read"}
        helpers = {"group": HELPERS.replace("Helpers", "%48elpers"), "allows": "continue"}
        for body in (reader, helpers):
            assert self.ask("owner", "POST", wire.shares(thing), json=body).status_code == 201

    def request(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        """Return where a request to a route goes, and what is sent with it."""
        key = "zarr.json" if "outputs" in path else "c/0/0/0"
        names = {
            "{run}": self.run,
            "{volume}": self.volume,
            "{model}": self.model,
            "{version}": SECRET.version,
            "{picture:path}": SECRET.thumbnail,
            "{name}": SECRET.outputs[0].name,
            "{key:path}": key,
            "{share}": self.share,
            "{token}": self.token,
        }
        more = REQUESTS[method, path](self) if method not in ("GET", "HEAD") else {}
        if path.endswith("/wanted"):
            more["params"] = {"timeout_s": 0}
        for name, value in names.items():
            path = path.replace(name, value)
        assert "{" not in path, "give the new part of the path a value above"
        return path, more


def tokens(paper: PaperIssuer) -> dict[str, str]:
    """Return the credential of each kind of caller."""
    found = {
        who: paper.token(paper.claims(sub=who, entitlements=GROUPS.get(who, [OTHER])))
        for who in (*KNOWN, "suspended")
    }
    owner = paper.claims(sub="owner")
    return found | {
        "expired": paper.token(owner | {"exp": NOW_S - 3600}),
        "wrong audience": paper.token(owner | {"aud": "another service"}),
        "wrong issuer": paper.token(owner | {"iss": "https://other.example"}),
        "none algorithm": unsigned(owner),
        "made-up name": f"anonymous_{'x' * 30}",
    }


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    paper, folder = PaperIssuer(), tmp_path_factory.mktemp("matrix")
    roles = {role: {"subjects": [role]} for role in ("reviewer", "admin")}
    settings = IssuerSettings.model_validate(
        {"url": URL, "audiences": ["hmz"], "authorities": ["login.example.de"], "roles": roles}
    )
    identities: list[Identity] = [
        IssuerTokens(settings, paper.inquiry, paper.hands.now_s),
        Anonymous(),
    ]
    engine = FakeEngine({**MODELS, ("secret", SECRET.version): MODELS["copy", SECRET.version]})
    (folder / SECRET.thumbnail).write_bytes(b"a picture")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # a fake package's folder is the working one
        with LiveBackend(folder, engine, [*CARDS, SECRET], identities=identities) as backend:
            made = Scene(backend, tokens(paper))
            with made.http:
                made.begin()
                made.suspend()
                yield made


def routes(scene: Scene) -> list[tuple[str, str, Rule]]:
    """Return method, path and rule of every route."""
    return [
        (method, route.path, rule)
        for route in all_routes(scene.backend.app.routes)
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
        for rule in rules_of(route)
    ]


def expected(method: str, path: str, rule: Rule, who: str) -> tuple[int, str]:
    """Return status and code of a refusal; 0 if there is none."""
    if who == "visitor" and method not in ("GET", "HEAD") and not path.startswith(wire.KSERVE):
        return 403, "scope-missing"
    if who in ALLOWED[rule]:
        return 0, ""
    if who == "suspended":
        return 403, "suspended"
    if rule is Rule.PERSON and who in ANONYMOUS:
        return 403, "scope-missing"
    if who in UNKNOWN:
        return 401, "not-signed-in"
    return (403, "not-allowed") if who in SEEN[rule] else (404, "not-found")


@pytest.mark.parametrize("who", [*KNOWN, *ANONYMOUS, "suspended", *UNKNOWN])
def test_every_route_answers_every_kind_of_caller_as_its_rule_says(scene: Scene, who: str) -> None:
    asked, holes = 0, []
    for method, path, rule in routes(scene):
        status, code = expected(method, path, rule, who)
        if not status and method not in ("GET", "HEAD"):
            scene.begin()  # it may change
            where = wire.run(scene.run) if "{run}" in path else wire.volume(scene.volume)
            scene.share = scene.ask("owner", "GET", wire.shares(where)).json()[0]["id"]
        place, more = scene.request(method, path)
        refusals = {401, 403} if "{token}" in path else {401, 403, 404}  # there is no such token
        answer = scene.ask(who, method, place, **more)
        asked += 1
        if answer.status_code != status and (status or answer.status_code in refusals):
            holes.append(f"{method} {path} ({rule.name}): {answer.status_code}, not {status}")
        elif status and method != "HEAD":
            assert Problem.model_validate_json(answer.content).code == code
        if path.endswith("/{share}") and not status:  # put it back
            scene.open_to_others(where)
    assert not holes
    assert asked >= 25


def refused_thing(rule: Rule, who: str) -> str:
    """Return what a caller may not see of what a route needs."""
    if rule is Rule.RUN_INPUTS:
        return "model" if who == "may continue" else "volume"
    return "model" if rule is Rule.MODEL else rule.name.partition("_")[0].lower()


@pytest.mark.parametrize("who", [*KNOWN, *ANONYMOUS])
def test_what_may_not_be_seen_is_answered_like_what_is_not_there(scene: Scene, who: str) -> None:
    engine = scene.backend.app.state.services.runs.parts.database.engine
    statements: list[str] = []

    def asked(*call: Any) -> None:  # noqa: ANN401 # as SQLAlchemy calls it
        # Others come from what goes on meanwhile: events of runs, who is suspended.
        if re.search(r"FROM (volumes|runs|shares)\b", call[2]):
            statements.append(call[2])

    event.listen(engine, "before_cursor_execute", asked)
    for method, path, rule in routes(scene):
        if expected(method, path, rule, who)[0] != 404:
            continue
        if rule is Rule.METRICS:
            answers = [scene.ask(who, method, where).json() for where in (path, "/nothing")]
            assert answers[0] == answers[1]
            continue
        thing = refused_thing(rule, who)
        absent = "absent" if thing == "model" else NONE
        hidden = getattr(scene, thing)
        answers = []
        for name in (hidden, absent):
            setattr(scene, thing, name)
            statements.clear()
            place, more = scene.request(method, path)
            answer = scene.ask(who, method, place, **more)
            headers = {
                k: v for k, v in answer.headers.items() if k not in ("date", "content-length")
            }
            answers.append(
                (answer.status_code, answer.text.replace(name, "…"), headers, [*statements])
            )
        setattr(scene, thing, hidden)
        assert answers[0] == answers[1], (method, path)
    event.remove(engine, "before_cursor_execute", asked)


def test_lists_hold_what_the_caller_may_see_and_nothing_else(scene: Scene) -> None:
    for who in (*KNOWN, *ANONYMOUS):
        cards = {card["id"] for card in scene.ask(who, "GET", wire.MODELS).json()}
        assert (SECRET.id in cards) == (who in MODEL_USERS)
        assert {card.id for card in CARDS} <= cards
        runs = {run["id"]: run["right"] for run in scene.ask(who, "GET", wire.RUNS).json()}
        right = {"owner": "own", "may read": "read", "may continue": "continue"}.get(who)
        assert runs.get(scene.run) == right
