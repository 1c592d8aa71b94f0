"""Blocks of any plan: they partition, obey the model's rule, and know their neighbours."""

import itertools
from math import prod
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hmz_backend.planning import (
    Block,
    block_at,
    blocks,
    blocks_in,
    blocks_reading,
    chunk_key,
    neighbours,
    output_region,
    plane_pairs,
    tile_part,
)
from hmz_backend.planning.blocks import tiled_voxels
from hmz_backend.planning.order import run_order
from hmz_backend.testing.planned import a_model, a_plan, an_image, image_output
from napari_hmz.schema import AxisName, Plan, Region, SizeRule, Sizes, extents

AXES: tuple[tuple[AxisName, ...], ...] = (
    ("y", "x"),
    ("z", "y", "x"),
    ("t", "y", "x"),
    ("c", "y", "x"),
    ("t", "z", "y", "x"),
    ("y", "x", "c"),
)
MODELS: tuple[tuple[AxisName, ...], ...] = (("y", "x"), ("z", "y", "x"), ("c", "y", "x"))

EXAMPLES = settings(max_examples=60, deadline=None)  # a busy machine is no failure


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    model = draw(st.sampled_from(MODELS))
    tiled: list[AxisName] = [axis for axis in model if axis != "c"]
    axes = draw(st.sampled_from([found for found in AXES if set(tiled) <= set(found)]))
    shape: Sizes = {axis: draw(st.integers(1, 23 if axis in tiled else 3)) for axis in axes}
    region: Region = {}
    for axis in axes:
        start = draw(st.integers(0, shape[axis] - 1))
        region[axis] = (start, draw(st.integers(start + 1, shape[axis])))
    rules = {
        axis: SizeRule(minimum=draw(st.integers(1, 9)), step=draw(st.integers(1, 4)))
        for axis in tiled
    }
    some = st.fixed_dictionaries({}, optional={axis: st.integers(1, 14) for axis in tiled})
    few = st.fixed_dictionaries({}, optional={axis: st.integers(0, 5) for axis in tiled})
    card = a_model(model, preferred=draw(some), halo=draw(few), sizes=rules)
    request: dict[str, Any] = {"region": region if draw(st.booleans()) else {}}
    return a_plan(card, an_image(shape), block=draw(some), halo=draw(few), **request)


def shifted(region: Region, plan: Plan) -> tuple[slice, ...]:
    return tuple(
        slice(low - plan.region[axis][0], high - plan.region[axis][0])
        for axis, (low, high) in region.items()
    )


def meet(first: Region, second: Region) -> bool:
    return all(
        max(first[axis][0], second[axis][0]) < min(first[axis][1], second[axis][1])
        for axis in first
    )


@EXAMPLES
@given(plans())
def test_cores_partition_the_region(plan: Plan) -> None:
    covered = np.zeros(tuple(extents(plan.region).values()), int)
    for block in blocks(plan):
        covered[shifted(block.core, plan)] += 1
    assert (covered == 1).all()


@EXAMPLES
@given(plans())
def test_blocks_come_once_each_and_are_found_by_index(plan: Plan) -> None:
    found = list(blocks(plan))
    assert sorted(block.index for block in found) == list(range(plan.blocks))
    assert all(block_at(plan, block.index) == block for block in found)


@EXAMPLES
@given(plans())
def test_tiles_hold_what_may_be_read_of_their_halo_and_start_on_the_step(plan: Plan) -> None:
    for block in blocks(plan):
        for axis in plan.region:
            (first, last), (start, stop) = block.tile[axis], block.core[axis]
            low, high = plan.context[axis]
            whole = start - plan.halo[axis]
            assert whole <= first <= max(whole, low)
            assert last <= whole + plan.tile[axis]
            assert last >= min(stop + plan.halo[axis], high)
            if axis not in plan.tiled:
                assert (first, last) == (start, stop)
                continue
            rule = plan.sizes[axis]
            assert rule.fit(last - first) == last - first
            assert last - first <= plan.tile[axis]
            assert (start - plan.halo[axis] - first) % rule.step == 0


@EXAMPLES
@given(plans())
def test_tiles_reach_beyond_what_may_be_read_to_fill_a_step_or_the_least_size_only(
    plan: Plan,
) -> None:
    for block in blocks(plan):
        for axis in plan.tiled:
            (first, last), (low, high) = block.tile[axis], plan.context[axis]
            whole = block.core[axis][0] - plan.halo[axis]
            readable = min(high, whole + plan.tile[axis]) - max(low, whole)
            if readable >= plan.sizes[axis].minimum:
                assert low - first < plan.sizes[axis].step
                assert last - high < plan.sizes[axis].step


def test_a_tile_of_one_accepted_size_is_filled_up() -> None:
    card = a_model(("y", "x"), halo={"x": 4}, sizes={"x": SizeRule(minimum=20, step=0)})
    plan = a_plan(card, an_image({"y": 5, "x": 30}))
    assert {stop - start for block in blocks(plan) for start, stop in [block.tile["x"]]} == {20}


def test_a_tile_keeps_the_margin_that_its_result_loses() -> None:
    output = image_output(("y", "x"), margin_px={"x": 3})
    card = a_model(("y", "x"), halo={"x": 8}, outputs=[output])
    plan = a_plan(card, an_image({"y": 5, "x": 40}), block={"x": 10})
    tiles = [block_at(plan, number).tile["x"] for number in range(4)]
    assert tiles == [(-3, 18), (2, 28), (12, 38), (22, 43)]


@EXAMPLES
@given(plans())
def test_the_voxels_of_all_tiles_are_counted(plan: Plan) -> None:
    assert tiled_voxels(plan) == sum(prod(extents(block.tile).values()) for block in blocks(plan))


@st.composite
def lengths(draw: st.DrawFn) -> dict[str, int]:
    ranges = {"extent": 300, "minimum": 40, "step": 16, "halo": 20, "preferred": 90, "block": 90}
    least = {"step": 0, "halo": 0, "block": 0}
    found = {name: draw(st.integers(least.get(name, 1), most)) for name, most in ranges.items()}
    if found["step"] == 0:  # a fixed tile must leave room between its halos
        found["minimum"] += 2 * max(found["halo"], 1)
    return found


@EXAMPLES
@given(lengths())
def test_tiles_obey_the_size_rule(case: dict[str, int]) -> None:
    extent, minimum, step, halo = (case[name] for name in ("extent", "minimum", "step", "halo"))
    rule = SizeRule(minimum=minimum, step=step)
    card = a_model(
        ("y", "x"), preferred={"x": case["preferred"]}, halo={"x": halo}, sizes={"x": rule}
    )
    plan = a_plan(
        card, an_image({"y": 5, "x": extent}), block={"x": case["block"]} if case["block"] else {}
    )
    beyond = plan.tile["x"] - minimum
    assert beyond >= 0
    assert beyond % step == 0 if step else beyond == 0
    assert plan.tile["x"] >= plan.block["x"] + 2 * plan.halo["x"]
    assert plan.outputs[0].chunks["x"] == plan.block["x"] <= extent
    if plan.grid["x"] > 1:
        assert plan.halo["x"] >= halo
        if step:
            assert plan.block["x"] % step == plan.halo["x"] % step == 0


@EXAMPLES
@given(plans())
def test_neighbours_are_symmetric_and_exactly_those_within_the_halo(plan: Plan) -> None:
    found = list(blocks(plan))
    for block in found:
        near = neighbours(plan, block.index)
        assert list(near) == sorted(set(near))
        assert set(near) == {other.index for other in found if _reaches(plan, block, other)}
        assert all(block.index in neighbours(plan, other) for other in near)


def _reaches(plan: Plan, block: Block, other: Block) -> bool:
    if block.index == other.index:
        return False
    if any(block.core[axis] != other.core[axis] for axis in plan.region if axis not in plan.tiled):
        return False
    return all(
        abs(block.core[axis][0] - other.core[axis][0]) < plan.block[axis] + plan.halo[axis]
        for axis in plan.tiled
    )


@EXAMPLES
@given(plans())
def test_output_chunks_are_blocks(plan: Plan) -> None:
    output = plan.outputs[0]
    covered = np.zeros([output.shape[axis] for axis in output.axes], int)
    keys = set()
    for block in blocks(plan):
        region = output_region(plan, output, block)
        covered[tuple(slice(*region[axis]) for axis in output.axes)] += 1
        numbers = [int(part) for part in chunk_key(plan, output, block).split("/")[1:]]
        starts = [region[axis][0] for axis in output.axes]
        chunks = [output.chunks[axis] for axis in output.axes]
        assert [n * chunk for n, chunk in zip(numbers, chunks, strict=True)] == starts
        keys.add(tuple(numbers))
    assert (covered == 1).all()
    assert len(keys) == plan.blocks


@EXAMPLES
@given(plans(), st.data())
def test_blocks_of_a_region_as_counted_by_hand(plan: Plan, data: st.DataObject) -> None:
    region: Region = {}
    for axis, (start, stop) in plan.region.items():
        low = data.draw(st.integers(start - 3, stop + 2))
        region[axis] = (low, data.draw(st.integers(low, stop + 3)))
    found = list(blocks(plan))
    assert blocks_in(plan, region) == sorted(b.index for b in found if meet(b.core, region))
    reading = sorted(b.index for b in found if meet(tile_part(plan, b), region))
    assert blocks_reading(plan, region) == reading


@EXAMPLES
@given(plans())
def test_block_order_keeps_time_points_apart(plan: Plan) -> None:
    times = [block.position.get("t", 0) for block in blocks(plan)]
    assert times == sorted(times)


@given(plans())
def test_the_order_as_an_array_is_that_of_the_blocks(plan: Plan) -> None:
    assert run_order(plan).tolist() == [block.index for block in blocks(plan)]


@EXAMPLES
@given(plans(), st.data())
def test_blocks_of_a_slab_follow_each_other_in_the_same_order(
    plan: Plan, data: st.DataObject
) -> None:
    extents_of_slab: Sizes = {axis: data.draw(st.integers(1, 30)) for axis in plan.region}
    order = run_order(plan, extents_of_slab).tolist()

    def slab(index: int) -> tuple[int, ...]:
        core = block_at(plan, index).core
        return tuple(core[axis][0] // extents_of_slab[axis] for axis in plan.grid)

    slabs = [slab(index) for index in order]
    assert len(list(itertools.groupby(slabs))) == len(set(slabs))
    for wanted in set(slabs):
        inside = [index for index in run_order(plan).tolist() if slab(index) == wanted]
        assert [index for index in order if slab(index) == wanted] == inside


def test_block_order_stays_local() -> None:
    plan = a_plan(a_model(), an_image({"z": 64, "y": 64, "x": 64}), block={"z": 8, "y": 8, "x": 8})
    order = [block.position for block in blocks(plan)]
    eighth = order[: len(order) // 8]
    assert {(p["z"] // 4, p["y"] // 4, p["x"] // 4) for p in eighth} == {(0, 0, 0)}


def test_plane_pairs_are_blocks_over_each_other() -> None:
    image = an_image({"t": 2, "z": 3, "y": 20, "x": 9})
    plan = a_plan(a_model(("y", "x")), image, block={"y": 8, "x": 8})
    pairs = list(plane_pairs(plan))
    assert len(pairs) == 2 * 2
    for lower, upper in itertools.chain.from_iterable(pairs):
        below, above = block_at(plan, lower).position, block_at(plan, upper).position
        assert above == {**below, "z": below["z"] + 1}
    assert not list(plane_pairs(a_plan(a_model(), an_image({"z": 3, "y": 20, "x": 9}))))


def test_a_single_block_that_covers_an_axis_needs_no_halo() -> None:
    card = a_model(preferred={"z": 64, "y": 64, "x": 64}, halo={"z": 16, "y": 16, "x": 16})
    plan = a_plan(card, an_image({"z": 30, "y": 64, "x": 65}))
    assert plan.halo == {"z": 0, "y": 0, "x": 16}
    assert plan.tile == {"z": 30, "y": 64, "x": 54}
    assert plan.grid == {"z": 1, "y": 1, "x": 3}


def test_a_block_beyond_the_plan_is_an_index_error() -> None:
    plan = a_plan(a_model(("y", "x")), an_image({"y": 4, "x": 4}))
    for index in (-1, plan.blocks):
        try:
            block_at(plan, index)
        except IndexError:
            continue
        raise AssertionError(index)
