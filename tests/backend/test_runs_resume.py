"""A run that was stopped goes on under its id: nothing journalled is computed again."""

import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmz_backend.engines.protocol import TileRequest
from hmz_backend.runs import journal, service
from hmz_backend.serving import ServingError
from hmz_backend.testing.cards import CARDS, MODELS, VERSION, copy
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import LiveBackend, wait_until
from hmz_backend.testing.user import User
from napari_hmz.schema import ChunkDone, Run, StateChanged, wire

BLOCK = {"z": 8, "y": 8, "x": 8}
IN_THE_AIR = 8  # tiles that are read, computed or written at once
MODELS_USED = ("components", "blended", "copy", "bright")


def files(folder: Path, run: str) -> dict[str, bytes]:
    root = folder / "runs" / run / "outputs"
    found = [path for path in root.rglob("*") if path.is_file() and path.name != "zarr.json"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def resumed(user: User, run: str) -> Run:
    return Run.model_validate_json(user.post(wire.resume(run), None, 200).content)


def stopped_in_the_middle(user: User, engine: FakeEngine, model: str) -> Run:
    engine._delay_s = 0.02
    run = user.start(model, block=BLOCK)
    with user.feeding():
        wait_until(lambda: user.get(run.id).progress.blocks_done > 20)
        found = user.post(wire.cancel(run.id), None).json()
    assert found["state"] == "cancelled"
    assert f"hmz attach {run.id}" in found["error"]["remedy"]
    engine._delay_s = 0.0
    return run


@pytest.mark.parametrize("model", MODELS_USED)
def test_a_cancelled_run_goes_on_and_the_bytes_are_the_same(
    user: User, backend: LiveBackend, engine: FakeEngine, model: str
) -> None:
    user.announce()
    calm = user.finish(user.start(model, block=BLOCK).id)
    before = len(engine.requests)
    run = stopped_in_the_middle(user, engine, model)
    for _ in range(2):  # twice is no error
        again = resumed(user, run.id)
        assert (again.id, again.error, again.ended_at) == (run.id, None, None)
        assert again.state in {"queued", "running", "joining", "done"}
    done = user.finish(run.id)
    assert done.state == "done", done.error
    assert len(engine.requests) - before <= calm.plan.blocks + IN_THE_AIR
    assert done.results == calm.results
    assert files(backend.folder, run.id) == files(backend.folder, calm.id)
    assert resumed(user, run.id).state == "done"


def test_a_journal_is_read_a_page_at_a_time(
    user: User, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.announce()
    calm = user.finish(user.start("components", block=BLOCK).id)
    run = stopped_in_the_middle(user, engine, "components")
    monkeypatch.setattr(journal, "PAGE", 3)
    before, kept = len(engine.requests), user.get(run.id).progress.blocks_done
    assert kept > 3 * journal.PAGE
    resumed(user, run.id)
    done = user.finish(run.id)
    assert done.state == "done", done.error
    assert done.results == calm.results
    assert len(engine.requests) - before <= run.plan.blocks - kept + IN_THE_AIR


def test_events_go_on_and_the_end_that_was_none_is_left_out(user: User, engine: FakeEngine) -> None:
    user.announce()
    run = stopped_in_the_middle(user, engine, "copy")
    first = list(user.events(run.id))
    assert isinstance(first[-1], StateChanged)
    assert first[-1].state == "cancelled"
    resumed(user, run.id)
    with user.feeding():
        later = list(user.events(run.id, first[-1].number))
    assert isinstance(later[0], StateChanged)
    assert (later[0].number, later[0].state) == (first[-1].number + 1, "queued")
    whole = list(user.events(run.id))
    assert whole == [*first[:-1], *later]
    chunks = [event.key for event in whole if isinstance(event, ChunkDone)]
    assert len(chunks) == len(set(chunks)) == run.plan.blocks


def test_whoever_names_the_end_hears_it_again(user: User) -> None:
    user.announce()
    run = user.finish(user.start("copy").id)
    events = list(user.events(run.id))
    for after in (events[-1].number, events[-1].number - 1):
        assert list(user.events(run.id, after)) == events[-1:]
    assert list(user.events(run.id, 10**9)) == events  # a number that was never given


def test_who_follows_a_cancelled_run_hears_it_go_on(user: User, engine: FakeEngine) -> None:
    user.announce()
    run = stopped_in_the_middle(user, engine, "copy")
    resumed(user, run.id)
    heard: list[str] = []

    def listen() -> None:
        heard.extend(e.state for e in user.events(run.id) if isinstance(e, StateChanged))

    listeners = [threading.Thread(target=listen) for _ in range(3)]
    for listener in listeners:
        listener.start()
    with user.feeding():
        for listener in listeners:
            listener.join()
    assert heard.count("done") == 3
    assert "cancelled" not in heard


def test_a_cause_that_persists_fails_again_and_one_that_is_gone_does_not(
    user: User, engine: FakeEngine
) -> None:
    broken = True

    def failing(request: TileRequest) -> Mapping[str, NDArray[Any]]:
        if broken and request.inputs["image"].flat[0] == 255:
            raise ServingError("bad tile", tensor="out")
        return copy(request)

    engine._models = {("copy", VERSION): failing}
    user.array[:] = 7
    user.array[10:, 30:, 30:] = 255
    user.announce()
    run = user.finish(user.start("copy", block={"z": 4, "y": 8, "x": 8}).id)
    first, done = run.error, run.progress.blocks_done
    assert first is not None
    for _ in range(2):
        resumed(user, run.id)
        again = user.finish(run.id)
        assert (again.state, again.error) == ("failed", first)
        assert again.progress.blocks_done >= done
    broken = False
    resumed(user, run.id)
    assert user.finish(run.id).state == "done"
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array)


@pytest.mark.parametrize("model", MODELS_USED)
def test_a_run_whose_files_were_collected_starts_over(
    user: User, backend: LiveBackend, engine: FakeEngine, model: str
) -> None:
    user.announce()
    calm = user.finish(user.start(model, block=BLOCK).id)
    run = stopped_in_the_middle(user, engine, model)
    shutil.rmtree(backend.folder / "runs" / run.id)
    resumed(user, run.id)
    done = user.finish(run.id)
    assert done.state == "done", done.error
    assert files(backend.folder, run.id) == files(backend.folder, calm.id)


def test_a_lost_brief_is_made_again_unless_the_model_has_changed(
    tmp_path: Path, user: User, backend: LiveBackend, engine: FakeEngine
) -> None:
    user.announce()
    run = stopped_in_the_middle(user, engine, "copy")
    (backend.folder / "runs" / run.id / "brief.json").write_bytes(bytes(300))  # torn
    packages = backend.app.state.services.catalogue.lookout.packages
    changed = [card.model_copy(update={"digest": "sha256:other"}) for card in CARDS]
    for cards, words in (([], "is not here any more"), (changed, "has been changed")):
        object.__setattr__(packages, "cards", cards)
        resumed(user, run.id)
        failed = user.finish(run.id)
        assert failed.error is not None
        assert failed.error.code == "run-failed"
        assert words in failed.error.detail
        assert failed.error.remedy
    object.__setattr__(packages, "cards", CARDS)
    resumed(user, run.id)
    assert user.finish(run.id).state == "done"


def test_results_that_were_collected_are_named_as_such(user: User, backend: LiveBackend) -> None:
    user.announce()
    run = user.finish(user.start("copy").id)
    shutil.rmtree(backend.folder / "runs" / run.id)
    answer = user.http.get(wire.output(run.id, "out", "zarr.json"))
    assert answer.status_code == 404
    assert "too long ago" in answer.json()["detail"]
    assert "Run it again" in answer.json()["remedy"]


def test_a_list_of_many_runs_is_bounded(
    user: User, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LISTED", 3)
    monkeypatch.setattr(service, "OUTPUTS_KNOWN", 2)
    user.announce()
    runs = [user.finish(user.start("copy").id) for _ in range(4)]
    stopped = stopped_in_the_middle(user, engine, "copy")
    found = [Run.model_validate(run) for run in user.http.get(wire.RUNS).json()]
    assert [run.id for run in found] == [stopped.id, runs[3].id, runs[2].id]
    assert 20 < found[0].progress.blocks_done < found[0].plan.blocks
    assert found[1].progress == runs[3].progress
    for run in runs:
        assert user.http.get(wire.output(run.id, "out", "zarr.json")).status_code == 200


def test_strangers_may_not_resume(user: User) -> None:
    user.post(wire.resume("nothing"), None, 404)


def test_a_stopped_backend_keeps_what_was_cancelled(tmp_path: Path) -> None:
    image = np.random.default_rng(5).integers(0, 256, (20, 50, 44)).astype("uint8")
    engine = FakeEngine(MODELS)
    with LiveBackend(tmp_path, engine, CARDS) as live, live.client() as http:
        user = User(http, image, (8, 16, 16))
        user.announce()
        run = stopped_in_the_middle(user, engine, "copy")
    again = FakeEngine(MODELS)
    with LiveBackend(tmp_path, again, CARDS) as live, live.client() as http:
        user = User(http, image, (8, 16, 16))
        user.announce()
        assert user.get(run.id).state == "cancelled"  # nobody has asked for more
        assert again.requests == []
        done = resumed(user, run.id).progress.blocks_done
        assert user.finish(run.id).state == "done"
        assert len(again.requests) <= run.plan.blocks - 20
        assert done >= 20
        np.testing.assert_array_equal(user.output(run.id, "out"), image)


Cancel = Callable[[User, str], None]


def one(user: User, run: str) -> None:
    user.post(wire.cancel(run), None)


def two(user: User, run: str) -> None:
    threads = [threading.Thread(target=one, args=(user, run)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("cancel", [one, two])
@pytest.mark.parametrize("moment", ["opening", "waiting", "computing", "joining"])
def test_a_run_is_cancelled_at_any_moment_and_goes_on(
    *,
    user: User,
    engine: FakeEngine,
    backend: LiveBackend,
    moment: str,
    cancel: Cancel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hmz_backend.runs.finishing import Finisher
    from hmz_backend.runs.folder import RunFolder

    reached, go_on = threading.Event(), threading.Event()

    def held(work: Callable[..., Any]) -> Callable[..., Any]:
        def waiting(*args: object) -> object:
            reached.set()
            go_on.wait(0.3)
            return work(*args)

        return waiting

    with monkeypatch.context() as patch:
        if moment == "opening":
            patch.setattr(RunFolder, "sweep", held(RunFolder.sweep))
        if moment == "joining":
            patch.setattr(Finisher, "_relabelling", held(Finisher._relabelling))
        if moment == "computing":
            engine._delay_s = 0.05
        user.announce()
        run = user.start("components", block=BLOCK)
        if moment == "waiting":
            wait_until(lambda: user.get(run.id).progress.waiting_for == "chunks")
        elif moment == "opening":
            assert reached.wait(20)
        with user.feeding() if moment in {"computing", "joining"} else monkeypatch.context():
            if moment == "computing":
                wait_until(lambda: len(engine.requests) > 5)
            if moment == "joining":
                assert reached.wait(60)
            cancel(user, run.id)
        begun = len(engine.requests)
        assert user.get(run.id).state == "cancelled"
    engine._delay_s = 0.0
    states = [e.state for e in user.events(run.id) if isinstance(e, StateChanged)]
    assert states.count("cancelled") == 1
    assert not user.wanted(0).active
    assert len(engine.requests) == begun
    resumed(user, run.id)
    assert user.finish(run.id).state == "done"
    assert len(engine.requests) <= run.plan.blocks + IN_THE_AIR
