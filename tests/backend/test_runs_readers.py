"""Which chunks are read again, and which may be asked for: for any shape, halo and order."""

import math
from collections.abc import Iterator
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hmz_backend.planning import block_at, block_chunks, blocks, chunk_blocks
from hmz_backend.planning.chunks import key_style, largest_chunk_set
from hmz_backend.runs.frontier import Frontier
from hmz_backend.runs.ration import ration
from hmz_backend.runs.readers import Readers
from hmz_backend.stores.grid import Index
from hmz_backend.testing.planned import a_model, a_plan, an_image, image_output
from napari_hmz.schema import AxisName, Plan, Sizes, VolumeRequest

AXES: tuple[AxisName, ...] = ("c", "y", "x")
EXAMPLES = settings(max_examples=60, deadline=None)
DOCUMENT = {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}}


@st.composite
def planned(draw: st.DrawFn) -> tuple[Plan, VolumeRequest]:
    shape: Sizes = {axis: draw(st.integers(1, 4 if axis == "c" else 20)) for axis in AXES}
    chunks: Sizes = {axis: draw(st.integers(1, 9)) for axis in AXES}
    volume = an_image(shape, chunks, document=DOCUMENT)
    card = a_model(("y", "x"), outputs=[image_output(("y", "x"), "crop")])
    block = {axis: draw(st.integers(1, 9)) for axis in ("y", "x")}
    halo = {axis: draw(st.integers(0, 3)) for axis in ("y", "x")}
    low = draw(st.integers(0, shape["x"] - 1))
    region = {"x": (low, draw(st.integers(low + 1, shape["x"])))}
    if draw(st.booleans()):
        channel = draw(st.integers(0, shape["c"] - 1))
        region["c"] = (channel, channel + 1)
    return a_plan(card, volume, block=block, halo=halo, region=region), volume


@EXAMPLES
@given(planned(), st.randoms(use_true_random=False))
def test_a_chunk_is_let_go_with_its_last_block(
    case: tuple[Plan, VolumeRequest], random: Random
) -> None:
    plan, volume = case
    style = key_style(volume)
    readers = Readers.of(plan, volume, np.ones(plan.blocks, bool))
    left = {n: set(block_chunks(plan, volume, block_at(plan, n))) for n in range(plan.blocks)}
    assert largest_chunk_set(plan, volume) == max(map(len, left.values()))
    for index in np.ndindex(*readers.left.shape):
        count = sum(style.write(index) in keys for keys in left.values())
        assert readers.left[index] == count == len(chunk_blocks(plan, volume, style.write(index)))
    order = list(range(plan.blocks))
    random.shuffle(order)
    resumed = Readers.of(plan, volume, np.isin(np.arange(plan.blocks), order[plan.blocks // 2 :]))
    for number in order[: plan.blocks // 2]:
        keys = left.pop(number)
        gone = {style.write(index) for index in readers.done(block_at(plan, number))}
        assert gone == {key for key in keys if not any(key in others for others in left.values())}
    np.testing.assert_array_equal(readers.left, resumed.left)
    needed, there = readers.count(np.zeros(readers.left.shape, np.uint8))
    assert needed - there == np.count_nonzero(readers.left)


class Row:
    """A run over blocks in a row, each of which reads a few chunks; blocks take turns at random."""

    def __init__(self, order: list[int], width: int, held: set[Index]) -> None:
        self.width = width
        self.left = set(order)
        self.frontier = Frontier(
            order=np.array(order, np.int64),
            pending=np.ones(len(order), bool),
            needs=self.needs,
            is_missing=lambda index: index not in held,
            window=5,
        )

    def needs(self, block: int) -> Iterator[Index]:
        return ((chunk,) for chunk in range(block, block + self.width))

    def reads(self, index: Index) -> bool:
        return any(index in set(self.needs(block)) for block in self.left)


def unread(runs: list[Row], indices: Iterator[Index]) -> set[Index]:
    return {index for index in indices if not any(run.reads(index) for run in runs)}


@EXAMPLES
@given(st.data())
def test_runs_in_any_order_end_in_no_more_room_than_the_largest_block_needs(
    data: st.DataObject,
) -> None:
    blocks = data.draw(st.integers(1, 12))
    widths = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    slots = data.draw(st.integers(max(widths), 8))
    held: set[Index] = set()
    runs = [Row(list(data.draw(st.permutations(range(blocks)))), w, held) for w in widths]
    under_way: list[tuple[Row, int]] = []
    ends = st.booleans()
    for _ in range(400):
        alive = [run for run in runs if run.left]
        if not alive:
            return
        if data.draw(ends) and under_way:
            run, block = under_way.pop(0)
            assert set(run.needs(block)) <= held, "a chunk in use was taken away"
            run.left.discard(block)
            run.frontier.done([block])
            held.difference_update(unread(runs, run.needs(block)))
        for run in alive:
            if (taken := run.frontier.take()) is not None:
                under_way.append((run, taken))
        frontiers = [run.frontier for run in alive]
        found = ration(frontiers, runs[0].frontier.is_missing, slots=slots, limit=3)
        assert len(found.kept) <= slots
        spare = [index for index in held if index not in found.kept]
        excess = len(held) + len(found.wanted) - slots
        held.difference_update(spare[: max(0, excess)])
        for index in found.wanted:
            held.add(index)
            for run in alive:
                run.frontier.arrived(index)
        assert len(held) <= slots
        if not found.wanted and under_way:
            run, block = under_way.pop(0)
            run.left.discard(block)
            run.frontier.done([block])
            held.difference_update(unread(runs, run.needs(block)))
    raise AssertionError("the runs did not get on")


def test_a_long_volume_needs_room_for_its_cross_section_only() -> None:
    """Without an engine: 36,864 blocks, each chunk sent once into a tenth of the volume's room."""
    shape: Sizes = {"z": 512, "y": 192, "x": 192}
    volume = an_image(shape, {"z": 8, "y": 16, "x": 16}, document=DOCUMENT)
    card = a_model(halo={"z": 4, "y": 4, "x": 4}, preferred={"z": 16, "y": 16, "x": 16})
    plan = a_plan(card, volume, block={"z": 8, "y": 8, "x": 8}, halo={"z": 4, "y": 4, "x": 4})
    readers = Readers.of(plan, volume, np.ones(plan.blocks, bool))
    here: set[Index] = set()
    most = sent = 0
    for block in blocks(plan):
        needed = {tuple(map(int, key.split("/")[1:])) for key in block_chunks(plan, volume, block)}
        sent += len(needed - here)
        here |= needed
        most = max(most, len(here))
        here -= readers.done(block)
    total = math.prod(readers.left.shape)
    assert sent == total == 64 * 12 * 12
    assert not here
    assert most <= total // 10
