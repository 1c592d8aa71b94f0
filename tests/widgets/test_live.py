"""Following a run: canvases fill, joins are shown, faults are the last word."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_hmz import live
from napari_hmz.errors import BackendUnreachable, QuotaExceeded, SourceUnreadable
from napari_hmz.live import Advanced, Begun, Broken, Ended, Filled, Update, blank, perform
from napari_hmz.schema import ChunkDone, ModelCard, OutputArray, Region
from napari_hmz.testing.fake_client import FakeClient
from napari_hmz.testing.fake_source import FakeSource

LARGE = OutputArray(
    name="labels", kind="instance-labels", axes=("z", "y", "x"),
    shape={"z": 3, "y": 40, "x": 33}, chunks={"z": 1, "y": 16, "x": 16}, dtype="uint32",
)  # fmt: skip # what matters stands first
IMAGE = np.random.default_rng(1).integers(0, 100, (3, 40, 33)).astype(np.uint8)


def card(kind: str = "instance-labels", dtype: str = "uint32") -> ModelCard:
    axes = ["z", "y", "x"]
    return ModelCard.model_validate(
        {
            "id": "threshold",
            "version": "1",
            "name": "Threshold",
            "summary": "",
            "task": "instance-segmentation",
            "digest": "d",
            "inputs": [{"name": "image", "axes": axes}],
            "outputs": [{"name": "labels", "kind": kind, "axes": axes, "dtype": dtype}],
            "parameters": {"threshold": {"type": "number", "default": 50}},
        }
    )


def updates(client: FakeClient) -> list[Update]:
    source = FakeSource(IMAGE, ("z", "y", "x"))
    return list(perform(lambda: client.run("threshold", source)))


def begun(found: list[Update]) -> Begun:
    first = found[0]
    assert isinstance(first, Begun)
    return first


def test_the_canvas_ends_as_the_result() -> None:
    found = updates(FakeClient([card()]))
    canvas = begun(found).canvases["labels"]
    np.testing.assert_array_equal(canvas.array, IMAGE > 50)
    last = found[-1]
    assert isinstance(last, Ended)
    assert last.run.state == "done"
    told = [update.standing for update in found if isinstance(update, Advanced)]
    assert [standing.doing for standing in told] == ["computing"] * 10 + ["joining", "done"]
    assert told[-1].blocks_done == told[-1].blocks_total == 9


def test_a_large_canvas_is_empty_and_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HUGE_BYTES", 1)
    canvas = blank(LARGE)
    assert canvas.array.shape == (3, 40, 33)
    assert not canvas.array.any()
    canvas.array[1, 2:5] = 7
    assert int(canvas.array.sum()) == 7 * 3 * 33
    assert not canvas.is_in_file


def test_joined_objects_are_shown_under_one_id_before_the_end() -> None:
    source = FakeSource(IMAGE, ("z", "y", "x"))
    seen: list[set[int]] = []
    stream = perform(lambda: FakeClient([card()]).run("threshold", source))
    first = next(stream)
    assert isinstance(first, Begun)
    for update in stream:
        if isinstance(update, Filled):
            seen.append(set(np.unique(first.canvases["labels"].array)) - {0})
    assert {len(ids) for ids in seen[:9]} == set(range(1, 10))
    assert {1000} in seen, "all provisional ids join into the first"
    assert seen[-1] == {1}


def test_an_image_keeps_its_values_and_their_span() -> None:
    found = updates(FakeClient([card("image", "float32")]))
    canvas = begun(found).canvases["labels"]
    np.testing.assert_array_equal(canvas.array, IMAGE.astype(np.float32))
    assert (canvas.low, canvas.high) == (0, IMAGE.max())


@pytest.mark.parametrize("error", [QuotaExceeded("full"), BackendUnreachable("gone")])
def test_a_refused_run_is_one_word(error: QuotaExceeded) -> None:
    assert updates(FakeClient([card()], refuse=error)) == [Broken(error)]


def test_a_lost_backend_keeps_what_has_arrived() -> None:
    error = BackendUnreachable("gone")
    found = updates(FakeClient([card()], break_off=error))
    assert found[-1] == Broken(error)
    assert begun(found).canvases["labels"].array.any()


def test_a_run_whose_image_cannot_be_sent_says_why() -> None:
    error = SourceUnreadable("The disk is gone.")
    found = updates(FakeClient([card()], unsendable=error))
    assert found[-1] == Broken(error)


def output(shape: tuple[int, int]) -> OutputArray:
    sizes = {"y": shape[0], "x": shape[1]}
    return OutputArray.model_validate(
        {
            "name": "labels",
            "kind": "instance-labels",
            "axes": ("y", "x"),
            "shape": sizes,
            "chunks": sizes,
            "dtype": "uint32",
        }
    )


def test_a_large_canvas_lies_in_a_file() -> None:
    canvas = blank(output((64, 64)), memory_cap_bytes=1000)
    assert isinstance(canvas.array, np.memmap)
    canvas.fill(done("c/0", {"y": (0, 2), "x": (0, 64)}), np.ones((2, 64), np.uint32))
    assert canvas.array.sum() == 128


def done(key: str, region: Region, *, final: bool = False) -> ChunkDone:
    return ChunkDone(number=1, output="labels", key=key, region=region, final=final, digest="d")


ids = st.integers(1, 12)
steps = st.lists(st.tuples(st.integers(0, 3), ids, ids), max_size=12)


@given(steps)
@settings(max_examples=60)
def test_chunks_and_joins_may_come_in_any_order(steps: list[tuple[int, int, int]]) -> None:
    canvas = blank(output((4, 5)))
    rows: dict[int, NDArray[Any]] = {}
    groups = {i: {i} for i in range(1, 13)}
    for row, a, b in steps:
        values = np.array([[0, a, b, a, 0]], np.uint32)
        rows[row] = values
        canvas.fill(done(f"c/{row}", {"y": (row, row + 1), "x": (0, 5)}), values)
        high, low = max(shown(groups, a), shown(groups, b)), min(shown(groups, a), shown(groups, b))
        if high != low:
            groups[high] = groups[low] = groups[high] | groups[low]
            for member in groups[low]:
                groups[member] = groups[low]
            canvas.merge([(high, low)])
    for row, values in rows.items():
        expected = [shown(groups, int(v)) if v else 0 for v in values[0]]
        assert canvas.array[row].tolist() == expected


def shown(groups: dict[int, set[int]], member: int) -> int:
    return min(groups[member])


def test_a_final_chunk_is_not_touched_by_joins() -> None:
    canvas = blank(output((4, 5)))
    region: Region = {"y": (0, 1), "x": (0, 5)}
    canvas.fill(done("c/0", region), np.full((1, 5), 9, np.uint32))
    canvas.fill(done("c/0", region, final=True), np.full((1, 5), 2, np.uint32))
    assert canvas.merge([(2, 1)]) == []
    assert canvas.array[0].tolist() == [2] * 5


def test_what_is_written_here_is_complete_before_the_end_is_told(tmp_path: Path) -> None:
    last = updates(FakeClient([card()], stored_at=tmp_path))[-1]
    assert isinstance(last, Ended)
    assert last.stored_at == tmp_path
    assert updates(FakeClient([card()]))[-1] == Ended(last.run)


def test_an_output_that_memory_cannot_hold_is_filled_in_a_file() -> None:
    output = begun(updates(FakeClient([card()]))).canvases["labels"].output
    assert blank(output, memory_cap_bytes=0).is_in_file
    assert not blank(output).is_in_file
