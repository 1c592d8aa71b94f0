"""The form of a model: what any interface shows of a card so that a person can fill it in.

Pure, but for `remembered`, which keeps a file: no GUI library, no threads. `form_of` makes field
specifications out of a card; the napari widgets draw them today, a web page or a text interface may
draw the same ones tomorrow.
"""

from napari_hmz.form.axes import proposed_axes, with_axis
from napari_hmz.form.channels import (
    Feed,
    Feeder,
    Pick,
    feed,
    offered,
    proposed,
    wanted_channels,
)
from napari_hmz.form.fields import Field, FieldKind, Form, Slot, form_of
from napari_hmz.form.levels import Level, levels_of, nearest_level
from napari_hmz.form.numberline import NumberLine, number_line
from napari_hmz.form.remembered import RememberedValues, remembered_values
from napari_hmz.form.text import parse_text
from napari_hmz.form.voxels import Suggestion, model_um, size_words, suggestions, voxel_words

__all__ = [
    "Feed",
    "Feeder",
    "Field",
    "FieldKind",
    "Form",
    "Level",
    "NumberLine",
    "Pick",
    "RememberedValues",
    "Slot",
    "Suggestion",
    "feed",
    "form_of",
    "levels_of",
    "model_um",
    "nearest_level",
    "number_line",
    "offered",
    "parse_text",
    "proposed",
    "proposed_axes",
    "remembered_values",
    "size_words",
    "suggestions",
    "voxel_words",
    "wanted_channels",
    "with_axis",
]
