import json
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from napari_hmz import errors
from napari_hmz.auth import Bearer
from napari_hmz.http import Http
from napari_hmz.patience import Patience
from napari_hmz.schema import Absent, Health, wire
from napari_hmz.schema.digest import content_digest
from napari_hmz.testing.scripted_server import Answer, Request, ScriptedServer

HEALTH = Health(status="ok", version="0.1.0", protocol=1, oldest_client=1, engine="embedded")
SECRET = "a-token-that-nobody-may-see"


@pytest.fixture
def http(server: ScriptedServer) -> Iterator[Http]:
    with Http(server.url, credential=Bearer(SECRET), patience_s=2.0) as http:
        yield http


def healthy(_: Request) -> Answer:
    return Answer(200, HEALTH.model_dump_json().encode())


def problem(status: int, code: str, **more: str) -> Answer:
    body = {"title": "x", "status": status, "code": code, **more}
    return Answer(status, json.dumps(body).encode(), {"Content-Type": wire.PROBLEM_TYPE})


def script(server: ScriptedServer, method: str, path: str, answers: list[Answer]) -> None:
    left = list(answers)
    server.on(method, path, lambda _: left.pop(0) if len(left) > 1 else left[0])


def test_reads_a_message_with_token_and_protocol(server: ScriptedServer, http: Http) -> None:
    server.on("GET", wire.HEALTH, healthy)
    assert http.get(wire.HEALTH, Health) == HEALTH
    headers = server.seen[0].headers
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert headers[wire.PROTOCOL_HEADER.lower()] == str(wire.PROTOCOL_VERSION)


def test_who_wants_what_is_there_now_says_so(server: ScriptedServer, http: Http) -> None:
    server.on("GET", wire.HEALTH, healthy)
    http.get(wire.HEALTH, Health)
    http.get(wire.HEALTH, Health, fresh=True)
    plain, fresh = (request.headers.get("cache-control") for request in server.seen)
    assert (plain, fresh) == (None, "no-cache")


def test_problem_becomes_the_error_with_its_request_id(server: ScriptedServer, http: Http) -> None:
    server.on(
        "GET",
        wire.MODELS,
        lambda _: problem(404, "not-found", detail="No model `x`.", remedy="Look.", request_id="7"),
    )
    with pytest.raises(errors.NotFound) as raised:
        http.get(wire.MODELS, Health)
    assert (raised.value.detail, raised.value.remedy) == ("No model `x`.", "Look.")
    assert raised.value.request_id == "7"


def test_request_id_of_the_header_is_kept(server: ScriptedServer, http: Http) -> None:
    server.on("GET", "/", lambda _: Answer(500, b"oops", {wire.REQUEST_ID_HEADER: "abc"}))
    with pytest.raises(errors.InternalError) as raised:
        http.get("/x", Health)
    assert raised.value.request_id == "abc"
    assert "oops" not in str(raised.value)


@pytest.mark.parametrize(
    "failure",
    [
        Answer(503),
        Answer(502, b"<html>"),
        Answer(200, HEALTH.model_dump_json().encode(), cut=3),
        problem(503, "server-busy"),
    ],
)
def test_tries_again_after(server: ScriptedServer, http: Http, failure: Answer) -> None:
    script(server, "GET", wire.HEALTH, [failure, failure, healthy(server_request())])
    assert http.get(wire.HEALTH, Health) == HEALTH
    assert len(server.seen) == 3


def server_request() -> Request:
    return Request("GET", wire.HEALTH, "", {}, b"")


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500])
def test_does_not_repeat_what_would_fail_again(
    server: ScriptedServer, http: Http, status: int
) -> None:
    server.on("GET", "/", lambda _: Answer(status))
    with pytest.raises(errors.HmzError):
        http.get("/x", Health)
    assert len(server.seen) == 1


def test_nobody_there_is_unreachable_in_time() -> None:
    begin = time.monotonic()
    with (
        Http("http://127.0.0.1:9", patience_s=0.3) as http,
        pytest.raises(errors.BackendUnreachable, match=r"127\.0\.0\.1:9"),
    ):
        http.get(wire.HEALTH, Health)
    assert time.monotonic() - begin < 2.0


def test_stop_ends_the_waiting() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    begin = time.monotonic()
    with Http("http://127.0.0.1:9") as http, pytest.raises(errors.BackendUnreachable):
        http.get(wire.HEALTH, Health, patience=Patience(60.0, stop))
    assert time.monotonic() - begin < 5.0


def test_something_else_at_the_address(server: ScriptedServer, http: Http) -> None:
    server.on("GET", "/", lambda _: Answer(200, b"<html>welcome</html>"))
    with pytest.raises(errors.BackendUnreachable, match="not that of a napari-hmz backend"):
        http.get(wire.HEALTH, Health)


def test_backend_of_an_older_protocol(server: ScriptedServer, http: Http) -> None:
    body = HEALTH.model_dump_json().encode()
    server.on("GET", "/", lambda _: Answer(200, body, {wire.PROTOCOL_HEADER: "0"}))
    with pytest.raises(errors.BackendTooOld):
        http.get(wire.HEALTH, Health)


def test_backend_that_wants_a_newer_client(server: ScriptedServer, http: Http) -> None:
    server.on("GET", "/", lambda _: problem(426, "client-too-old", detail="Too old."))
    with pytest.raises(errors.ClientTooOld):
        http.get(wire.HEALTH, Health)


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "ftp://x", "http://", "http://me:pw@host"])
def test_refuses_what_is_no_address(url: str) -> None:
    with pytest.raises(errors.SettingsInvalid) as raised:
        Http(url)
    assert "pw" not in str(raised.value)


def test_bytes_go_up_with_their_digest(server: ScriptedServer, http: Http) -> None:
    server.on("PUT", "/", lambda _: Answer(204))
    http.put_bytes("/v1/x", b"pixels")
    assert server.seen[0].body == b"pixels"
    assert server.seen[0].headers["content-digest"] == content_digest(b"pixels")


def test_bytes_come_down_untouched_and_checked(server: ScriptedServer, http: Http) -> None:
    good = Answer(200, b"labels", {wire.DIGEST_HEADER: content_digest(b"labels")})
    bad = Answer(200, b"lab3ls", {wire.DIGEST_HEADER: content_digest(b"labels")})
    script(server, "GET", "/", [bad, good])
    assert http.get_bytes("/x") == b"labels"
    assert server.seen[0].headers["accept-encoding"] == "identity"


def test_bytes_that_stay_damaged(server: ScriptedServer, http: Http) -> None:
    bad = Answer(200, b"lab3ls", {wire.DIGEST_HEADER: content_digest(b"labels")})
    server.on("GET", "/", lambda _: bad)
    with pytest.raises(errors.DigestMismatch):
        http.get_bytes("/x", patience=Patience(0.2))


def test_events_are_taken_up_where_the_connection_broke(server: ScriptedServer, http: Http) -> None:
    text = "".join(f"id: {n}\nevent: x\ndata: {n}\n\n: alive\n\n" for n in range(1, 6))

    def stream(request: Request) -> Answer:
        last = int(request.headers.get("last-event-id", 0))
        rest = text[text.index(f"id: {last + 1}\n") :] if last < 5 else ""
        return Answer(200, rest.encode(), {"Content-Type": wire.EVENTS_TYPE}, cut=60)

    server.on("GET", "/", stream)
    seen = []
    for event in http.events("/events"):
        seen.append(event.data)
        if event.data == "5" or len(seen) > 5:
            break
    assert seen == ["1", "2", "3", "4", "5"]
    assert len(server.seen) > 1


def test_patience_begins_anew_after_each_event(server: ScriptedServer, http: Http) -> None:
    def one_at_a_time(request: Request) -> Answer:
        number = int(request.headers.get("last-event-id", 0)) + 1
        text = f"id: {number}\ndata: {number}\n\n"
        return Answer(200, (text + "lost").encode(), cut=len(text))

    server.on("GET", "/", one_at_a_time)
    events = http.events("/events", patience=Patience(0.5))
    assert [next(events).data for _ in range(8)] == [str(n) for n in range(1, 9)]


def test_events_of_an_unknown_run(server: ScriptedServer, http: Http) -> None:
    server.on("GET", "/", lambda _: problem(404, "not-found"))
    with pytest.raises(errors.NotFound):
        next(iter(http.events("/events")))


def test_the_token_stands_in_no_log_error_or_repr(
    server: ScriptedServer, http: Http, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.on("POST", "/", lambda _: problem(401, "not-signed-in", detail="Who?"))
    with pytest.raises(errors.NotSignedIn) as raised:
        http.post("/x", Absent(keys=("c/0",)))
    assert SECRET not in caplog.text + repr(raised.value) + repr(http) + repr(vars(http))
    assert caplog.text
    assert SECRET not in repr(Bearer(SECRET))


def test_a_closed_client_says_so(server: ScriptedServer) -> None:
    http = Http(server.url)
    http.close()
    http.close()
    with pytest.raises(errors.BackendUnreachable, match="closed"):
        http.get(wire.HEALTH, Health)
    with pytest.raises(errors.BackendUnreachable, match="closed"):
        next(iter(http.events("/events")))


def test_closing_ends_the_wait_for_an_answer(server: ScriptedServer) -> None:
    server.on("GET", wire.HEALTH, lambda _: problem(503, "engine-unavailable"))
    http, failures = Http(server.url, patience_s=600.0), []

    def ask() -> None:
        with pytest.raises(errors.HmzError) as raised:
            http.get(wire.HEALTH, Health)
        failures.append(raised.value)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.5)  # it waits between two attempts by now, whatever this does to the test
    http.close()
    asking.join(30.0)
    assert not asking.is_alive()
    assert failures
