"""How the images of a model were made, as far as its tags tell: the format has no field for it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

MODALITIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fluorescence": (
            "fluorescence",
            "fluorescence-light-microscopy",
            "confocal",
            "light-sheet",
            "lightsheet",
            "widefield",
            "two-photon",
            "sted",
            "super-resolution",
            "dapi",
        ),
        "transmitted light": (
            "transmitted-light",
            "brightfield",
            "bright-field",
            "phase-contrast",
            "dic",
            "differential-interference-contrast",
            "label-free",
        ),
        "electron microscopy": (
            "electron-microscopy",
            "em",
            "sem",
            "tem",
            "fib-sem",
            "sbf-sem",
            "cryo-em",
            "cryo-et",
        ),
        "histology": ("histology", "histopathology", "h&e", "he", "pathology", "wsi"),
        "X-ray": ("x-ray", "xray", "ct", "micro-ct", "microct", "tomography", "synchrotron"),
        "magnetic resonance": ("mri", "mr", "magnetic-resonance"),
        "earth observation": ("remote-sensing", "earth-observation", "satellite", "aerial"),
    }
)
"""Modality to the tags that stand for it, in the spelling of `_spelt`."""
_OF_TAG = {tag: modality for modality, tags in MODALITIES.items() for tag in tags}


def modalities(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the modalities that tags name, each once, in the order of `MODALITIES`."""
    named = {_OF_TAG[tag] for tag in map(_spelt, tags) if tag in _OF_TAG}
    return tuple(modality for modality in MODALITIES if modality in named)


def _spelt(tag: str) -> str:
    """Return a tag as the table spells it: `Light Sheet_Microscopy` is `light-sheet`."""
    words = tag.strip().lower().replace("_", "-").replace(" ", "-")
    return words if words in _OF_TAG else words.removesuffix("-microscopy")
