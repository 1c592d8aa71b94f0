"""Blocks of a plan: where each lies, what its tile covers, whom it touches, where it writes."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from hmz_backend.planning.roles import ordered
from napari_hmz.schema import (
    AxisName,
    Interval,
    OutputArray,
    Plan,
    Region,
    Sizes,
    extents,
    intersection,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a plan, in the coordinates of the volume.

    ```
    ┌───────────────┐
    │ tile          │   what the model sees; its sizes may let it reach outside the volume
    │   ┌───────┐   │
    │   │ core  │   │   what is kept; clipped to the plan's region
    │   └───────┘   │
    └───────────────┘
    ```
    """

    index: int
    """Raster order over the grid, axes in the order t c z y x."""
    position: Sizes
    core: Region
    tile: Region


def block_at(plan: Plan, index: int) -> Block:
    """Return one block by its index; `IndexError` if the plan has no such block."""
    if not 0 <= index < plan.blocks:
        raise IndexError(f"block {index} of {plan.blocks}")
    position: Sizes = {}
    rest = index
    for axis in reversed(ordered(plan.grid)):
        rest, position[axis] = divmod(rest, plan.grid[axis])
    return _block(plan, position)


def block_index(plan: Plan, position: Sizes) -> int:
    """Return the index of the block at a position of the grid."""
    index = 0
    for axis in ordered(plan.grid):
        index = index * plan.grid[axis] + position[axis]
    return index


def _block(plan: Plan, position: Sizes) -> Block:
    core: Region = {}
    tile: Region = {}
    for axis in plan.region:
        start, stop = plan.region[axis]
        begin = start + position[axis] * plan.block[axis]
        core[axis] = (begin, min(begin + plan.block[axis], stop))
        tile[axis] = _tile_along(plan, axis, begin)
    return Block(block_index(plan, position), position, core, tile)


def _tile_along(plan: Plan, axis: AxisName, begin: int) -> Interval:
    """Return what a tile covers of an axis, whose core begins there.

    ```
    may be read   ├───────────────────────────────────┤
    tiles         ├────────────┤                      ·     cut at both ends, by whole steps
                         ├────────────┤               ·
                                ├────────────┤        ·
                                       ├──────────────┼┤    filled up to a whole step
    ```

    A model that counts voxels (the smallest object) must not count mirrored ones: only where
    its sizes ask for it does a tile reach beyond what may be read.
    """
    first = begin - plan.halo[axis]
    last = first + plan.tile[axis]
    rule = plan.sizes.get(axis)
    if rule is None or rule.step == 0:
        return first, last
    low, high = plan.context[axis]
    margin = plan.margin.get(axis, 0)
    begins = first + max(0, low - margin - first) // rule.step * rule.step
    length = rule.fit(min(last, high + margin) - begins)
    if length is None or begins + length > last:  # the least size asks for all of it
        return first, last
    return begins, begins + length


def tiled_voxels(plan: Plan) -> int:
    """Return the voxels of all tiles together."""
    sums: list[int] = []
    for axis in plan.region:
        along = (
            _tile_along(plan, axis, plan.region[axis][0] + place * plan.block[axis])
            for place in range(plan.grid[axis])
        )
        sums.append(sum(stop - start for start, stop in along))
    return math.prod(sums)


def blocks(plan: Plan) -> Iterator[Block]:
    """Yield every block once, neighbours close together (like a Morton curve); lazily.

    Time points follow each other; the channels of one place follow each other, since chunks
    often hold several of them.
    """
    low = dict.fromkeys(ordered(plan.grid), 0)
    high = {axis: plan.grid[axis] for axis in low}
    return (_block(plan, position) for position in _walk(plan, low, high))


def _walk(plan: Plan, low: Sizes, high: Sizes) -> Iterator[Sizes]:
    axis = axis_to_split(plan, extents({name: (low[name], high[name]) for name in low}))
    if axis is None:
        yield dict(low)
        return
    # Halves of a power of two keep the order of a smaller grid inside that of a larger one.
    middle = low[axis] + (1 << ((high[axis] - low[axis] - 1).bit_length() - 1))
    yield from _walk(plan, low, {**high, axis: middle})
    yield from _walk(plan, {**low, axis: middle}, high)


def axis_to_split(plan: Plan, counts: Sizes) -> AxisName | None:
    """Return the axis along which a box of so many blocks is halved; none: it is one block."""
    if counts.get("t", 1) > 1:
        return "t"
    spatial = [axis for axis in counts if axis not in ("t", "c") and counts[axis] > 1]
    if spatial:
        return max(spatial, key=lambda axis: counts[axis] * plan.block[axis])
    return "c" if counts.get("c", 1) > 1 else None


def neighbours(plan: Plan, index: int) -> tuple[int, ...]:
    """Return the blocks whose halos reach into this one, and the other way round; ascending.

    ```
    ┌──┬──┬──┐
    │ o│ o│ o│   over faces, edges and corners, along the tiled axes only;
    ├──┼──┼──┤   further than the next block only where the halo is longer than a block;
    │ o│ ■│ o│   none along an axis without halo
    ├──┼──┼──┤
    │ o│ o│ o│
    └──┴──┴──┘
    ```
    """
    step, offsets, rest = 1, [0], index
    for axis in reversed(ordered(plan.grid)):
        rest, place = divmod(rest, plan.grid[axis])
        if axis in plan.tiled:
            reach = _reach(plan, axis)
            low, high = max(-place, -reach), min(plan.grid[axis] - place, reach + 1)
            offsets = [base + step * n for n in range(low, high) for base in offsets]
        step *= plan.grid[axis]
    return tuple(sorted(index + offset for offset in offsets if offset))


def _reach(plan: Plan, axis: AxisName) -> int:
    return -(-plan.halo[axis] // plan.block[axis])


def tile_part(plan: Plan, block: Block) -> Region:
    """Return the part of a block's tile that is read; the rest of the tile is padded."""
    return intersection(block.tile, plan.context)


def blocks_in(plan: Plan, region: Region) -> list[int]:
    """Return the blocks whose core meets `region`, ascending."""
    ranges: list[range] = []
    for axis in ordered(plan.grid):
        start = plan.region[axis][0]
        low, high = intersection({axis: plan.region[axis]}, region)[axis]
        first, stop = (low - start) // plan.block[axis], -(-(high - start) // plan.block[axis])
        ranges.append(range(first, stop) if high > low else range(0))
    return _indices(plan, ranges)


def blocks_reading(plan: Plan, region: Region) -> list[int]:
    """Return the blocks whose tile reads a voxel of `region`, ascending."""
    axes = ordered(plan.grid)
    return _indices(plan, [reading_range(plan, axis, region.get(axis)) for axis in axes])


def reading_range(plan: Plan, axis: AxisName, interval: Interval | None) -> range:
    """Return which blocks along one axis read a voxel of an interval; none: of the whole axis."""
    whole = plan.context.get(axis, plan.region[axis])
    low, high = intersection({axis: whole}, {axis: interval or whole})[axis]
    if high <= low:
        return range(0)
    origin = plan.region[axis][0] - plan.halo[axis]
    first = (low - origin - plan.tile[axis]) // plan.block[axis] + 1
    last = -(-(high - origin) // plan.block[axis])
    return range(max(0, first), min(plan.grid[axis], last))


def _indices(plan: Plan, ranges: list[range]) -> list[int]:
    axes = ordered(plan.grid)
    return [
        block_index(plan, dict(zip(axes, place, strict=True)))
        for place in itertools.product(*ranges)
    ]


def plane_pairs(plan: Plan) -> Iterator[list[tuple[int, int]]]:
    """Yield, for each two planes that follow each other, the blocks that lie over each other.

    Only for models that take z plane by plane; else there is nothing to yield.
    """
    if "z" in plan.tiled or plan.grid.get("z", 1) < 2:  # noqa: PLR2004 # a pair
        return
    outer = [axis for axis in ordered(plan.grid) if axis not in plan.tiled and axis != "z"]
    for place in itertools.product(*(range(plan.grid[axis]) for axis in outer)):
        fixed = dict(zip(outer, place, strict=True))
        for z in range(plan.grid["z"] - 1):
            within = itertools.product(*(range(plan.grid[axis]) for axis in plan.tiled))
            positions = [{**fixed, **dict(zip(plan.tiled, at, strict=True))} for at in within]
            yield [
                (block_index(plan, {**at, "z": z}), block_index(plan, {**at, "z": z + 1}))
                for at in positions
            ]


def output_region(plan: Plan, output: OutputArray, block: Block) -> Region:
    """Return where a block writes in an output: its core, counted from the region's start."""
    region: Region = {}
    for axis in output.axes:
        if axis not in plan.region or (axis == "c" and plan.channels):
            region[axis] = (0, output.shape[axis])  # channels that the model makes
        else:
            start, stop = block.core[axis]
            origin = plan.region[axis][0]
            region[axis] = (start - origin, stop - origin)
    return region


def chunk_key(plan: Plan, output: OutputArray, block: Block) -> str:
    """Return the zarr key of the chunk that a block writes, for example `c/0/1/2`."""
    place = output_region(plan, output, block)
    numbers = (place[axis][0] // output.chunks[axis] for axis in output.axes)
    return "/".join(["c", *(str(number) for number in numbers)])
