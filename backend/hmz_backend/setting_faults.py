"""What is wrong with settings, one fault at a time, in words that never show a value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

UNKNOWN: Final = "extra_forbidden"
MISSHAPEN: Final = "string_pattern_mismatch"
Place = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One thing that is wrong.

    Parameters
    ----------
    place
        Names and positions from the outermost table to the setting; empty: the settings as a whole.
    words
        What is wrong there.
    unknown
        Whether there is no such setting at all.
    """

    place: Place
    words: str
    unknown: bool = False

    def __str__(self) -> str:
        """Return it as a sentence."""
        return f"{place_text(self.place)}: {self.words}"


def asking(words: str, name: str, known: Sequence[str]) -> str:
    """Return a sentence that asks whether a known name was meant, if one is like `name`."""
    near = nearest(name, known)
    return f"{words}; did you mean {near}?" if near else f"{words}."


def faults_of(model: type[BaseModel], error: ValidationError) -> tuple[SettingFault, ...]:
    """Return what pydantic has found, with the nearest known name where one is unknown."""
    return tuple(
        _fault(model, fault["loc"], fault["type"], fault["msg"])
        for fault in error.errors(include_input=False, include_url=False, include_context=False)
    )


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the known name that is most like another; empty if none is."""
    return next(iter(get_close_matches(name, known, n=1)), "")


def without(given: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return settings without what stands at a place."""
    return dict(_without(given, place))


def place_text(place: Place) -> str:
    """Return a place as people write it: `issuers[0].url`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place]
    return "".join(parts).removeprefix(".") or "settings"


def _fault(model: type[BaseModel], place: Place, kind: str, message: str) -> SettingFault:
    if kind == MISSHAPEN and (examples := _examples_of(model, place)):
        return SettingFault(place, f"it must look like {' or '.join(examples)}.")
    if kind != UNKNOWN:
        return SettingFault(place, message.removeprefix("Value error, ").rstrip(".") + ".")
    words = asking("there is no such setting", str(place[-1]), list(_fields_at(model, place[:-1])))
    return SettingFault(place, words, unknown=True)


def _examples_of(model: type[BaseModel], place: Place) -> list[str]:
    """Return what a setting may look like; nothing if its table does not say."""
    field = _fields_at(model, place[:-1]).get(str(place[-1]))
    return [str(example) for example in (field.examples if field else None) or ()]


def _fields_at(model: type[BaseModel], place: Place) -> Mapping[str, FieldInfo]:
    """Return what is known in the table at a place, by name."""
    for part in place:
        field = model.model_fields.get(str(part))
        if field is not None:  # else it is a position or a key: the same table's
            model = next(_models_in(field.annotation), model)
    return model.model_fields


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _without(given: Any, place: Place) -> Any:  # noqa: ANN401 # as TOML has it
    first, rest = place[0], place[1:]
    if isinstance(given, Mapping):
        kept = {name: value for name, value in given.items() if name != first or rest}
        return kept | ({str(first): _without(given[first], rest)} if rest else {})
    return [_without(v, rest) if i == first else v for i, v in enumerate(given)]
