"""What people do with a live backend stands in the trail, with model, data and outcome."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from hmz_backend.audit import trail
from hmz_backend.audit.chain import verify
from hmz_backend.engines.protocol import TileRequest
from hmz_backend.identity import person_records
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import Arrays, FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.named_people import ISSUER, NamedPeople, shows
from hmz_backend.testing.user import User
from napari_hmz.errors import EngineFailed
from napari_hmz.schema import wire

IMAGE = np.random.default_rng(5).integers(1, 256, (20, 50, 44)).astype("uint8")
VERSION = CARDS[0].version


def fails(_: TileRequest) -> Arrays:
    raise EngineFailed("The model failed.")


SECRET = "hmz_0123456789abcdef_" + 43 * "x"


@pytest.fixture
def live(tmp_path: Path, database_url: str) -> Iterator[LiveBackend]:
    changes = {"database_url": database_url, "encrypted_at_rest": True}
    people = (NamedPeople(),)
    engine = FakeEngine({**MODELS, ("blended", VERSION): fails})
    with LiveBackend(tmp_path / "data", engine, CARDS, changes, people) as live:
        yield live


def told(live: LiveBackend) -> list[dict[str, Any]]:
    """Return what the trail says, once it is proven."""
    engine = live.app.state.services.audit.database.engine
    with engine.connect() as connection:
        head = trail.head(connection)
        records = list(trail.records(connection, until=head.number))
    verify(records, head)
    return [record.document() for record in records]


def of(live: LiveBackend, what: str) -> list[dict[str, Any]]:
    return [said for said in told(live) if said["what"] == what]


def user(live: LiveBackend, name: str, **more: Any) -> User:  # noqa: ANN401 # fields of the volume
    http = httpx.Client(base_url=live.url, headers=shows(name), timeout=60)
    return User(http, IMAGE, (8, 16, 16), more=more)


def test_a_run_from_its_image_to_its_removal(live: LiveBackend) -> None:
    ann = user(live, "ann")
    with ann.http:
        ann.announce()
        ann.announce()  # the same again makes nothing
        ann.http.headers[wire.REQUEST_ID_HEADER] = "of-the-run"
        run = ann.start("components", key="once")
        ann.start("components", key="once")
        ann.finish(run.id)
        ann.post(wire.shares(wire.run(run.id)), {"subject": "bob"})
        share = ann.http.get(wire.shares(wire.run(run.id))).json()[0]["id"]
        ann.http.delete(wire.share(wire.run(run.id), share)).raise_for_status()
        ann.http.delete(wire.run(run.id)).raise_for_status()
    said = [each for each in told(live) if each.get("subject") == "ann"]
    assert [each["what"] for each in said] == [
        "volume.created",
        "run.submitted",
        "run.ended",
        "run.shared",
        "run.unshared",
        "run.removed",
    ]
    assert {each["issuer"] for each in said} == {ISSUER}
    submitted, ended, shared = said[1:4]
    assert submitted["credential"] == "issuer"
    assert (submitted["thing"], submitted["request"]) == (run.id, "of-the-run")
    assert (submitted["model"], submitted["version"]) == ("components", VERSION)
    assert submitted["data"] == said[0]["data"] == ended["data"] != ""
    assert submitted["more"]["model_digest"] == run.provenance.model_digest
    assert (ended["outcome"], "credential" in ended) == ("ok", False)
    assert shared["more"] == {"subject": "bob", "issuer": ISSUER, "allows": "read"}


def test_who_stops_and_resumes_a_run_is_named(live: LiveBackend) -> None:
    ann, bob = user(live, "ann"), user(live, "bob")
    with ann.http, bob.http:
        ann.announce()
        run = ann.start("components")
        ann.post(wire.shares(wire.run(run.id)), {"subject": "bob", "allows": "continue"})
        bob.post(wire.cancel(run.id), {})
        bob.post(wire.cancel(run.id), {})  # changes nothing
        ann.post(wire.resume(run.id), {})
        ann.finish(run.id)
    acts = [
        (each["what"], each.get("subject")) for each in told(live) if each.get("thing") == run.id
    ]
    assert acts == [
        ("run.submitted", "ann"),
        ("run.shared", "ann"),
        ("run.cancelled", "bob"),
        ("run.resumed", "ann"),
        ("run.ended", "ann"),
    ]


def test_a_run_that_fails_says_why(live: LiveBackend) -> None:
    ann = user(live, "ann")
    with ann.http:
        ann.announce()
        run = ann.start("blended")
        assert ann.finish(run.id).state == "failed"
    (ended,) = of(live, "run.ended")
    assert (ended["outcome"], ended["model"]) == ("engine-failed", "blended")


def test_tokens_leave_records_without_the_token_or_its_name(live: LiveBackend) -> None:
    with httpx.Client(base_url=live.url, headers=shows("ann")) as http:
        made = http.post(wire.TOKENS, json={"name": "nightly", "scopes": ["read"]}).json()
        http.get(wire.MODELS, headers=shows(made["token"])).raise_for_status()
        http.delete(wire.token(made["id"])).raise_for_status()
    (created,), (revoked,) = of(live, "token.created"), of(live, "token.revoked")
    assert created["thing"] == revoked["thing"] == made["id"]
    assert created["more"] == {"scopes": "read", "expires_at": made["expires_at"]}
    everything = str(told(live))
    assert made["token"].split("_", 2)[2] not in everything
    assert "nightly" not in everything


def refused_by(live: LiveBackend, ask: Callable[[httpx.Client], httpx.Response]) -> dict[str, Any]:
    """Return the record of a refusal."""
    before = len(of(live, "request.refused"))
    with httpx.Client(base_url=live.url, headers={wire.REQUEST_ID_HEADER: "asked"}) as http:
        answer = ask(http)
    assert answer.status_code in (401, 403, 422), answer.text
    wait_until(lambda: len(of(live, "request.refused")) > before)
    said = of(live, "request.refused")[-1]
    assert (said["outcome"], said["request"]) == (answer.json()["code"], "asked")
    return said


def test_who_is_refused_is_told_and_who_shows_nothing_is_not(live: LiveBackend) -> None:
    with httpx.Client(base_url=live.url, headers=shows("ann")) as http:
        reading = http.post(wire.TOKENS, json={"name": "x", "scopes": ["read"]}).json()["token"]
    said = refused_by(live, lambda http: http.get(wire.ME, headers=shows(SECRET)))
    assert "subject" not in said
    assert SECRET not in str(said)
    said = refused_by(live, lambda http: http.post(wire.RUNS, headers=shows(reading), json={}))
    assert (said["outcome"], said["subject"]) == ("scope-missing", "ann")
    assert httpx.get(live.url + wire.ME).status_code == 401
    with live.app.state.services.audit.database.engine.begin() as connection:
        person_records.suspend(connection, (ISSUER, "eve"))
    wait_until(lambda: httpx.get(live.url + wire.ME, headers=shows("eve")).status_code == 403)
    wait_until(lambda: any(e.get("subject") == "eve" for e in of(live, "request.refused")))
    assert len([e for e in of(live, "request.refused") if e["outcome"] == "not-signed-in"]) == 1


def test_who_wants_more_of_a_thing_than_they_may_is_told(live: LiveBackend) -> None:
    ann = user(live, "ann")
    with ann.http:
        ann.announce()
        run = ann.start("components")
        ann.post(wire.shares(wire.run(run.id)), {"subject": "bob"})
        path = wire.cancel(run.id)
        said = refused_by(live, lambda http: http.post(path, headers=shows("bob"), json={}))
        assert (said["outcome"], said["subject"], said["thing"]) == ("not-allowed", "bob", run.id)
        ann.post(wire.cancel(run.id), {})


def test_that_sensitive_chunks_are_gone_can_be_proven(live: LiveBackend) -> None:
    ann = user(live, "ann", data_class="sensitive")
    with ann.http:
        ann.announce()
        run = ann.start("components")
        ann.finish(run.id)
        wait_until(lambda: of(live, "volume.removed"))
    (gone,) = of(live, "volume.removed")
    assert (gone["thing"], gone["credential"]) == (ann.volume, "backend")
