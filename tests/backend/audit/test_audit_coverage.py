"""Every route and every command of the backend leaves a record, or has a reason to leave none."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import httpx
import numpy as np
import pytest
import typer
from fastapi.routing import APIRoute
from sqlalchemy import create_engine
from typer.testing import CliRunner

from hmz_backend.audit import trail
from hmz_backend.audit.chain import verify
from hmz_backend.audit.entry import What
from hmz_backend.cli import app
from hmz_backend.database.connection import open_database
from hmz_backend.identity import person_records
from hmz_backend.identity.protocol import Principal
from hmz_backend.testing.all_routes import all_routes
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.named_people import ISSUER, NamedPeople, shows
from hmz_backend.testing.user import User
from hmz_backend.watch.pseudonyms import Pseudonyms, kept_key
from hmz_backend.zoo.shipped import shipped_models
from napari_hmz.schema import wire

RUN, VOLUME = wire.run("{run}"), wire.volume("{volume}")
ACCOUNTS = Path(__file__).parents[3] / "docs" / "explanation" / "accounts.md"

ROUTES: Final[Mapping[tuple[str, str], What]] = {
    ("POST", wire.VOLUMES): "volume.created",
    ("POST", wire.shares(VOLUME)): "volume.shared",
    ("DELETE", wire.share(VOLUME, "{share}")): "volume.unshared",
    ("POST", wire.RUNS): "run.submitted",
    ("POST", wire.shares(RUN)): "run.shared",
    ("DELETE", wire.share(RUN, "{share}")): "run.unshared",
    ("POST", wire.cancel("{run}")): "run.cancelled",
    ("POST", wire.resume("{run}")): "run.resumed",
    ("DELETE", RUN): "run.removed",
    ("POST", wire.TOKENS): "token.created",
    ("DELETE", wire.token("{token}")): "token.revoked",
}
"""What the tests below do, and find in the trail."""
INFER: Final = "model.inferred: tests/backend/kserve/test_kserve_accounting.py does it"
QUIET_ROUTES: Final[Mapping[tuple[str, str], str]] = {
    ("POST", wire.PLANS): "nothing is made or kept",
    ("POST", wire.focus("{run}")): "changes in which order the caller's own run goes on",
    ("PUT", wire.chunk("{volume}", "{key:path}")): "one of thousands; the image has its record",
    ("POST", wire.absent("{volume}")): "one of thousands; the image has its record",
    ("POST", "/v2/repository/index"): "looking, by POST since KServe wants it so",
    ("POST", "/v2/models/{model}/infer"): INFER,
    ("POST", "/v2/models/{model}/versions/{version}/infer"): INFER,
}
LOOKING: Final = {"GET", "HEAD"}
"""People look at what is theirs, shared with them, or names nobody: no role shows more."""
COMMANDS: Final[Mapping[str, What]] = {
    "users list": "people.listed",
    "users find": "person.identified",
    "users suspend": "person.suspended",
    "users restore": "person.restored",
    "usage": "usage.listed",
    "audit list": "records.read",
    "audit export": "records.read",
    "audit remove": "records.removed",
    "zoo deploy": "model.deployed",
    "db upgrade": "tables.upgraded",
}
NO_BACKEND: Final = "files of this machine; no backend is asked, or changed"
QUIET_COMMANDS: Final[Mapping[str, str]] = {
    "serve": "backend.started and backend.stopped: test_audit_trail.py does it",
    "check": "looks at settings, and tells of no person",
    "models": "tells of models and their rules, not of people",
    "audit verify": "tells numbers and digests of records, not what they say",
    "audit checkpoint": "tells number and digest of one record, not what it says",
    "zoo check": NO_BACKEND,
    "zoo list": NO_BACKEND,
    "zoo build": NO_BACKEND,
    "zoo test": NO_BACKEND,
    "zoo quality": NO_BACKEND,
    "triton install": NO_BACKEND,
    "triton run": NO_BACKEND,
}
BY_ITSELF: Final[set[What]] = {
    "request.refused",
    "model.inferred",
    "volume.removed",
    "run.ended",
    "usage.folded",
    "backend.started",
    "backend.stopped",
}
"""What is no route's or command's: `test_audit_acts.py` and others see them written."""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveBackend]:
    folder, people = tmp_path / "data", (NamedPeople(),)
    with LiveBackend(folder, FakeEngine(MODELS), CARDS, identities=people) as live:
        yield live


def test_every_route_has_a_record_or_a_reason_for_none(live: LiveBackend) -> None:
    routes = {
        (method, route.path)
        for route in all_routes(live.app.routes)
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    acting = {each for each in routes if each[0] not in LOOKING}
    assert acting == {*ROUTES, *QUIET_ROUTES}
    assert ROUTES.keys().isdisjoint(QUIET_ROUTES)


def test_every_command_has_a_record_or_a_reason_for_none() -> None:
    group = typer.main.get_command(app)
    assert set(commands(group)) == {*COMMANDS, *QUIET_COMMANDS}
    assert COMMANDS.keys().isdisjoint(QUIET_COMMANDS)


def test_every_kind_of_record_belongs_to_something_and_is_explained() -> None:
    kinds = set(get_args(What))
    assert kinds == {*ROUTES.values(), *COMMANDS.values(), *BY_ITSELF}
    told = ACCOUNTS.read_text("utf-8")
    assert [kind for kind in kinds if f"`{kind}`" not in told] == []


def commands(command: Any, *before: str) -> Iterator[str]:  # noqa: ANN401 # click's, or typer's own
    """Yield every command, with those before it."""
    for name, below in getattr(command, "commands", {}).items():
        if getattr(below, "commands", None):
            yield from commands(below, *before, name)
        else:
            yield " ".join([*before, name])


class Acts:
    """Makes requests, each with an id of its own, by which its record is known.

    Parameters
    ----------
    http
        Of a person.
    """

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.expected: dict[str, What] = {}

    def act(self, method: str, route: str, body: object = None, **ids: str) -> Any:  # noqa: ANN401 # JSON
        path = route
        for name, text in ids.items():
            path = path.replace(f"{{{name}}}", text)
        self.http.headers[wire.REQUEST_ID_HEADER] = named = f"act-{len(self.expected)}"
        answer = self.http.request(method, path, json=body)
        assert answer.is_success, answer.text
        self.expected[named] = ROUTES[method, route]
        return answer.json() if answer.content else None


def test_every_act_over_http_leaves_the_record_that_is_said_of_it(live: LiveBackend) -> None:
    with httpx.Client(base_url=live.url, headers=shows("ann"), timeout=60) as http:
        ann, acts = User(http, np.ones((20, 50, 44), "uint8"), (8, 16, 16)), Acts(http)
        http.headers[wire.REQUEST_ID_HEADER] = "act-0"
        volume = ann.announce().id
        acts.expected["act-0"] = ROUTES["POST", wire.VOLUMES]
        run = acts.act("POST", wire.RUNS, {"model": "copy", "volume": volume})["id"]
        for route, ids in ((VOLUME, {"volume": volume}), (RUN, {"run": run})):
            share = acts.act("POST", wire.shares(route), {"subject": "bob"}, **ids)["id"]
            acts.act("DELETE", wire.share(route, "{share}"), share=share, **ids)
        acts.act("POST", wire.cancel("{run}"), run=run)
        acts.act("POST", wire.resume("{run}"), run=run)
        http.post(wire.cancel(run), headers={wire.REQUEST_ID_HEADER: "again"}).raise_for_status()
        acts.act("DELETE", RUN, run=run)
        token = acts.act("POST", wire.TOKENS, {"name": "nightly", "scopes": ["read"]})["id"]
        acts.act("DELETE", wire.token("{token}"), token=token)
    assert set(acts.expected.values()) == set(ROUTES.values())
    written = [(said.get("request"), said["what"]) for said in told(live.app)]
    assert [each for each in acts.expected.items() if written.count(each) != 1] == []


def told(backend: Any) -> list[dict[str, Any]]:  # noqa: ANN401 # the application
    with backend.state.services.audit.database.engine.connect() as connection:
        return [record.document() for record in trail.records(connection)]


def test_every_act_by_command_leaves_the_record_that_is_said_of_it(
    tmp_path: Path, database_url: str
) -> None:
    config = tmp_path / "backend.toml"
    config.write_text(f'data_dir = "{tmp_path}"\ndatabase_url = "{database_url}"')
    pseudonym = Pseudonyms(kept_key(tmp_path)).of(ISSUER, "ann")
    more = {
        "users find": [pseudonym],
        "users suspend": ["ann"],
        "users restore": ["ann"],
        "audit remove": ["--before", "2999-01-01"],
        "zoo deploy": [str(tmp_path / "repository"), "--models", str(tmp_path / "models")],
    }
    shutil.copytree(shipped_models() / "components", tmp_path / "models" / "components")
    order = ["db upgrade", *(name for name in COMMANDS if name != "db upgrade")]
    for command in order:
        words = [*command.split(), *more.get(command, ()), "--config", str(config)]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, (words, done.output, done.exception)
        engine = open_database(database_url)
        with engine.begin() as connection:
            last = trail.newest(connection, 1)[0].document()
            verify(trail.records(connection), trail.head(connection))
            person_records.note(connection, Principal(ISSUER, "ann"))
        engine.dispose()
        assert (last["what"], last["credential"]) == (COMMANDS[command], "command")


def test_who_is_not_found_leaves_no_record(tmp_path: Path) -> None:
    config = tmp_path / "backend.toml"
    config.write_text(f'data_dir = "{tmp_path}"')
    words = ["users", "find", "nobody", "--config", str(config)]
    assert type(CliRunner().invoke(app, words).exception).__name__ == "NotFound"
    engine = create_engine(f"sqlite:///{tmp_path}/backend.sqlite")
    with engine.connect() as connection:
        assert list(trail.records(connection)) == []
    engine.dispose()
