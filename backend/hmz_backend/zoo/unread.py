"""Words under `config.hmz` that nothing here reads: most often they are misspelt."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from hmz_backend.setting_faults import nearest
from hmz_backend.zoo.extension import Extension

PLACE = "config.hmz"


def unread(section: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each word of the section that is not read.

    A newer version may know it, so it is no error.
    """
    yield from _within(section, Extension, PLACE)


def _within(node: object, kind: object, place: str) -> Iterator[str]:
    """Compare a node of the document with the type that it is read as."""
    if get_origin(kind) is tuple and isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _within(value, get_args(kind)[0], f"{place}.{index}")
    elif get_origin(kind) is dict and isinstance(node, Mapping):
        for name, value in node.items():
            yield from _within(value, get_args(kind)[1], f"{place}.{name}")
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(node, Mapping):
        yield from _fields(node, kind, place)
    elif get_origin(kind) not in (tuple, dict):
        for choice in get_args(kind):  # of a union, the one that fits
            yield from _within(node, choice, place)


def _fields(node: Mapping[str, Any], kind: type[BaseModel], place: str) -> Iterator[str]:
    for name, value in node.items():
        field = kind.model_fields.get(name)
        if field is not None:
            yield from _within(value, field.annotation, f"{place}.{name}")
            continue
        near = nearest(str(name), list(kind.model_fields))
        hint = f"; did you mean {near}?" if near else ""
        yield f"{place}.{name} is not read: there is no such word here{hint}"
