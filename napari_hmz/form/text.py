"""Values written as text: for fields that have no widget of their own."""

import json

from napari_hmz.schema import ParameterSpec, ParameterValue


def parse_text(spec: ParameterSpec, text: str) -> ParameterValue:
    """Return the value that `text` stands for: a number, a truth value, a pair, or the text itself.

    What cannot be read stays text, so that checking it against the specification says why it does
    not fit; nothing is raised.
    """
    if spec.type == "string":
        return text if text or not spec.optional else None
    if not text.strip():
        return None
    try:
        return _value(json.loads(text), text)
    except (ValueError, RecursionError):  # not JSON, or nested beyond reason
        return text


def write_text(value: ParameterValue) -> str:
    """Return the text that `parse_text` reads as `value`."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _value(read: object, text: str) -> ParameterValue:
    if isinstance(read, bool | int | float | str):
        return read
    if isinstance(read, list) and len(read) == 2:  # noqa: PLR2004 # low and high
        low, high = read
        if isinstance(low, int | float) and isinstance(high, int | float):
            return (float(low), float(high))
    return text
