"""Model parameters: a subset of JSON Schema 2020-12, and the check of given values against it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from napari_hmz.schema.base import Message

ParameterType = Literal["number", "integer", "boolean", "string", "range"]
Scalar = bool | int | float | str
ParameterValue = Scalar | tuple[float, float] | None


class Choice(Message):
    """One allowed value, with the words shown for it."""

    value: Scalar
    label: str


class PhysicalLength(Message):
    """How long the thing is that a parameter measures in voxels: a nucleus, a cell, a fibre."""

    of: str = ""
    """What it is, in the plural, for a sentence: `nuclei`."""
    typical_um: float = Field(gt=0)
    smallest_um: float = Field(gt=0)
    largest_um: float = Field(gt=0)


class ParameterSpec(Message):
    """One parameter of a model: enough to check a value and to draw a form field."""

    type: ParameterType | str
    """A type that this version does not know is kept, so that a form can degrade visibly."""
    title: str = ""
    description: str = ""
    default: ParameterValue = None
    optional: bool = False
    """Whether "no value" is an answer."""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = Field(default=None, gt=0)
    scale: Literal["linear", "log"] = "linear"
    choices: tuple[Choice, ...] = ()
    unit: str = ""
    physical: PhysicalLength | None = None
    """Of a length in voxels: an image's voxel size then tells likely values from slips."""
    advanced: bool = False
    visible_when: dict[str, Scalar] = {}
    """Other parameters and the values they must have for this one to matter."""


@dataclass(frozen=True)
class ParameterProblem:
    """Why one given parameter cannot be used."""

    name: str
    message: str


def resolve_parameters(
    specs: Mapping[str, ParameterSpec], given: Mapping[str, ParameterValue]
) -> tuple[dict[str, ParameterValue], list[ParameterProblem]]:
    """Fill `given` with defaults and say what is wrong with it.

    Returns
    -------
    values
        Every parameter of `specs`, given or default; complete only if there are no problems.
    problems
        Unknown names, wrong types and values out of range, in the order given.
    """
    problems = [
        ParameterProblem(name, f"unknown parameter; this model has {', '.join(specs) or 'none'}")
        for name in given
        if name not in specs
    ]
    values: dict[str, ParameterValue] = {}
    for name, spec in specs.items():
        value = given.get(name, spec.default)
        message = _fault(spec, value)
        if message:
            problems.append(ParameterProblem(name, message))
        else:
            values[name] = _typed(spec, value)
    return values, problems


def _fault(spec: ParameterSpec, value: ParameterValue) -> str | None:
    if value is None:
        return None if spec.optional else "a value is needed"
    return _type_fault(spec, value) or _choice_fault(spec, value) or _range_fault(spec, value)


def _type_fault(spec: ParameterSpec, value: ParameterValue) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "number": is_number,
        "integer": is_number and float(str(value)).is_integer(),
        "boolean": isinstance(value, bool),
        "string": isinstance(value, str),
        "range": _is_pair(value),
    }
    return None if fits.get(spec.type, True) else f"{value!r} is not of type {spec.type}"


def _is_pair(value: ParameterValue) -> bool:
    if not isinstance(value, tuple | list) or len(value) != 2:  # noqa: PLR2004 # low and high
        return False
    return not any(isinstance(end, bool) or not isinstance(end, int | float) for end in value)


def _choice_fault(spec: ParameterSpec, value: ParameterValue) -> str | None:
    allowed = [choice.value for choice in spec.choices]
    return f"{value!r} is not one of {allowed}" if allowed and value not in allowed else None


def _range_fault(spec: ParameterSpec, value: ParameterValue) -> str | None:
    ends = value if isinstance(value, tuple | list) else (value,)
    numbers = [float(end) for end in ends if isinstance(end, int | float)]
    if any(math.isnan(number) for number in numbers):
        return "is not a number"
    if spec.minimum is not None and any(number < spec.minimum for number in numbers):
        return f"{value!r} is below the minimum {spec.minimum:g}"
    if spec.maximum is not None and any(number > spec.maximum for number in numbers):
        return f"{value!r} is above the maximum {spec.maximum:g}"
    if len(numbers) > 1 and numbers[0] > numbers[1]:
        return f"the range {value!r} is upside down"
    return None


def _typed(spec: ParameterSpec, value: ParameterValue) -> ParameterValue:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, tuple | list):
        return (float(value[0]), float(value[1]))
    return int(value) if spec.type == "integer" else float(value)
