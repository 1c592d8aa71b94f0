"""An image's voxel size against the model's: in words, and what to fill in so that it fits."""

from collections.abc import Mapping
from dataclasses import dataclass

from napari_hmz.physical import in_plane_um, likely
from napari_hmz.schema import SPATIAL_AXES, AxisName, ModelCard, ParameterSpec, ParameterValue


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A value for a parameter that the voxel size tells, and why."""

    name: str
    value: ParameterValue
    words: str
    why: str


def model_um(card: ModelCard) -> dict[AxisName, float]:
    """Return the voxel size that a model knows best, in micrometres; empty if any will do.

    A model that resamples its image, so that a thing of known length gets a size of its own, knows
    best the voxel size that this gives.
    """
    if declared := card.inputs[0].voxel_size_um:
        return dict(declared)
    rule = card.tile.rescale
    spec = card.parameters.get(rule.parameter) if rule is not None else None
    if rule is None or spec is None or spec.physical is None:
        return {}
    return dict.fromkeys(rule.axes, spec.physical.typical_um / rule.reference)


def size_words(sizes: Mapping[AxisName, float]) -> str:
    """Return a voxel size (in micrometres) in words; axes that are alike are said once."""
    told: dict[str, list[str]] = {}
    for axis in SPATIAL_AXES:
        if axis in sizes:
            told.setdefault(f"{sizes[axis]:.3g} µm", []).append(axis)
    return ", ".join(f"{' and '.join(axes)} {size}" for size, axes in told.items())


def voxel_words(card: ModelCard, sizes: Mapping[AxisName, float]) -> str:
    """Return what a person should know of an image's voxel size (in micrometres) and the model's.

    How far the two may be apart, and what to do then, is said elsewhere.
    """
    wanted = card.inputs[0].voxel_size_um
    made_for = f" The model is made for {size_words(wanted)}." if wanted else ""
    axes = [axis for axis in card.inputs[0].axes if axis in SPATIAL_AXES]
    if not any(axis in sizes for axis in axes):
        return f"The voxel size is not known.{made_for}"
    here: dict[AxisName, float] = {axis: sizes[axis] for axis in axes if axis in sizes}
    return f"Voxel size: {size_words(here)}.{made_for}"


def suggestions(card: ModelCard, sizes: Mapping[AxisName, float]) -> tuple[Suggestion, ...]:
    """Return the values that an image's voxel size (in micrometres) suggests for parameters.

    Of a parameter that says how the image is resampled: what brings it to the model's voxel size;
    of a length in voxels: what suits the typical thing.
    """
    pixel_um = in_plane_um(sizes)
    if pixel_um is None:
        return ()
    found = (_suggested(card, name, spec, pixel_um) for name, spec in card.parameters.items())
    return tuple(suggestion for suggestion in found if suggestion is not None)


def _suggested(
    card: ModelCard, name: str, spec: ParameterSpec, pixel_um: float
) -> Suggestion | None:
    rule = card.tile.rescale
    wanted_um = in_plane_um(card.inputs[0].voxel_size_um)
    if rule is not None and rule.parameter == name and wanted_um:
        value = _within(spec, float(f"{rule.reference * wanted_um / pixel_um:.3g}"))
        why = f"This brings pixels of {pixel_um:.3g} µm to the model's {wanted_um:.3g} µm."
    elif spec.physical is not None:
        value = likely(spec, pixel_um) or 0.0
        things = spec.physical.of or "what it measures"
        why = f"Typical {things}: {spec.physical.typical_um:g} µm, at {pixel_um:.3g} µm a pixel."
    else:
        return None
    whole = max(1, round(value)) if spec.type == "integer" else value
    title = spec.title or name.replace("_", " ").capitalize()
    return Suggestion(name, whole, f"{title}: {whole:g} {spec.unit}".rstrip(), why)


def _within(spec: ParameterSpec, value: float) -> float:
    low = value if spec.minimum is None else max(value, spec.minimum)
    return low if spec.maximum is None else min(low, spec.maximum)
