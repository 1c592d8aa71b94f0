"""Joining on the disk: any order, lives that end anywhere, files that are lost."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from numpy.typing import NDArray
from scipy import ndimage

from hmz_backend.planning import block_at, neighbours
from hmz_backend.runs.column_file import FileColumn
from hmz_backend.runs.join_log import Compared, JoinLog
from hmz_backend.stitching.bands import TileLabels
from hmz_backend.stitching.matching import Rule, matches
from hmz_backend.stitching.unionfind import Pairs
from hmz_backend.testing.label_run import LabelRun
from napari_hmz.schema import AxisName

Array = NDArray[Any]


def components(tile: Array) -> Array:
    return np.asarray(ndimage.label(tile, np.ones([3] * tile.ndim))[0], np.uint32)


def as_they_are(tile: Array) -> Array:
    return tile.astype(np.uint32) * 70_001  # far from dense, as a network's numbers may be


def raster_numbered(labels: Array) -> Array:
    flat = labels.reshape(-1)
    ids = [number for number in dict.fromkeys(flat.tolist()) if number]
    table = {0: 0} | {number: place + 1 for place, number in enumerate(ids)}
    return np.array([table[number] for number in flat.tolist()]).reshape(labels.shape)


def by_planes(image: Array) -> Array:
    out = np.zeros(image.shape, np.int64)
    for place, index in enumerate(np.ndindex(*image.shape[:-2])):
        found = components(image[index]).astype(np.int64)
        out[index] = np.where(found, found + 10_000 * place, 0)
    return raster_numbered(out)


def noise(shape: Sequence[int], density: float) -> Array:
    return np.asarray(np.random.default_rng(7).random(shape) < density, np.uint8)


def grains(shape: Sequence[int], largest: int) -> Array:
    rng, image = np.random.default_rng(3), np.zeros(shape, np.uint8)
    for number in range(1, 30):
        low = [int(rng.integers(0, extent)) for extent in shape]
        image[tuple(slice(a, a + int(rng.integers(1, largest + 1))) for a in low)] = number
    return image


@dataclass(frozen=True)
class Case:
    image: Array
    axes: tuple[AxisName, ...]
    whole: Callable[[Array], Array]
    block: Mapping[str, int]
    halo: Mapping[str, int]
    label: Callable[[Array], Array] = components
    rule: str = "overlap"
    more: dict[str, Any] = field(default_factory=dict)

    def run(self, folder: Path) -> LabelRun:
        request = {"block": dict(self.block), "halo": dict(self.halo), **self.more}
        model = tuple(axis for axis in self.axes if axis in self.block)
        return LabelRun(
            folder, self.image, self.axes, self.label, model, rule=self.rule, request=request
        )

    @property
    def expected(self) -> Array:
        region = self.more.get("region", {})
        box = tuple(slice(*region.get(axis, (None, None))) for axis in self.axes)
        return self.whole(self.image[box])


ZYX: tuple[AxisName, ...] = ("z", "y", "x")
CASES = {
    "volume": Case(noise((7, 9, 10), 0.15), ZYX, components, dict.fromkeys(ZYX, 4),
                   dict.fromkeys(ZYX, 1)),
    "sponge": Case(noise((6, 9, 8), 0.45), ZYX, components, {"z": 3, "y": 2, "x": 5},
                   {"z": 1, "y": 2, "x": 1}),
    "region": Case(noise((7, 9, 10), 0.2), ZYX, components, {"z": 3, "y": 4, "x": 4},
                   dict.fromkeys(ZYX, 2), more={"region": {"z": (1, 6), "x": (2, 10)}}),
    "halo longer than a block": Case(noise((13, 11), 0.3), ("y", "x"), components,
                                     {"y": 2, "x": 3}, {"y": 5, "x": 4}),
    "block larger than the volume": Case(noise((5, 6), 0.4), ("y", "x"), components,
                                         {"y": 64, "x": 64}, {"y": 4, "x": 4}),
    "time": Case(noise((3, 9, 8), 0.3), ("t", "y", "x"), by_planes, {"y": 4, "x": 3},
                 {"y": 1, "x": 2}),
    "channels": Case(noise((2, 2, 8, 7), 0.3), ("c", "z", "y", "x"), by_planes,
                     {"y": 4, "x": 4}, {"y": 1, "x": 1}),
    "agreement": Case(grains((14, 15), 3), ("y", "x"), raster_numbered, {"y": 4, "x": 5},
                      {"y": 3, "x": 3}, label=as_they_are, rule="agreement"),
}  # fmt: skip


class Lives(RuleBasedStateMachine):
    """Computes, joins and makes final in any order, and dies at any moment."""

    @initialize(name=st.sampled_from(sorted(CASES)))
    def start(self, name: str) -> None:
        self.place = tempfile.TemporaryDirectory()
        self.case = CASES[name]
        self.run = self.case.run(Path(self.place.name))
        self.unjoined = list[int]()
        self.synced_bytes = 0
        self._watch()

    def _watch(self) -> None:
        """Note how much of the log a loss of power leaves."""
        log, sync = self.run.work.log, self.run.work.log.sync

        def noted() -> None:
            sync()
            self.synced_bytes = log.path.stat().st_size

        log.sync = noted  # type: ignore[method-assign] # a spy

    @precondition(lambda self: self.run.left)
    @rule(data=st.data(), count=st.integers(1, 8))
    def compute(self, data: st.DataObject, count: int) -> None:
        for _ in range(min(count, len(self.run.left))):
            number = data.draw(st.sampled_from(self.run.left))
            self.run.compute(number)
            self.unjoined.append(number)

    @rule()
    def join(self) -> None:
        self.run.joining.add(self.unjoined)
        self.unjoined = []
        self._check_folder()

    @rule()
    def die(self) -> None:
        known = len(self.run.journal)
        self._begin()
        assert len(self.run.journal) == known  # nothing is lost

    @rule(data=st.data())
    def lose_power(self, data: st.DataObject) -> None:
        log = self.run.work.log.path
        files = sorted(p for p in self.run.folder.rglob("*") if p.is_file() and p != log)
        torn = data.draw(st.lists(st.sampled_from(files), max_size=4)) if files else []
        size = log.stat().st_size if log.exists() else 0
        kept, length = (
            data.draw(st.integers(self.synced_bytes, size)),
            data.draw(st.integers(0, 40)),
        )
        if size:
            log.write_bytes(log.read_bytes()[:kept])
        for path in torn:
            path.write_bytes(path.read_bytes()[:length])
        self._begin()

    @precondition(lambda self: not self.run.left)
    @rule(data=st.data())
    def die_while_labels_become_final(self, data: st.DataObject) -> None:
        self.join()
        order = data.draw(st.permutations(self._unfinal()))
        journalled = data.draw(st.integers(0, len(order)))
        written = data.draw(st.integers(journalled, len(order)))
        self.run.relabel(order[:journalled])
        self._begin()
        self.run.relabel(order[journalled:written], journalled=False)
        self._begin()
        assert not self.run.left

    def _unfinal(self) -> list[int]:
        return [number for number, receipt in self.run.journal.items() if not receipt.final]

    def _begin(self) -> None:
        self.run.begin()
        self._watch()
        self.unjoined = []
        self._check_folder()

    def _check_folder(self) -> None:
        """Tiles are kept for neighbours to come only."""
        kept = {int(path.stem) for path in self.run.work.folder.glob("*.band")}
        joined = {*self.run.journal} - {*self.unjoined}
        over = {n for n in joined if joined.issuperset(neighbours(self.run.plan, n))}
        assert not kept & over

    def teardown(self) -> None:
        if hasattr(self, "run"):
            with self.place:
                self._end()

    def _end(self) -> None:
        for number in self.run.left:
            self.run.compute(number)
            self.unjoined.append(number)
        self.run.joining.add(self.unjoined)
        count = self.run.relabel(self._unfinal())
        np.testing.assert_array_equal(self.run.output(), self.case.expected)
        assert count == self.case.expected.max()
        assert not list(self.run.work.folder.glob("*.band"))
        assert not list(self.run.work.folder.glob("*.final"))


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)


@pytest.mark.parametrize("name", sorted(CASES))
def test_chunks_are_the_same_to_the_byte_in_any_order(tmp_path: Path, name: str) -> None:
    stored = []
    for seed in range(3):
        run = CASES[name].run(tmp_path / str(seed))
        order = np.random.default_rng(seed).permutation(run.plan.blocks).tolist()
        for start in range(0, len(order), 1 + seed * 3):
            batch = order[start : start + 1 + seed * 3]
            for number in batch:
                run.compute(number)
            run.joining.add(batch)
        run.relabel(order)
        np.testing.assert_array_equal(run.output(), CASES[name].expected)
        stored.append(run.stored())
    assert stored[0] == stored[1] == stored[2]


def test_a_restart_compares_only_what_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = list[int]()

    def counted(one: TileLabels, other: TileLabels, rule: Rule, threshold: float) -> Pairs:
        pairs.append(1)
        return matches(one, other, rule, threshold)

    monkeypatch.setattr("hmz_backend.stitching.joining.matches", counted)
    run = CASES["volume"].run(tmp_path)
    order = list(range(run.plan.blocks))
    for number in order[:-2]:
        run.compute(number)
    run.joining.add(order[:-3])
    before = len(pairs)
    run.begin()
    assert len(pairs) - before == len(set(neighbours(run.plan, order[-3])) & set(order[:-3]))
    for number in order[-2:]:
        run.compute(number)
    run.joining.add(order[-2:])
    assert len(pairs) == sum(len(neighbours(run.plan, n)) for n in order) // 2
    run.begin()
    assert len(pairs) == sum(len(neighbours(run.plan, n)) for n in order) // 2


def test_ids_beyond_uint32_are_written(tmp_path: Path) -> None:
    run = CASES["volume"].run(tmp_path)
    output = run.plan.outputs[0].model_copy(update={"dtype": "uint64"})
    run.plan = run.plan.model_copy(update={"outputs": (output,)})
    run.begin()
    for number in range(run.plan.blocks):
        run.compute(number)
    run.joining.add(range(run.plan.blocks))
    ids = run.joining.finish(planes=False)
    far = 2**40
    for number in range(run.plan.blocks):
        table = ids.table(number).astype(np.uint64)
        table[1:] += np.uint64(far)
        receipt = run.work.relabel(block_at(run.plan, number), table)
        run.journal[number] = receipt
    expected = CASES["volume"].expected.astype(np.int64)
    np.testing.assert_array_equal(
        run.output().astype(np.int64), np.where(expected, expected + far, 0)
    )


def test_a_tile_may_have_more_labels_than_uint16_holds(tmp_path: Path) -> None:
    image = np.zeros((2, 520, 540), np.uint8)
    image[0, ::2, ::2] = 1
    case = Case(image, ZYX, components, {"z": 1, "y": 520, "x": 538}, dict.fromkeys(ZYX, 1))
    run = case.run(tmp_path)
    for number in range(run.plan.blocks):
        run.compute(number)
    run.joining.add(range(run.plan.blocks))
    assert max(receipt.objects for receipt in run.journal.values()) > 65_536
    assert run.relabel(range(run.plan.blocks)) == 260 * 270
    np.testing.assert_array_equal(run.output(), case.expected)


@pytest.mark.parametrize("cut", [1, 7, 8, 20])
def test_a_torn_end_of_the_log_is_cut_off(tmp_path: Path, cut: int) -> None:
    log = JoinLog(tmp_path / "joins.log")
    record = Compared(3, np.array([1, 5, 2**50]), np.array([[1, 2], [3, 1]]))
    other = Compared(4, np.empty(0, np.int64), np.empty((0, 2), np.int64))
    log.append([record])
    whole = log.path.stat().st_size
    log.append([other])
    log.path.write_bytes(log.path.read_bytes()[:-cut])
    (found,) = log.records()
    assert (found.block, log.path.stat().st_size) == (3, whole)
    np.testing.assert_array_equal(found.first, record.first)
    np.testing.assert_array_equal(found.pairs, record.pairs)
    log.append([other])
    assert [found.block for found in log.records()] == [3, 4]


def test_what_a_stalled_process_appends_to_a_log_that_was_taken_up_is_not_in_it(
    tmp_path: Path,
) -> None:
    log, other = JoinLog(tmp_path / "joins.log"), JoinLog(tmp_path / "other.log")
    empty = np.empty(0, np.int64)
    first, second, third = (Compared(n, empty, empty.reshape(0, 2)) for n in range(3))
    log.append([first])
    other.append([second])
    with log.path.open("ab") as stalled:
        assert [found.block for found in log.take_up()] == [0]
        stalled.write(other.path.read_bytes())
    log.append([third])
    assert [found.block for found in log.records()] == [0, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["joins.log", "other.log"]


def test_a_log_that_is_not_there_is_taken_up_as_an_empty_one(tmp_path: Path) -> None:
    assert not [*JoinLog(tmp_path / "joins.log").take_up()]


def test_a_column_that_a_stalled_process_has_mapped_is_another_file(tmp_path: Path) -> None:
    stalled = FileColumn(tmp_path / "parents.column")
    stalled.extend(np.arange(5_000))
    mapped = stalled.array
    column = FileColumn(tmp_path / "parents.column")
    column.extend(np.arange(3))
    mapped[:] = -1  # were the file the same one, there would be nothing behind most of the map
    np.testing.assert_array_equal(column.array, np.arange(3))
