"""A run that is removed is gone, with its rows and files; one that goes on stays."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import httpx

from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.testing.cards import CARDS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend
from hmz_backend.testing.user import User
from napari_hmz.schema import Problem, wire


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, Problem.model_validate_json(answer.content).code


def rows(live: LiveBackend, run: str) -> list[int]:
    """Return how many rows are kept of a run: of itself, its events, its blocks."""
    counts = []
    with closing(sqlite3.connect(live.folder / "backend.sqlite")) as database:
        for table, column in (("runs", "id"), ("events", "run"), ("blocks", "run")):
            query = f"SELECT count(*) FROM {table} WHERE {column} = ?"  # noqa: S608 # own words
            counts += database.execute(query, (run,)).fetchone()
    return counts


def test_a_run_that_is_done_is_removed_once(user: User, backend: LiveBackend) -> None:
    user.announce()
    stays, goes = (user.finish(user.start("components").id).id for _ in range(2))
    assert (backend.folder / "runs" / goes).exists()
    assert all(rows(backend, goes))
    assert user.http.delete(wire.run(goes)).status_code == 204
    assert rows(backend, goes) == [0, 0, 0]
    assert not (backend.folder / "runs" / goes).exists()
    assert (backend.folder / "runs" / stays).exists()
    assert [run["id"] for run in user.http.get(wire.RUNS).json()] == [stays]
    for path in (wire.run(goes), wire.events(goes), wire.output(goes, "labels", "zarr.json")):
        assert code(user.http.get(path)) == (404, "not-found")
    assert code(user.http.delete(wire.run(goes))) == (404, "not-found")
    assert code(user.http.post(wire.resume(goes))) == (404, "not-found")


def test_a_run_that_goes_on_is_cancelled_first(user: User) -> None:
    user.announce()
    run = user.start("components")
    refused = user.http.delete(wire.run(run.id))
    assert code(refused) == (409, "conflict")
    assert f"hmz cancel {run.id}" in refused.json()["remedy"]
    user.post(wire.cancel(run.id), None)
    assert user.http.delete(wire.run(run.id)).status_code == 204


def test_a_key_may_make_a_new_run_once_its_run_is_removed(user: User) -> None:
    user.announce()
    first = user.start("copy", key="k")
    user.post(wire.cancel(first.id), None)
    assert user.http.delete(wire.run(first.id)).status_code == 204
    assert user.start("copy", key="k").id != first.id


def test_of_who_resumes_and_who_removes_one_wins(user: User, backend: LiveBackend) -> None:
    user.announce()
    run = user.start("copy")
    user.post(wire.cancel(run.id), None)
    answers: dict[str, int] = {}

    def ask(method: str, path: str) -> None:
        answers[method] = user.http.request(method, path).status_code

    threads = [
        threading.Thread(target=ask, args=("POST", wire.resume(run.id))),
        threading.Thread(target=ask, args=("DELETE", wire.run(run.id))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers["POST"], answers["DELETE"]) in {(200, 409), (404, 204)}
    is_there = user.http.get(wire.run(run.id)).is_success
    assert is_there == (answers["DELETE"] == 409)
    assert (backend.folder / "runs" / run.id).exists() == is_there


def test_of_another_caller_nothing_is_removed(
    tmp_path: Path, engine: FakeEngine, user: User
) -> None:
    class ByName:
        async def identify(self, credential: Credential) -> Principal | None:
            return Principal("test", credential.bearer) if credential.bearer else None

    live = LiveBackend(tmp_path / "two", engine, CARDS, identities=(ByName(),))
    with (
        live,
        live.client(Authorization="Bearer ann") as ann,
        live.client(Authorization="Bearer bob") as bob,
    ):
        anns = User(ann, user.array, user.chunks)
        anns.announce()
        run = anns.finish(anns.start("copy").id)
        assert code(bob.delete(wire.run(run.id))) == (404, "not-found")
        assert anns.get(run.id).state == "done"
