"""The form of a model: what any interface shows of a card so that a person can fill it in.

Pure: no GUI library, no threads. `form_of` makes field specifications out of a card; the napari
widgets draw them today, a web page or a text interface may draw the same ones tomorrow.
"""

from napari_hmz.form.axes import proposed_axes
from napari_hmz.form.fields import Field, FieldKind, Form, Slot, form_of
from napari_hmz.form.numberline import NumberLine, number_line
from napari_hmz.form.text import parse_text

__all__ = [
    "Field",
    "FieldKind",
    "Form",
    "NumberLine",
    "Slot",
    "form_of",
    "number_line",
    "parse_text",
    "proposed_axes",
]
