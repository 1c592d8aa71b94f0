"""What a person should know of a model, in words: plain text, whatever stands on its card."""

import math
from datetime import UTC, datetime

from napari_hmz.catalogue.links import citation_link
from napari_hmz.catalogue.modality import modalities
from napari_hmz.quantities import count_text, size_text, sizes_text
from napari_hmz.schema import SPATIAL_AXES, InputSpec, Measurement, ModelCard

_MEGA = 1e6
_BADGE_CHARS = 22
_STEPS = (("day", 86_400), ("hour", 3600), ("minute", 60))


def one_line(text: str) -> str:
    """Return a text without line breaks and characters that cannot be seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def facts(card: ModelCard) -> str:
    """Return what kind of model it is, in a few words."""
    kinds = modalities(card.tags)
    return " · ".join((f"{card.dimensions}-D", card.task.replace("-", " "), *kinds))


def badge(card: ModelCard) -> str:
    """Return how good a model is, in two words: a figure, if it is short."""
    if not card.quality:
        return "not measured"
    figure = _figure(card.quality[0])
    return figure if len(figure) <= _BADGE_CHARS else "measured"


def access(card: ModelCard) -> str:
    """Return who may use a model; whoever reads this may."""
    if card.access.public:
        return "open to all"
    groups = ", ".join(map(_group, card.access.groups))
    return f"for members of {groups}" if groups else "restricted"


def needs(card: ModelCard) -> list[str]:
    """Return what a model needs, a line each: its inputs, and memory for one of its tiles."""
    lines = [line for spec in card.inputs for line in _needs_of(spec)]
    preferred = card.tile.preferred
    if preferred:
        memory = card.tile.memory_bytes_per_voxel * math.prod(preferred.values())
        lines.append(f"{size_text(memory)} of memory for a tile of {sizes_text(preferred)}")
    return lines


def quality_lines(card: ModelCard) -> list[str]:
    """Return every figure of a model's quality, with what it was measured on."""
    return [_measured(measurement) for measurement in card.quality]


def speed(card: ModelCard) -> str:
    """Return how fast a model is: here if that is known, else as its makers measured it."""
    if card.voxels_per_s_here:
        return f"{count_text(card.voxels_per_s_here)} voxels/s, as measured on this backend"
    if card.tile.seconds_per_megavoxel:
        rate = count_text(_MEGA / card.tile.seconds_per_megavoxel)
        return f"not measured on this backend yet; {rate} voxels/s where it was made"
    return "not measured yet"


def citation(card: ModelCard) -> str:
    """Return what to cite for a model, a line each, ready to be pasted."""
    lines = []
    for entry in card.citations:
        text, link = one_line(entry.text), citation_link(entry)
        lines.append(f"{text.rstrip('.')}. {link}" if link else text)
    return "\n".join(line for line in lines if line)


def age(then_s: float, now_s: float) -> str:
    """Return how long ago something was, in words.

    Parameters
    ----------
    then_s, now_s
        Seconds since 1970.
    """
    passed_s = max(0.0, now_s - then_s)
    for unit, length_s in _STEPS:
        count = int(passed_s // length_s)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def kept_note(then_s: float, now_s: float) -> str:
    """Return what is to be said above models that are shown from memory."""
    day = datetime.fromtimestamp(then_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    return (
        f"These are the models of the backend as they were {age(then_s, now_s)} ({day}); "
        "nothing can be run now."
    )


def _needs_of(spec: InputSpec) -> list[str]:
    name = spec.name if spec.name == spec.kind else f"{spec.name} ({spec.kind})"
    lines = [f"axes {', '.join(axis for axis in spec.axes if axis in SPATIAL_AXES)}"]
    if "c" in spec.axes and len(spec.channels) > 1:
        lines.append(f"channels {', '.join(spec.channels)}")
    if spec.voxel_size_um:
        told = ", ".join(f"{axis} {size:.3g} µm" for axis, size in spec.voxel_size_um.items())
        lines.append(f"voxels of {told}, up to {spec.voxel_size_tolerance:g} times more or less")
    if spec.dtypes:
        lines.append(f"values as {', '.join(spec.dtypes)}")
    return [f"{name}: {line}" for line in lines]


def _measured(found: Measurement) -> str:
    samples = f" ({found.samples} image{'' if found.samples == 1 else 's'})" * bool(found.samples)
    protocol = f"; {found.protocol}" if found.protocol else ""
    return f"{_figure(found)} on {found.dataset}{samples}{protocol}"


def _figure(found: Measurement) -> str:
    return f"{found.metric} {found.value:.3g}"


def _group(entitlement: str) -> str:
    """Return the name of a group out of its AARC-G069 entitlement."""
    name = entitlement.rpartition(":group:")[2] or entitlement
    return name.partition("#")[0]
