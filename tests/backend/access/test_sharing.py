"""Sharing as people do it: a run that others see and go on with, until it is taken back."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import encoded_chunks
from napari_hmz.client import connect
from napari_hmz.schema import Problem, Share, wire

ISSUER = "https://login.example.de"
GROUP = "urn:geant:helmholtz.de:group:Imaging#login.example.de"
SHAPE, CHUNKS = (20, 50, 44), (8, 16, 16)


class Named:
    """Knows everyone by the name that they show; those of the group have it behind a slash."""

    async def identify(self, credential: Credential) -> Principal | None:
        name, _, group = (credential.bearer or "").partition("/")
        return Principal(ISSUER, name, frozenset({GROUP} if group else ()))


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveBackend]:
    changes = {"encrypted_at_rest": True}
    engine = FakeEngine(MODELS)
    with LiveBackend(tmp_path / "data", engine, CARDS, changes, identities=[Named()]) as backend:
        yield backend


def person(live: LiveBackend, name: str, **more: object) -> User:
    image = np.random.default_rng(5).integers(0, 256, SHAPE).astype("uint8")
    return User(live.client(Authorization=f"Bearer {name}"), image, CHUNKS, more=dict(more))


@pytest.fixture
def ann(live: LiveBackend) -> Iterator[User]:
    found = person(live, "ann")
    with found.http:
        found.announce()
        yield found


@pytest.fixture
def bob(live: LiveBackend, ann: User) -> Iterator[User]:
    found = person(live, "bob")
    found.volume = ann.volume
    with found.http:
        yield found


def share(owner: User, thing: str, **request: str) -> Share:
    made = owner.post(wire.shares(thing), request, 201)
    return Share.model_validate_json(made.content)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, Problem.model_validate_json(answer.content).code


def test_a_run_that_is_shared_to_read_is_seen_and_not_steered(ann: User, bob: User) -> None:
    run = ann.start("copy").id
    assert code(bob.http.get(wire.run(run))) == (404, "not-found")
    share(ann, wire.run(run), subject="bob")
    ann.finish(run)
    assert bob.get(run).right == "read"
    np.testing.assert_array_equal(bob.output(run, "out"), ann.array)
    assert [event.kind for event in bob.events(run)][-1] == "state"
    for path in (wire.cancel(run), wire.resume(run)):
        assert code(bob.http.post(path)) == (403, "not-allowed")
    assert code(bob.http.delete(wire.run(run))) == (403, "not-allowed")
    assert code(bob.http.get(wire.shares(wire.run(run)))) == (403, "not-allowed")
    assert code(bob.http.get(wire.volume(ann.volume))) == (404, "not-found")


def test_a_group_goes_on_with_a_run_and_sends_its_image(live: LiveBackend, ann: User) -> None:
    run = ann.start("copy").id
    share(ann, wire.run(run), group=GROUP.replace("Imaging", "%49maging"), allows="continue")
    member = person(live, "eve/group")
    member.volume = ann.volume
    with member.http:
        assert member.post(wire.cancel(run), None).json()["state"] == "cancelled"
        assert member.post(wire.resume(run), None).json()["right"] == "continue"
        assert member.finish(run).state == "done"
        assert [each.right for each in [member.get(run), ann.get(run)]] == ["continue", "own"]
    with person(live, "eve").http as outside:
        assert code(outside.get(wire.run(run))) == (404, "not-found")


def test_a_run_that_a_guest_resumed_counts_for_its_owner(
    live: LiveBackend, ann: User, bob: User
) -> None:
    run = ann.start("copy").id
    share(ann, wire.run(run), subject="bob", allows="continue")
    bob.post(wire.cancel(run), None)
    bob.post(wire.resume(run), None)
    (active,) = live.app.state.services.runs.under_way._active.values()
    assert active.place.share.holder == (ISSUER, "ann")
    ann.finish(run)


def test_what_is_taken_back_ends_at_once(ann: User, bob: User) -> None:
    run = ann.start("copy").id
    made = share(ann, wire.run(run), subject="bob", allows="continue")
    document = wire.output(run, "out", "zarr.json")
    assert bob.http.get(document).status_code == 200
    bob.wanted(0)
    heard = list[str]()

    def listen() -> None:
        heard.extend(event.kind for event in bob.events(run))

    listening = threading.Thread(target=listen)
    listening.start()
    wait_until(lambda: bool(heard))
    assert ann.http.delete(wire.share(wire.run(run), made.id)).status_code == 204
    assert code(bob.http.get(document)) == (404, "not-found")
    assert code(bob.http.get(wire.wanted(ann.volume))) == (404, "not-found")
    assert code(bob.put("c/0/0/0", b"")) == (404, "not-found")
    assert code(ann.http.delete(wire.share(wire.run(run), made.id))) == (404, "not-found")
    ann.finish(run)
    listening.join(20)
    assert not listening.is_alive(), "the stream goes on"
    assert "chunk" not in heard


def test_a_shared_volume_is_used_in_runs_of_ones_own(ann: User, bob: User) -> None:
    ann.finish(ann.start("copy").id)
    assert code(bob.post(wire.RUNS, {"model": "copy", "volume": ann.volume}, 404))[1] == "not-found"
    share(ann, wire.volume(ann.volume), subject="bob")
    run = bob.start("copy").id
    wait_until(lambda: bob.get(run).state == "done")
    assert code(bob.put("c/0/0/0", b"")) == (403, "not-allowed")
    assert code(ann.http.get(wire.run(run))) == (404, "not-found")


def test_sharing_again_changes_what_is_given(ann: User) -> None:
    run = wire.run(ann.start("copy").id)
    share(ann, run, subject="bob", allows="continue")
    share(ann, run, subject="bob")
    (found,) = ann.http.get(wire.shares(run)).json()
    assert (found["issuer"], found["subject"], found["allows"]) == (ISSUER, "bob", "read")


@pytest.mark.parametrize(
    "request_",
    [{}, {"subject": "bob", "group": GROUP}, {"group": "Imaging"}, {"group": GROUP, "issuer": "x"}],
    ids=str,
)
def test_it_must_be_clear_whom_something_is_shared_with(ann: User, request_: object) -> None:
    run = wire.run(ann.start("copy").id)
    answer = ann.post(wire.shares(run), request_, 422)
    assert code(answer) == (422, "request")


def test_a_sensitive_image_is_deleted_when_its_run_has_ended(live: LiveBackend) -> None:
    with person(live, "ann", data_class="sensitive").http as http:
        user = person(live, "ann", data_class="sensitive")
        user.http = http
        user.announce()
        stored = live.folder / "volumes" / user.volume / "array" / "c"
        bodies = encoded_chunks(user.array, user.chunks)
        user.put("c/0/0/0", bodies["c/0/0/0"]).raise_for_status()
        assert stored.exists()
        assert user.finish(user.start("copy").id).state == "done"
        wait_until(lambda: not stored.exists())  # whoever asks late what is wanted makes a folder
        assert user.http.get(wire.volume(user.volume)).json()["chunks_held"] == 0
        user.more = {}
        assert user.announce().request.data_class == "sensitive", "it remains so"


def test_a_sensitive_image_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with LiveBackend(tmp_path / "d", FakeEngine(MODELS), CARDS, identities=[Named()]) as plain:
        user = person(plain, "ann", data_class="sensitive")
        with user.http, pytest.raises(AssertionError, match="data-refused"):
            user.announce()
        assert not list((tmp_path / "d").glob("volumes/*"))


def test_a_model_refuses_a_sensitive_image(tmp_path: Path) -> None:
    changes = {
        "encrypted_at_rest": True,
        "model_access": {"copy": {"public": True, "data_classes": ["open"]}},
    }
    engine = FakeEngine(MODELS)
    with LiveBackend(tmp_path / "d", engine, CARDS, changes, identities=[Named()]) as backend:
        user = person(backend, "ann", data_class="sensitive")
        with user.http:
            user.announce()
            for path in (wire.PLANS, wire.RUNS):
                answer = user.post(path, {"model": "copy", "volume": user.volume}, 403)
                assert code(answer) == (403, "data-refused")


def test_who_may_continue_a_run_sends_all_of_its_images(live: LiveBackend, ann: User) -> None:
    cells = User(ann.http, np.zeros(SHAPE, "uint32") + 1, CHUNKS)
    cells.announce()
    run = ann.start("masked", inputs={"cells": cells.volume}).id
    share(ann, wire.run(run), subject="bob", allows="continue")
    guest = person(live, "bob")
    with guest.http:
        guest.volume = ann.volume
        guest_cells = User(guest.http, cells.array, CHUNKS)
        guest_cells.volume = cells.volume
        with guest.feeding(), guest_cells.feeding():
            wait_until(lambda: guest.get(run).state == "done")


def test_nobody_gives_away_by_a_run_of_theirs_what_was_shared_with_them(
    ann: User, bob: User
) -> None:
    share(ann, wire.volume(ann.volume), subject="bob")
    run = bob.start("copy").id
    share(bob, wire.run(run), subject="bob", allows="continue")
    assert code(bob.put("c/0/0/0", b"")) == (403, "not-allowed")


def test_a_volume_is_shared_from_python(live: LiveBackend, ann: User, bob: User) -> None:
    with connect(live.url, "ann") as client:
        made = client.share_volume(ann.volume, subject="bob", allows="continue")
        assert [each.id for each in client.volume_shares(ann.volume)] == [made.id]
        assert bob.http.get(wire.volume(ann.volume)).status_code == 200
        client.unshare_volume(ann.volume, made.id)
        assert client.volume_shares(ann.volume) == ()
    assert code(bob.http.get(wire.volume(ann.volume))) == (404, "not-found")
