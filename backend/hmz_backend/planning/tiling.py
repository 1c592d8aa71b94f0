"""How long blocks, halos and tiles are along each axis."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from napari_hmz.errors import PlanImpossible
from napari_hmz.schema import AxisName, SizeRule, Sizes

DEFAULT_TILE_PX: Mapping[int, int] = {2: 512, 3: 128}
"""By the model's number of dimensions, where the card prefers nothing."""


@dataclass(frozen=True, slots=True)
class AxisNeed:
    """What is known of one tiled axis before its blocks are chosen."""

    axis: AxisName
    extent_px: int
    """Of the region."""
    rule: SizeRule
    preferred_px: int
    """Of the tile."""
    halo_px: int
    single_halo_px: int
    """The halo if a single block covers the axis: 0 where there is nothing beyond it to see."""
    block_px: int | None = None
    """As the request asks."""

    def with_preferred(self, preferred_px: int) -> "AxisNeed":
        """Return the same need with another preferred tile."""
        return replace(self, preferred_px=preferred_px)


@dataclass(frozen=True, slots=True)
class AxisTiling:
    """The lengths along one tiled axis.

    ```
    ├─ halo ─┼──── block ────┼─ halo ─┼ rest ┤
    ├──────────────── tile ──────────────────┤      tile = minimum + n * step
             ├──── block ────┼──── block ────┼─ …   as many as the extent needs
    ```

    With several blocks, halo and block are whole steps, so that every tile starts at the same
    phase of the network's stride. The rest, less than a step, is 0 unless the rule's minimum is
    no whole number of steps, its size is fixed, or a single short block needs filling up.
    """

    block_px: int
    halo_px: int
    tile_px: int
    count: int


def tile_axis(need: AxisNeed) -> AxisTiling:
    """Choose block, halo and tile of one axis: balanced blocks, as few as preferred tiles allow.

    Raises
    ------
    PlanImpossible
        If a tile of fixed size leaves nothing between its halos.
    """
    if need.block_px is None or need.block_px >= need.extent_px:
        tile_px = need.rule.fit(need.extent_px + 2 * need.single_halo_px)
        if tile_px is not None and (need.block_px or tile_px <= _preferred(need)):
            return AxisTiling(need.extent_px, need.single_halo_px, tile_px, 1)
    return _fixed(need) if need.rule.step == 0 else _stepped(need)


def _preferred(need: AxisNeed) -> int:
    return max(need.preferred_px, need.rule.minimum)


def _fixed(need: AxisNeed) -> AxisTiling:
    tile_px = need.rule.minimum
    block_px = tile_px - 2 * need.halo_px
    if block_px < 1:
        raise PlanImpossible(
            f"The model's tile is {tile_px} voxels along {need.axis}: "
            f"halos of {need.halo_px} on both sides leave nothing between them.",
            remedy=f"Give a halo of at most {(tile_px - 1) // 2} along {need.axis}.",
        )
    block_px = min(block_px, need.block_px or block_px, need.extent_px)
    return AxisTiling(block_px, need.halo_px, tile_px, _ceil_div(need.extent_px, block_px))


def _stepped(need: AxisNeed) -> AxisTiling:
    step = need.rule.step
    halo_px = _round_up(need.halo_px, step)
    if need.block_px is None:
        # A block shorter than its halo would spend most of the work on context.
        target_px = max(_preferred(need) - 2 * halo_px, halo_px, 1)
        count = _ceil_div(need.extent_px, target_px)
        block_px = _ceil_div(need.extent_px, count)
    else:
        block_px = need.block_px
    block_px = _round_up(max(block_px, need.rule.minimum - 2 * halo_px), step)
    tile_px = need.rule.fit(block_px + 2 * halo_px)
    if tile_px is None:  # cannot be: a rule with a step holds any extent
        raise PlanImpossible(f"No tile fits along {need.axis}.")
    block_px = min(block_px, need.extent_px)  # a single block: its phase matters to no other
    return AxisTiling(block_px, halo_px, tile_px, _ceil_div(need.extent_px, block_px))


def tile_axes(needs: Mapping[AxisName, AxisNeed]) -> dict[AxisName, AxisTiling]:
    """Choose the tiling of every tiled axis."""
    return {axis: tile_axis(need) for axis, need in needs.items()}


def tile_voxels(tilings: Mapping[AxisName, AxisTiling]) -> int:
    """Return the voxels of one tile."""
    return math.prod(tiling.tile_px for tiling in tilings.values())


def tile_sizes(tilings: Mapping[AxisName, AxisTiling]) -> Sizes:
    """Return the extents of one tile."""
    return {axis: tiling.tile_px for axis, tiling in tilings.items()}


def _ceil_div(number: int, by: int) -> int:
    return -(-number // by)


def _round_up(number: int, step: int) -> int:
    return _ceil_div(number, step) * step
