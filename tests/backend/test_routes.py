import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hmz_backend.routes import examples
from hmz_backend.testing.cards import CARDS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.user import User
from napari_hmz.errors import error_classes
from napari_hmz.schema import Health, ModelCard, Problem, Run, RunRequest, wire
from napari_hmz.schema.digest import digest_fits


def problem(answer: httpx.Response, status: int, code: str) -> Problem:
    assert answer.headers["content-type"] == wire.PROBLEM_TYPE
    found = Problem.model_validate_json(answer.content)
    assert (answer.status_code, found.status, found.code) == (status, status, code), found
    assert found.request_id == answer.headers[wire.REQUEST_ID_HEADER]
    assert code in error_classes()
    return found


OPEN = {wire.HEALTH, wire.SIGN_IN}


def test_health_is_open_and_everything_else_is_not(backend: LiveBackend) -> None:
    with httpx.Client(base_url=backend.url) as stranger:
        health = Health.model_validate_json(stranger.get(wire.HEALTH).content)
        assert health.status == "ok"
        assert health.protocol == wire.PROTOCOL_VERSION
        schema = backend.app.openapi()
        asked = 0
        for path, methods in schema["paths"].items():
            for method in methods:
                if path not in OPEN:
                    answer = stranger.request(method, path.replace("{", "").replace("}", ""))
                    problem(answer, 401, "not-signed-in")
                    assert answer.headers["www-authenticate"] == "Bearer"
                    asked += 1
        assert asked >= 12
        problem(stranger.get(f"{wire.API}/openapi.json"), 401, "not-signed-in")
        wrong = {"Authorization": "Bearer something else"}
        problem(stranger.get(wire.MODELS, headers=wrong), 401, "not-signed-in")


def test_every_answer_has_an_id_and_a_protocol(user: User) -> None:
    answer = user.http.get(wire.MODELS, headers={wire.REQUEST_ID_HEADER: "my-id.7"})
    assert answer.headers[wire.REQUEST_ID_HEADER] == "my-id.7"
    assert answer.headers[wire.PROTOCOL_HEADER] == str(wire.PROTOCOL_VERSION)
    forged = user.http.get(wire.MODELS, headers={wire.REQUEST_ID_HEADER: "x" * 500})
    assert len(forged.headers[wire.REQUEST_ID_HEADER]) == 16


def test_a_client_that_is_too_old_is_told_so(user: User) -> None:
    problem(user.http.get(wire.MODELS, headers={wire.PROTOCOL_HEADER: "0"}), 426, "client-too-old")
    without = {name: v for name, v in user.http.headers.items() if name.lower() != "hmz-protocol"}
    assert httpx.get(f"{user.http.base_url}{wire.MODELS}", headers=without).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_pages_of_elsewhere_are_not_answered(user: User, headers: dict[str, str]) -> None:
    problem(user.http.get(wire.HEALTH, headers=headers), 403, "address-refused")


def test_own_pages_are_answered(user: User) -> None:
    headers = {"Origin": "http://localhost:5000", "Host": "localhost:1"}
    assert user.http.get(wire.HEALTH, headers=headers).status_code == 200


def test_errors_of_every_kind_have_one_shape(user: User) -> None:
    http = user.http
    problem(http.get("/v1/nothing"), 404, "not-found")
    problem(http.delete(wire.MODELS), 405, "request")
    problem(http.post(wire.RUNS, content=b"{"), 422, "request")
    problem(http.post(wire.RUNS, json={"model": "copy"}), 422, "request")
    problem(http.get(wire.model("nothing")), 404, "not-found")
    problem(http.get(wire.model("copy", "9.9")), 404, "not-found")
    problem(http.get(wire.run("nothing")), 404, "not-found")
    problem(http.get(wire.events("nothing")), 404, "not-found")
    problem(http.post(wire.cancel("nothing")), 404, "not-found")
    problem(http.get(wire.volume("nothing")), 404, "not-found")
    problem(http.get(wire.wanted("nothing")), 404, "not-found")
    problem(http.put(wire.chunk("nothing", "c/0"), content=b"x"), 404, "not-found")
    problem(http.get(wire.model("copy", "1.0.0") + "/cover.png"), 404, "not-found")


def test_a_bug_of_ours_shows_its_number_and_nothing_else(
    user: User, backend: LiveBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret path /etc/shadow")

    service = type(backend.app.state.services.runs)
    monkeypatch.setattr(service, "listing", broken)
    answer = user.http.get(wire.RUNS)
    found = problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert found.request_id


def test_models_are_listed_searched_and_not_sent_twice(user: User) -> None:
    answer = user.http.get(wire.MODELS)
    cards = [ModelCard.model_validate(card) for card in answer.json()]
    assert [card.id for card in cards] == [card.id for card in CARDS]
    tag = {"If-None-Match": answer.headers["etag"]}
    assert user.http.get(wire.MODELS, headers=tag).status_code == 304
    restoration = user.http.get(wire.MODELS, params={"task": "restoration"}).json()
    expected = {card.id for card in CARDS if card.task == "restoration"}
    assert {card["id"] for card in restoration} == expected
    assert 0 < len(expected) < len(CARDS)
    found = user.http.get(wire.MODELS, params={"q": "TESTS blended"}).json()
    assert [card["id"] for card in found] == ["blended"]
    assert (
        user.http.get(wire.model("copy")).json()
        == user.http.get(wire.model("copy", "1.0.0")).json()
    )


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"model": "nothing"}, 404, "not-found"),
        ({"version": "2"}, 404, "not-found"),
        ({"volume": "0" * 32}, 404, "not-found"),
        ({"region": {"z": [0, 99]}}, 422, "region-invalid"),
        ({"region": {"c": [0, 1]}}, 422, "region-invalid"),
        ({"region": {"z": [4, 4]}}, 422, "volume-empty"),
        ({"parameters": {"level": 999}}, 422, "parameter-invalid"),
        ({"parameters": {"no": 1}}, 422, "parameter-invalid"),
        ({"channels": [1]}, 422, "axes-mismatch"),
        ({"outputs": ["no"]}, 422, "parameter-invalid"),
        ({"block": {"z": 0}}, 422, "plan-impossible"),
    ],
)
def test_what_cannot_be_done_is_said_before_pixels_travel(
    user: User, change: dict[str, Any], status: int, code: str
) -> None:
    user.announce()
    body = {"model": "components", "volume": user.volume, **change}
    for path in (wire.PLANS, wire.RUNS):
        found = problem(user.http.post(path, json=body), status, code)
        assert found.detail
        assert found.remedy or code == "request"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"shape": {"z": 0, "y": 50, "x": 44}}, 422, "volume-empty"),
        ({"dtype": "uint16"}, 422, "source-unreadable"),
        ({"chunks": {"z": 9, "y": 16, "x": 16}}, 422, "source-unreadable"),
        ({"address": "file:///etc"}, 403, "address-refused"),
        ({"axes": ["z", "y"]}, 422, "request"),
        ({"fingerprint": "short"}, 422, "request"),
    ],
)
def test_announcements_that_contradict_themselves_are_refused(
    user: User, change: dict[str, Any], status: int, code: str
) -> None:
    from hmz_backend.testing.volumes import announcement

    body = json.loads(announcement(user.array, user.chunks).model_dump_json())
    problem(user.http.post(wire.VOLUMES, json={**body, **change}), status, code)


def test_the_same_request_gives_the_same_run_and_no_other(user: User) -> None:
    user.announce()
    first = user.start("copy", key="k1")
    again = user.start("copy", key="k1", started_by="shell")  # whoever starts it: it is the same
    assert (again.id, again.request.started_by) == (first.id, "api")
    assert user.start("copy", key="k2").id != first.id
    clash = {"model": "blended", "volume": user.volume}
    answer = user.http.post(wire.RUNS, json=clash, headers={wire.IDEMPOTENCY_HEADER: "k1"})
    problem(answer, 409, "conflict")
    listed = [Run.model_validate(run) for run in user.http.get(wire.RUNS).json()]
    assert len(listed) == 2
    assert listed[-1].id == first.id


def test_events_can_be_taken_up_anywhere_and_end_with_the_run(user: User) -> None:
    user.announce()
    run = user.start("components")
    user.finish(run.id)
    everything = list(user.events(run.id))
    assert [event.number for event in everything] == list(range(1, len(everything) + 1))
    for after in (1, len(everything) // 2, len(everything) - 1):
        assert list(user.events(run.id, after)) == everything[after:]
    states = [event.state for event in everything if event.kind == "state"]
    assert states == ["queued", "running", "joining", "done"]


def test_outputs_show_chunks_and_nothing_else(user: User) -> None:
    user.announce()
    run = user.start("copy")
    document = user.http.get(wire.output(run.id, "out", "zarr.json"))
    assert document.headers["content-type"] == "application/json"
    assert document.json()["dimension_names"] == ["z", "y", "x"]
    head = user.http.head(wire.output(run.id, "out", "zarr.json"))
    assert head.headers["content-length"] == document.headers["content-length"]
    for key in ("c/0/0/0", "", "brief.json", "..%2f..%2fbrief.json", "c/x", "c"):
        problem(user.http.get(wire.output(run.id, "out", key)), 404, "not-found")
    problem(user.http.get(wire.output(run.id, "other", "zarr.json")), 404, "not-found")


def test_who_knows_a_digest_need_not_have_it_computed(user: User) -> None:
    user.announce()
    path = wire.output(user.start("copy").id, "out", "zarr.json")
    told = user.http.get(path)
    assert digest_fits(told.headers[wire.DIGEST_HEADER], told.content)
    untold = user.http.get(path, headers={wire.WANT_DIGEST_HEADER: wire.NO_DIGEST})
    assert wire.DIGEST_HEADER not in untold.headers
    assert untold.content == told.content


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic {token}"])
def test_chunks_go_to_and_fro_for_callers_only(
    backend: LiveBackend, user: User, given: str
) -> None:
    user.announce()
    path, chunk = (
        wire.output(user.start("copy").id, "out", "zarr.json"),
        wire.chunk(user.volume, "c/0"),
    )
    token = user.http.headers["authorization"].partition(" ")[2]
    with httpx.Client(base_url=backend.url, headers={"Authorization": f"bearer {token}"}) as known:
        assert known.get(path).is_success  # the scheme's case is free
    headers = {"Authorization": given.format(token=token)} if given else {}
    with httpx.Client(base_url=backend.url, headers=headers) as stranger:
        problem(stranger.get(path), 401, "not-signed-in")
        problem(stranger.put(chunk, content=b"x"), 401, "not-signed-in")


def test_callers_see_their_own_things_only(tmp_path: Path, engine: FakeEngine) -> None:
    from hmz_backend.identity.protocol import Credential, Principal

    class ByName:
        async def identify(self, credential: Credential) -> Principal | None:
            return Principal("test", credential.bearer) if credential.bearer else None

    image = np.ones((8, 16, 16), "uint8")
    live = LiveBackend(tmp_path, engine, CARDS, identities=(ByName(),))
    with (
        live,
        live.client(Authorization="Bearer ann") as ann,
        live.client(Authorization="Bearer bob") as bob,
    ):
        anns, bobs = User(ann, image, (8, 16, 16)), User(bob, image, (8, 16, 16))
        anns.announce()
        run = anns.start("copy", key="same")
        anns.finish(run.id)
        assert bobs.announce().chunks_held == 0
        assert bobs.volume != anns.volume
        assert bob.get(wire.RUNS).json() == []
        for path in (
            wire.run(run.id),
            wire.events(run.id),
            wire.output(run.id, "out", "zarr.json"),
            wire.volume(anns.volume),
            wire.wanted(anns.volume),
        ):
            problem(bob.get(path), 404, "not-found")
        body = {"model": "copy", "volume": anns.volume}
        problem(bob.post(wire.RUNS, json=body), 404, "not-found")
        assert bobs.start("copy", key="same").id != run.id


def test_the_description_is_complete(user: User) -> None:
    schema = user.http.get(f"{wire.API}/openapi.json").json()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            assert operation["tags"], (method, path)
            if path in OPEN:
                continue
            assert operation["security"], (method, path)
            refused = operation["responses"]["401"]["content"][wire.PROBLEM_TYPE]
            assert refused["examples"], (method, path)


def test_examples_of_bodies_are_good_ones(user: User) -> None:
    for request in examples.VOLUME.values():
        assert user.post(wire.VOLUMES, request["value"]).json()["chunks_held"] == 0
    schema = user.http.get(f"{wire.API}/openapi.json").json()
    bodies = 0
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                assert content["application/json"]["examples"], path
                bodies += 1
    assert bodies == 8
    for request in examples.RUN.values():
        RunRequest.model_validate(request["value"])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_no_body_is_answered_with_a_bug(user: User, body: object) -> None:
    for path in (wire.RUNS, wire.PLANS, wire.VOLUMES):
        answer = user.http.post(path, json=body)
        problem(answer, 422, "request")
