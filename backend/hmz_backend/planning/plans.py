"""The making of a plan: everything checked and fixed before any pixel travels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hmz_backend.planning.blocks import tiled_voxels
from hmz_backend.planning.checks import (
    check_extents,
    check_voxel_size,
    checked_parameters,
    checked_region,
    length_warnings,
    tile_dtype,
)
from hmz_backend.planning.chunks import count_plan_chunks
from hmz_backend.planning.estimate import (
    beside_bytes_per_voxel,
    chunk_bytes,
    output_bytes,
    rescaled,
    run_seconds,
    tile_memory_bytes,
    work_share,
)
from hmz_backend.planning.needs import axis_needs, margin_px
from hmz_backend.planning.outputs import output_array, wanted_outputs
from hmz_backend.planning.roles import AxisRoles, axis_roles
from hmz_backend.planning.tables import output_table
from hmz_backend.planning.tiling import AxisNeed, AxisTiling, tile_axes, tile_voxels
from napari_hmz.errors import PlanImpossible
from napari_hmz.schema import (
    TABLE_KINDS,
    AxisName,
    ModelCard,
    OutputSpec,
    Plan,
    Region,
    RunRequest,
    SizeRule,
    Sizes,
    VolumeRequest,
    extents,
    full_region,
    intersection,
)


def make_plan(
    card: ModelCard,
    volume: VolumeRequest,
    request: RunRequest,
    *,
    memory_budget_bytes: int,
    tiles_in_flight: int,
    seconds_per_voxel: float | None = None,
    others: Sequence[VolumeRequest] = (),
) -> Plan:
    """Resolve a request against a model and a volume into the one plan that causes work.

    Parameters
    ----------
    card, volume, request
        The model, the image, and what is asked.
    memory_budget_bytes
        What all tiles in the air may need together.
    tiles_in_flight
        How many tiles are in the air at once.
    seconds_per_voxel
        What a voxel of a tile that is not rescaled has taken here before; none: what the card
        says is all there is.
    others
        The images of further inputs, of which tiles take their part of the memory.

    Raises
    ------
    VolumeEmpty, RegionInvalid, AxesMismatch, DtypeUnsuitable, ParameterInvalid
        If the request does not fit the image or the model.
    VoxelSizeMismatch
        If the voxel size is far from the model's, and `request.ignore_voxel_size` is not set.
    PlanImpossible
        If no tile fits the model's rules and the memory.
    """
    checked = _check(card, volume, request)
    values = checked_parameters(card, request.parameters)
    share, card = work_share(card.tile, values), rescaled(card, values)
    card = _with_beside(card, beside_bytes_per_voxel(others))
    if seconds_per_voxel is not None:
        seconds_per_voxel *= share
    needs, warnings = axis_needs(card, volume, request, checked.region, checked.tiled)
    tilings = _fit_memory(card, needs, memory_budget_bytes, tiles_in_flight)
    plan = _assemble(card, volume, checked, tilings)
    voxels = tile_voxels(tilings)
    chunks = count_plan_chunks(plan, volume)
    return plan.model_copy(
        update={
            "chunks_needed": chunks,
            "bytes_up": chunks * chunk_bytes(volume),
            "bytes_down": output_bytes(plan.outputs),
            "memory_bytes": tiles_in_flight * tile_memory_bytes(card.tile, voxels),
            "seconds": run_seconds(card.tile, tiled_voxels(plan), seconds_per_voxel),
            "measured": seconds_per_voxel is not None,
            "warnings": tuple(text for text in (*checked.warnings, *warnings) if text),
        }
    )


def _with_beside(card: ModelCard, bytes_per_voxel: int) -> ModelCard:
    """Return a card whose tiles take so much more, for the images of further inputs."""
    memory = card.tile.memory_bytes_per_voxel + bytes_per_voxel
    tile = card.tile.model_copy(update={"memory_bytes_per_voxel": memory})
    return card.model_copy(update={"tile": tile})


@dataclass(frozen=True, slots=True)
class _Checked:
    region: Region
    roles: AxisRoles
    outputs: tuple[OutputSpec, ...]
    warnings: tuple[str, ...]

    @property
    def tiled(self) -> tuple[AxisName, ...]:
        return self.roles.tiled


def _check(card: ModelCard, volume: VolumeRequest, request: RunRequest) -> _Checked:
    spec = card.inputs[0]
    check_extents(volume)
    region = checked_region(volume, request.region)
    roles = axis_roles(spec, volume, request.channels, request.region.get("c"))
    if roles.channels:
        region["c"] = (min(roles.channels), max(roles.channels) + 1)
    tile_dtype(volume.dtype, spec)
    checked_parameters(card, request.parameters)
    outputs = wanted_outputs(card, request.outputs)
    warning = check_voxel_size(spec, volume, ignore=request.ignore_voxel_size)
    doubts = length_warnings(card, volume, request.parameters)
    return _Checked(region, roles, outputs, (warning, *doubts))


def _fit_memory(
    card: ModelCard, needs: dict[AxisName, AxisNeed], budget_bytes: int, tiles: int
) -> dict[AxisName, AxisTiling]:
    """Halve the preferred tile along its longest axis until the tiles in the air fit."""
    tilings = tile_axes(needs)
    while tiles * tile_memory_bytes(card.tile, tile_voxels(tilings)) > budget_bytes:
        smaller = _smaller(needs, tilings)
        if smaller is None:
            needed = tiles * tile_memory_bytes(card.tile, tile_voxels(tilings))
            raise PlanImpossible(
                f"{tiles} tiles of {' x '.join(str(t.tile_px) for t in tilings.values())} voxels "
                f"need {needed / 2**20:.0f} MiB; the backend has {budget_bytes / 2**20:.0f} MiB.",
                remedy=_what_fits(card, needs, budget_bytes, tiles),
            )
        needs, tilings = smaller
    return tilings


def _what_fits(
    card: ModelCard, needs: dict[AxisName, AxisNeed], budget_bytes: int, tiles: int
) -> str:
    """Return what would help: the blocks that would be chosen if none were asked for."""
    free = {axis: replace(need, block_px=None) for axis, need in needs.items()}
    if free == needs:
        return "Give a smaller halo, or ask the backend's admin for a larger memory budget."
    try:
        fitting = _fit_memory(card, free, budget_bytes, tiles)
    except PlanImpossible as error:
        return error.remedy
    sizes = ", ".join(f"{axis} {tiling.block_px}" for axis, tiling in fitting.items())
    return f"Blocks of {sizes} fit; they are chosen if no block is asked for (--block)."


def _smaller(
    needs: dict[AxisName, AxisNeed], tilings: dict[AxisName, AxisTiling]
) -> tuple[dict[AxisName, AxisNeed], dict[AxisName, AxisTiling]] | None:
    for axis in sorted(tilings, key=lambda name: -tilings[name].tile_px):
        tried = needs[axis].with_preferred(tilings[axis].tile_px // 2)
        changed = tile_axes({**needs, axis: tried})
        if changed[axis].tile_px < tilings[axis].tile_px:
            return {**needs, axis: tried}, changed
    return None


def _assemble(
    card: ModelCard,
    volume: VolumeRequest,
    checked: _Checked,
    tilings: dict[AxisName, AxisTiling],
) -> Plan:
    """Put the geometry together; the figures follow, since they are counted from it."""
    region, roles = checked.region, checked.roles
    single = {axis: extents(region)[axis] if axis not in roles.iterated else 1 for axis in region}
    block = {**single, **{axis: tiling.block_px for axis, tiling in tilings.items()}}
    tile = {**single, **{axis: tiling.tile_px for axis, tiling in tilings.items()}}
    halo = {axis: tilings[axis].halo_px if axis in tilings else 0 for axis in region}
    grid = {axis: -(-extents(region)[axis] // block[axis]) for axis in region}
    arrays = [spec for spec in checked.outputs if spec.kind not in TABLE_KINDS]
    tables = [spec for spec in checked.outputs if spec.kind in TABLE_KINDS]
    return Plan(
        model=card.id,
        version=card.version,
        region=region,
        context=_context(volume, checked, halo),
        tiled=roles.tiled,
        channels=roles.channels,
        block=block,
        halo=halo,
        tile=tile,
        sizes={axis: card.inputs[0].sizes.get(axis, SizeRule()) for axis in roles.tiled},
        margin={axis: margin_px(checked.outputs, axis) for axis in roles.tiled},
        grid=grid,
        blocks=math.prod(grid.values()),
        voxels=math.prod(extents(region).values()),
        outputs=tuple(output_array(spec, volume, region, roles, block) for spec in arrays),
        tables=tuple(output_table(spec, volume, roles) for spec in tables),
        chunks_needed=0,
        bytes_up=0,
        bytes_down=0,
        memory_bytes=0,
    )


def _context(volume: VolumeRequest, checked: _Checked, halo: Sizes) -> Region:
    """Return what tiles may read: the region and a halo around it, as far as the volume reaches.

    Joined by any overlap, two objects of the region would be one if they touch outside it, and
    whether that is seen would depend on the blocks: there, tiles stop at the region.
    """
    exact = any(
        spec.stitch.mode == "merge-labels" and spec.stitch.rule == "overlap"
        for spec in checked.outputs
    )
    if exact:
        return dict(checked.region)
    grown: Region = {
        axis: (start - halo[axis], stop + halo[axis])
        for axis, (start, stop) in checked.region.items()
    }
    return intersection(grown, full_region(volume.shape))
