"""Words of the command line become values: `z=0:10`, `diameter=30`."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, get_args

import typer

from napari_hmz.schema import AxisName, Interval, ParameterSpec, ParameterValue

T = TypeVar("T")
_AXES: tuple[AxisName, ...] = get_args(AxisName)
_NONE = frozenset({"none", "null"})
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def by_axis(text: str | None, read: Callable[[str], T], option: str) -> dict[AxisName, T]:
    """Read `z=...,y=...`, each value by `read`."""
    found: dict[AxisName, T] = {}
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        axis = next((axis for axis in _AXES if axis == name.strip()), None)
        if not equals:
            raise _wrong(f"{part!r} is not AXIS=VALUE, as z={_EXAMPLES.get(read, 32)}.", option)
        if axis is None:
            raise _wrong(f"{name!r} is no axis; there are {', '.join(_AXES)}.", option)
        if axis in found:
            raise _wrong(f"the axis {axis} is given twice.", option)
        try:
            found[axis] = read(value.strip())
        except ValueError:
            example = _EXAMPLES.get(read, 32)
            raise _wrong(f"{value!r} is no value for {axis}, as {example} is.", option) from None
    return found


def _wrong(message: str, option: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint=option)


def inputs(given: Sequence[str] | None) -> dict[str, str | Path]:
    """Read `NAME=IMAGE` words: a path, or an address."""
    found: dict[str, str | Path] = {}
    for word in given or ():
        name, equals, place = word.partition("=")
        if not (name and equals and place):
            raise _wrong(f"{word!r} is not NAME=IMAGE.", "--input")
        found[name] = place if "://" in place else Path(place)
    return found


def interval(text: str) -> Interval:
    """Read `first:end`.

    Raises
    ------
    ValueError
        If it does not look like that.
    """
    start, _, stop = text.partition(":")
    return int(start), int(stop)


_EXAMPLES: dict[Callable[[str], object], str] = {interval: "0:10", float: "0.3"}
"""What a value of an option looks like, for whoever has given another; else a whole number."""


def indices(text: str | None, option: str) -> tuple[int, ...]:
    """Read `0,2`."""
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of numbers.", param_hint=option) from None


def channel(text: str | None) -> int | str | None:
    """Read a channel: an index, or a name; in quotes, a name whatever it looks like."""
    if text is None or text.startswith('"'):
        return text and str(_plain(text))
    return int(text) if text.lstrip("-").isdecimal() else text


def parameters(
    words: Sequence[str] | None, specs: Mapping[str, ParameterSpec]
) -> dict[str, ParameterValue]:
    """Read `NAME=VALUE` words by what the card says of each; the backend checks the values.

    What stands in quotes is text, whatever it looks like.
    """
    found: dict[str, ParameterValue] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals:
            raise typer.BadParameter(f"{word!r} is not NAME=VALUE.", param_hint="--set")
        found[name.strip()] = _value(value.strip(), specs.get(name.strip()))
    return found


def _value(text: str, spec: ParameterSpec | None) -> ParameterValue:
    kind = spec.type if spec is not None else ""
    if text.startswith('"'):
        return _plain(text)
    if text.lower() in _NONE and (kind != "string" or (spec is not None and spec.optional)):
        return None
    if kind == "string":
        return text
    if kind == "boolean" and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if kind == "range" and not text.startswith("["):
        text = f"[{text.replace(':', ',')}]"
    return _plain(text)


def _plain(text: str) -> ParameterValue:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, list) and len(value) == 2:  # noqa: PLR2004 # low and high
        low, high = value
        return (low, high)
    return value if isinstance(value, bool | int | float | str) else text
