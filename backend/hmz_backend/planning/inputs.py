"""Several inputs: every other one has a volume on the grid of the first, and is cut at its places.

```
first input   t c z y x     blocks, halos and tiles are chosen for it
other input   t   z y x     the same, along the axes that both have; its channels are its own
```
"""

from hmz_backend.planning.checks import check_extents, tile_dtype
from hmz_backend.planning.roles import axis_roles
from napari_hmz.errors import AxesMismatch, RequestError
from napari_hmz.schema import InputSpec, ModelCard, Plan, Region, RunRequest, Sizes, VolumeRequest


def other_inputs(card: ModelCard, request: RunRequest) -> tuple[InputSpec, ...]:
    """Return the inputs beside the first that a request feeds.

    Raises
    ------
    RequestError
        If it names one that the model has not, or leaves one out that must be there.
    """
    others = {spec.name: spec for spec in card.inputs[1:]}
    if strange := [name for name in request.inputs if name not in others]:
        known = ", ".join(others) or "none"
        raise RequestError(
            f"The model has no further input {', '.join(strange)}; it has {known}.",
            remedy=f"Its first input, {card.inputs[0].name}, is the volume itself.",
        )
    lacking = [n for n, spec in others.items() if n not in request.inputs and not spec.optional]
    if lacking:
        raise RequestError(
            f"The model also takes {', '.join(lacking)}.",
            remedy="Give a volume for each: --input NAME=PATH, inputs={NAME: ...} in Python.",
        )
    return tuple(spec for name, spec in others.items() if name in request.inputs)


def check_grid(first: VolumeRequest, plan: Plan, spec: InputSpec, volume: VolumeRequest) -> None:
    """Refuse a volume that does not lie on the grid of the first, or does not suit its input.

    Raises
    ------
    AxesMismatch, DtypeUnsuitable, VolumeEmpty
        Why it cannot be used.
    """
    check_extents(volume)
    tile_dtype(volume.dtype, spec)
    roles = axis_roles(spec, volume)
    theirs = {axis: first.shape[axis] for axis in first.axes if axis != "c" or not plan.channels}
    own = {axis: volume.shape[axis] for axis in volume.axes if axis != "c" or not roles.channels}
    if own != theirs or roles.tiled != plan.tiled:
        raise AxesMismatch(
            f"The input {spec.name} has {_written(own)}, the first one {_written(theirs)}: "
            "all must lie on the same voxels.",
            remedy="Crop or resample it first.",
        )


def input_plan(plan: Plan, spec: InputSpec, volume: VolumeRequest) -> Plan:
    """Return the plan as another input sees it: the same blocks, its own channels."""
    channels = axis_roles(spec, volume).channels
    if not plan.channels and not channels:
        return plan
    taken: Region = {"c": (min(channels), max(channels) + 1)} if channels else {}
    single: Sizes = {"c": taken["c"][1] - taken["c"][0]} if channels else {}
    none: Sizes = dict.fromkeys(single, 0)
    one: Sizes = dict.fromkeys(single, 1)
    kept = [axis for axis in plan.region if axis != "c" or not plan.channels]
    context = plan.context or plan.region
    return plan.model_copy(
        update={
            "channels": channels,
            "region": {axis: plan.region[axis] for axis in kept} | taken,
            "context": {axis: context[axis] for axis in kept} | taken,
            "block": {axis: plan.block[axis] for axis in kept} | single,
            "tile": {axis: plan.tile[axis] for axis in kept} | single,
            "halo": {axis: plan.halo[axis] for axis in kept} | none,
            "grid": {axis: plan.grid[axis] for axis in kept} | one,
        }
    )


def _written(sizes: Sizes) -> str:
    return " x ".join(f"{axis} {extent}" for axis, extent in sizes.items())
