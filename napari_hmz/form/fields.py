"""Card to field specifications: which field each parameter and each input gets, and why."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from napari_hmz.form.numberline import LARGEST, NumberLine, number_line
from napari_hmz.form.text import write_text
from napari_hmz.schema import (
    Choice,
    InputSpec,
    ModelCard,
    ParameterSpec,
    ParameterValue,
    resolve_parameters,
)

FieldKind = Literal["number", "integer", "boolean", "choice", "range", "text"]
"""What a person handles; `text` is also what an unknown type becomes."""
KNOWN_TYPES = frozenset({"number", "integer", "boolean", "string", "range"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form: how to draw it and what it starts with.

    Parameters
    ----------
    spec
        What the card says; values are checked against it.
    start
        What the field holds at first and after a reset. None only if "no value" is an answer, or
        if the person must give one.
    line
        Where its numbers can stand; only of numbers, integers and ranges.
    choices
        Values to choose from, with the words shown for them; only of choices.
    note
        What the person should know of the field beyond its description.
    """

    name: str
    kind: FieldKind
    spec: ParameterSpec
    start: ParameterValue
    line: NumberLine | None = None
    choices: tuple[Choice, ...] = ()
    note: str = ""

    @property
    def label(self) -> str:
        """The words before the field: title and unit."""
        title = self.spec.title or self.name.replace("_", " ").capitalize()
        return f"{title} ({self.spec.unit})" if self.spec.unit else title

    @property
    def tooltip(self) -> str:
        """Description and note as harmless rich text: a card is written by strangers."""
        lines = [self.spec.description, self.note]
        return "".join(f"<p>{html.escape(line)}</p>" for line in lines if line)


@dataclass(frozen=True, slots=True)
class Slot:
    """One input of a model: what kind of layer fills it."""

    name: str
    spec: InputSpec

    @property
    def label(self) -> str:
        """The words before the slot."""
        return self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Form:
    """All that a person can fill in to run a model."""

    slots: tuple[Slot, ...]
    fields: tuple[Field, ...]

    def start(self) -> dict[str, ParameterValue]:
        """Return the values that the form starts with."""
        return {field.name: field.start for field in self.fields}

    def faults(self, values: Mapping[str, ParameterValue]) -> dict[str, str]:
        """Return what is wrong with each value that cannot be used."""
        specs = {field.name: field.spec for field in self.fields}
        return {fault.name: fault.message for fault in resolve_parameters(specs, values)[1]}

    def visible(self, values: Mapping[str, ParameterValue]) -> frozenset[str]:
        """Return the names of the fields that matter, given what the others hold.

        A condition on a parameter that the model lacks hides nothing.
        """
        return frozenset(
            field.name
            for field in self.fields
            if all(
                values[name] == wanted
                for name, wanted in field.spec.visible_when.items()
                if name in values
            )
        )


def form_of(card: ModelCard) -> Form:
    """Return the form of a model; never fails, whatever the card says."""
    return Form(
        slots=tuple(Slot(spec.name, spec) for spec in card.inputs),
        fields=tuple(field_of(name, spec) for name, spec in card.parameters.items()),
    )


def field_of(name: str, spec: ParameterSpec) -> Field:
    """Return the field of one parameter."""
    if spec.type not in KNOWN_TYPES:
        note = f"This version does not know fields of type {spec.type!r}: type the value."
        return Field(name, "text", spec, spec.default, note=note)
    if choices := _choices(spec):
        return _choice_field(name, spec, choices)
    if spec.type in ("number", "integer"):
        return _number_field(name, spec)
    if spec.type == "range":
        return _range_field(name, spec)
    if spec.type == "boolean":
        return Field(name, "boolean", spec, spec.default is True)
    return _text_field(name, spec)


def _choices(spec: ParameterSpec) -> tuple[Choice, ...]:
    """Return what can be chosen; a truth value that may be left open is a choice of three."""
    found = spec.choices
    if spec.type == "boolean" and spec.optional and not found:
        found = (Choice(value=True, label="Yes"), Choice(value=False, label="No"))
    return found if spec.type != "range" else ()


def _choice_field(name: str, spec: ParameterSpec, choices: tuple[Choice, ...]) -> Field:
    values = [choice.value for choice in choices]
    if spec.default in values or (spec.default is None and spec.optional):
        return Field(name, "choice", spec, spec.default, choices=choices)
    note = _misfit(spec) if spec.default is not None else ""
    start = None if spec.optional else values[0]
    return Field(name, "choice", spec, start, choices=choices, note=note)


def _number_field(name: str, spec: ParameterSpec) -> Field:
    default = _number(spec.default)
    line = number_line(spec, default)
    kind: FieldKind = "integer" if spec.type == "integer" else "number"
    if default is None and spec.optional:
        return Field(name, kind, spec, None, line)
    if default is None:  # a person must give it: an empty text field says so, a spin box cannot
        return Field(name, "text", spec, None, note=f"A value of type {kind} is needed.")
    if not abs(default) <= LARGEST:
        return Field(name, "text", spec, spec.default)
    start = _whole(line.clamp(default)) if kind == "integer" else line.clamp(default)
    note = _misfit(spec) if start != default else ""
    return Field(name, kind, spec, start, line, note=note)


def _text_field(name: str, spec: ParameterSpec) -> Field:
    if isinstance(spec.default, str) or (spec.default is None and spec.optional):
        return Field(name, "text", spec, spec.default)
    note = _misfit(spec) if spec.default is not None else ""
    return Field(name, "text", spec, write_text(spec.default), note=note)


def _range_field(name: str, spec: ParameterSpec) -> Field:
    ends = spec.default if isinstance(spec.default, tuple | list) else ()
    numbers = [end for end in map(_number, ends) if end is not None and abs(end) <= LARGEST]
    line = number_line(spec, max(numbers, key=abs, default=None))
    if spec.default is None and spec.optional:
        return Field(name, "range", spec, None, line)
    if not numbers:
        whole = (line.low, line.high) if line.bounded else (0.0, 1.0)
        return Field(name, "range", spec, (line.clamp(whole[0]), line.clamp(whole[1])), line)
    low, high = line.clamp(min(numbers)), line.clamp(max(numbers))
    note = _misfit(spec) if [low, high] != numbers else ""
    return Field(name, "range", spec, (low, high), line, note=note)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):  # an integer may be too large for a double
        return None


def _whole(value: float) -> int:
    return round(value)


def _misfit(spec: ParameterSpec) -> str:
    return f"The model's own default, {spec.default!r}, does not fit this field."
