"""What each tiled axis needs: the model's rule, the halo it deserves, the block asked for."""

import math

from hmz_backend.planning.checks import checked_parameters
from hmz_backend.planning.outputs import wanted_outputs
from hmz_backend.planning.tiling import DEFAULT_TILE_PX, AxisNeed
from napari_hmz.errors import AxesMismatch, PlanImpossible
from napari_hmz.schema import (
    AxisName,
    ModelCard,
    OutputSpec,
    Region,
    RunRequest,
    SizeRule,
    VolumeRequest,
    extents,
)


def axis_needs(
    card: ModelCard,
    volume: VolumeRequest,
    request: RunRequest,
    region: Region,
    tiled: tuple[AxisName, ...],
) -> tuple[dict[AxisName, AxisNeed], list[str]]:
    """Return the need of each tiled axis, and what the user should know.

    Raises
    ------
    AxesMismatch
        If a block or halo is asked for along an axis that the image lacks.
    PlanImpossible
        If it cannot be had.
    """
    _check_overrides(volume, request, tiled)
    outputs = wanted_outputs(card, request.outputs)
    needs: dict[AxisName, AxisNeed] = {}
    warnings: list[str] = []
    for axis in tiled:
        halo_px, warning = _halo(card, request, outputs, axis)
        alone = region[axis] == (0, volume.shape[axis]) and axis not in request.halo
        needs[axis] = AxisNeed(
            axis=axis,
            extent_px=extents(region)[axis],
            rule=card.inputs[0].sizes.get(axis, SizeRule()),
            preferred_px=card.tile.preferred.get(axis, DEFAULT_TILE_PX[len(tiled)]),
            halo_px=halo_px,
            single_halo_px=margin_px(outputs, axis) if alone else halo_px,
            block_px=request.block.get(axis),
        )
        warnings += [warning] if warning else []
    return needs, warnings


def _check_overrides(
    volume: VolumeRequest, request: RunRequest, tiled: tuple[AxisName, ...]
) -> None:
    for name, given, least in (("block", request.block, 1), ("halo", request.halo, 0)):
        for axis, length in given.items():
            if axis not in volume.axes:
                raise AxesMismatch(f"A {name} is given along {axis}, which the image lacks.")
            if length < least:
                raise PlanImpossible(
                    f"A {name} of {length} along {axis} is not possible.",
                    remedy=f"Give at least {least}.",
                )
            if axis not in tiled and length != least:
                raise PlanImpossible(
                    f"The model does not extend along {axis}: its {name} there is {least}.",
                    remedy=f"Leave {axis} out.",
                )


def _halo(
    card: ModelCard, request: RunRequest, outputs: tuple[OutputSpec, ...], axis: AxisName
) -> tuple[int, str]:
    joins = any(spec.stitch.mode == "merge-labels" for spec in outputs)
    deserved_px = _deserved_halo(card, request, outputs, axis)
    given_px = request.halo.get(axis, deserved_px)
    lost_px = margin_px(outputs, axis)
    if given_px < lost_px:
        raise PlanImpossible(
            f"The model needs a halo of at least {lost_px} along {axis}, not {given_px}."
        )
    if joins and given_px < 1:
        return 1, f"The halo along {axis} is 1: labels cannot be joined without." * (
            axis in request.halo
        )
    if given_px < deserved_px:
        return given_px, (
            f"The halo of {given_px} along {axis} is shorter than the model's {deserved_px}: "
            "results near block borders may differ."
        )
    return given_px, ""


def _deserved_halo(
    card: ModelCard, request: RunRequest, outputs: tuple[OutputSpec, ...], axis: AxisName
) -> int:
    lengths = [card.tile.halo.get(axis, 0), margin_px(outputs, axis)]
    lengths += [
        spec.stitch.largest_object_px.get(axis, 0)
        for spec in outputs
        if spec.stitch.mode == "merge-labels"
    ]
    rule = card.tile.halo_rule
    if rule is not None:
        value = checked_parameters(card, request.parameters).get(rule.parameter)
        if isinstance(value, int | float):
            lengths.append(math.ceil(rule.factor * value))
    return max(lengths)


def margin_px(outputs: tuple[OutputSpec, ...], axis: AxisName) -> int:
    """Return how much shorter than its tile the shortest result is, on each side."""
    return max((spec.margin_px.get(axis, 0) for spec in outputs), default=0)
