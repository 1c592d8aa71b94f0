"""What one person may have at once: runs wait for each other and say so, requests are paced."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import napari_hmz
from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.routes.request_pace import RequestPace
from hmz_backend.runs import idleness
from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, LiveBackend, wait_until
from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import announcement
from napari_hmz.errors import LimitReached
from napari_hmz.schema import Plan, Problem, Progressed, wire

CHUNKS = (16, 16, 16)
BLOCK = dict.fromkeys("zyx", 16)
NO_HALO = dict.fromkeys("zyx", 0)
KIB = 2**10
IMAGE = np.random.default_rng(5).integers(0, 256, (32, 48, 48)).astype("uint8")  # 72 KiB, and noise
OTHER = {"Authorization": "Bearer other", wire.PROTOCOL_HEADER: str(wire.PROTOCOL_VERSION)}
Begin = Callable[..., User]


class Everybody:
    """Takes the token for the name."""

    async def identify(self, credential: Credential) -> Principal | None:
        return Principal("test", credential.bearer or "nobody")


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start a backend with some limits, and return a user whose image is announced."""
    with ExitStack() as stack:

        def started(delay_s: float = 0.0, **changes: Any) -> User:  # noqa: ANN401 # settings
            engine = FakeEngine(MODELS, delay_s=delay_s)
            backend = LiveBackend(
                tmp_path / "data", engine, CARDS, changes, identities=[Everybody()]
            )
            http = stack.enter_context(stack.enter_context(backend).client())
            user = User(http, IMAGE, CHUNKS)
            user.announce()
            return user

        yield started


def plan(user: User, **more: Any) -> Plan:  # noqa: ANN401 # fields
    body = {"model": "copy", "volume": user.volume, **more}
    return Plan.model_validate_json(user.post(wire.PLANS, body).content)


def test_runs_wait_for_each_other_in_order_and_say_where_they_stand(begin: Begin) -> None:
    user = begin(delay_s=0.01, runs_at_once=1)
    assert plan(user).position == 0
    first, second, third = (user.start("copy") for _ in range(3))
    wait_until(lambda: user.get(first.id).state == "running")
    found = [user.get(run.id) for run in (second, third)]
    assert [(run.state, run.progress.waiting_for) for run in found] == [("queued", "queue")] * 2
    assert [run.progress.position for run in found] == [1, 2]
    assert [plan(user, urgency=urgency).position for urgency in ("batch", "interactive")] == [3, 0]
    preview = user.start("copy", urgency="interactive")
    wait_until(lambda: user.get(preview.id).state == "running")
    with user.feeding():
        told = list(user.events(third.id))
    places = [event.progress.position for event in told if isinstance(event, Progressed)]
    assert places[0] == 2
    assert places[-1] == 0
    ended = [user.get(run.id) for run in (first, second, third)]
    assert [run.state for run in ended] == ["done"] * 3
    times = [(run.started_at or "", run.ended_at or "") for run in ended]
    assert times[0][1] <= times[1][0] <= times[1][1] <= times[2][0]


def test_a_run_that_waits_can_be_cancelled_and_the_next_moves_up(begin: Begin) -> None:
    user = begin(runs_at_once=1)
    first, second, third = (user.start("copy") for _ in range(3))
    user.post(wire.cancel(second.id), {})
    assert user.get(second.id).state == "cancelled"
    wait_until(lambda: user.get(third.id).progress.position == 1)
    user.post(wire.cancel(first.id), {})
    assert user.finish(third.id).state == "done"


def test_more_than_may_wait_are_refused_with_a_time_to_ask_again(begin: Begin) -> None:
    user = begin(runs_at_once=1, runs_waiting=1)
    runs = [user.start("copy", key=f"k{number}") for number in range(2)]
    body = {"model": "copy", "volume": user.volume}
    answer = user.http.post(wire.RUNS, json=body)
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.code) == (429, "limit-reached")
    assert "cancel" in problem.remedy
    assert int(answer.headers["Retry-After"]) > 1
    again = user.http.post(wire.RUNS, json=body, headers={wire.IDEMPOTENCY_HEADER: "k1"})
    assert again.json()["id"] == runs[1].id  # what was accepted is not refused


def test_a_lost_client_holds_no_place(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idleness, "ASIDE_S", 0.2)
    user = begin(runs_at_once=1)
    lost = user.start("copy")
    other = User(user.http, user.array + 1, CHUNKS)
    other.announce()
    assert other.finish(other.start("copy").id).state == "done"
    assert user.get(lost.id).state == "running"
    assert user.finish(lost.id).state == "done"  # its client is back


def test_requests_beyond_the_pace_are_held_up_then_refused(begin: Begin) -> None:
    user = begin(requests_per_s=20)
    began_s = time.monotonic()
    answers = [user.http.get(wire.MODELS).status_code for _ in range(80)]
    assert set(answers) == {200}  # one after the other, they are only held up
    assert time.monotonic() - began_s > (80 - 2 * 20) / 20 * 0.8
    began_s = time.monotonic()
    assert user.http.get(wire.MODELS, headers=OTHER).status_code == 200
    assert time.monotonic() - began_s < 1


def test_the_client_waits_and_goes_on_by_itself(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Principal] = []

    async def admit(self: RequestPace, caller: Principal) -> None:  # as there
        asked.append(caller)
        if len(asked) in (2, 5, 9, 14, 20):  # announcing, sending, following, fetching
            raise LimitReached(retry_after_s=0.5)

    url = str(begin().http.base_url)
    monkeypatch.setattr(RequestPace, "admit", admit)
    image = np.random.default_rng(6).integers(1, 256, (48, 96, 96)).astype("uint8")
    with napari_hmz.connect(url, TOKEN) as client:
        source = napari_hmz.sources.open_source(image, axes=("z", "y", "x"))
        run = client.run("copy", source, block={"z": 24, "y": 24, "x": 24})
        assert run.wait().state == "done"
        written = np.asarray(run.array("out")[...])
    assert len(asked) > 20
    np.testing.assert_array_equal(written, image)


def image_of(user: User, more: int) -> User:
    """Return another image of the same person."""
    return User(user.http, user.array + more, CHUNKS)


def test_images_of_one_person_make_room_for_each_other_and_leave_the_others_alone(
    begin: Begin,
) -> None:
    user = begin(staging_bytes_each=140 * KIB)
    other = User(httpx.Client(base_url=user.http.base_url, headers=OTHER), user.array, CHUNKS)
    with other.http:
        assert other.announce().request.mode == "staged"
        assert other.finish(other.start("copy").id).state == "done"
        assert user.finish(user.start("copy").id).state == "done"
        second = image_of(user, 1)
        assert second.announce().request.mode == "stream"  # the first was used a moment ago
        run = second.finish(second.start("copy", block=BLOCK, halo=NO_HALO).id)
        assert run.state == "done"
        np.testing.assert_array_equal(second.output(run.id, "out"), second.array)
        assert other.get(other.start("copy").id).plan.chunks_needed == 0


def test_an_image_without_room_for_a_chunk_is_refused_before_anything_is_sent(
    begin: Begin,
) -> None:
    user = begin(staging_bytes_each=75 * KIB)
    assert user.finish(user.start("copy").id).state == "done"
    request = announcement(user.array + 1, CHUNKS)
    answer = user.http.post(wire.VOLUMES, json=json.loads(request.model_dump_json()))
    assert (answer.status_code, answer.json()["code"]) == (413, "quota-exceeded")
    assert "Your images" in answer.json()["detail"]


def test_what_a_person_has_not_used_for_longest_goes_for_their_next_image(
    tmp_path: Path,
) -> None:
    changes = {"staging_bytes_each": 100 * KIB}
    people = [Everybody()]
    with (
        LiveBackend(tmp_path / "data", FakeEngine(MODELS), CARDS, changes, people) as backend,
        backend.client() as http,
    ):
        backend.app.state.services.volumes.shelf.grace_s = 0.0  # nothing but runs protects images
        first = User(http, IMAGE, CHUNKS)
        first.announce()
        assert first.finish(first.start("copy").id).state == "done"
        second = image_of(first, 1)
        assert second.announce().request.mode == "staged"
        assert second.finish(second.start("copy").id).state == "done"
        assert http.get(wire.volume(second.volume)).json()["chunks_held"] == 18
        assert http.get(wire.volume(first.volume)).json()["chunks_held"] == 0
