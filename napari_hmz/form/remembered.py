"""The values a person has last used with models: one small file of this user for each backend.

A value is kept while it differs from what the card proposes, and given back as long as it fits the
card: a new version of a model takes over what still makes sense.
"""

import json
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from napari_hmz.form.fields import KNOWN_TYPES, Form, form_of
from napari_hmz.schema import ModelCard, ParameterSpec, ParameterValue, resolve_parameters
from napari_hmz.schema.base import Message
from napari_hmz.whole_file import safe_name, write_whole

VERSION = 1
MOST_FORMS = 200
"""The file stays small: what has not been used for longest is forgotten."""
_SECRET = re.compile(r"token|secret|password|passwd|credential|api.?key", re.IGNORECASE)


class _Kept(Message):
    """The values of one form."""

    model: str
    form: str
    """Digest of the card's parameters: what tells this form from those of other versions."""
    values: dict[str, ParameterValue]


class _File(Message):
    version: int = VERSION
    kept: tuple[_Kept, ...] = ()
    """The latest first."""


class RememberedValues:
    """What was last used with the models of one backend.

    Threads: may be used from several at once; of processes, the last one to write wins, whole.

    Parameters
    ----------
    file
        Made when something is to be remembered; read once.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._kept: tuple[_Kept, ...] | None = None

    def values(self, card: ModelCard) -> dict[str, ParameterValue]:
        """Return a model's values: those last used where they still fit, else the card's.

        Values of another version of the model do where none of this one are known.
        """
        form, digest = form_of(card), _digest(card)
        with self._lock:
            of_model = [one for one in self._read() if one.model == card.id]
        exact = [one for one in of_model if one.form == digest]
        found = next(iter([*exact, *of_model]), None)
        return form.start() | (_fitting(form, found.values) if found else {})

    def put(self, card: ModelCard, values: Mapping[str, ParameterValue]) -> None:
        """Remember values, whole or not at all; a full disk is no reason to fail."""
        form, digest = form_of(card), _digest(card)
        start, specs = form.start(), _specs(form)
        changed = {
            name: value
            for name, value in _fitting(form, values).items()
            if value != start[name] and _harmless(name, specs[name])
        }
        mine = _Kept(model=card.id, form=digest, values=changed)
        with self._lock:
            others = [one for one in self._read() if (one.model, one.form) != (card.id, digest)]
            self._kept = (mine, *others)[:MOST_FORMS]
            with suppress(OSError):
                write_whole(self._file, _File(kept=self._kept).model_dump_json().encode())

    def _read(self) -> tuple[_Kept, ...]:
        if self._kept is None:
            try:
                found = _File.model_validate_json(self._file.read_bytes())
            except (OSError, ValidationError):  # not there yet, or damaged: then nothing is known
                found = _File()
            self._kept = found.kept if found.version == VERSION else ()
        return self._kept


def remembered_values(state_dir: Path, backend: str) -> RememberedValues:
    """Return what is remembered of a backend's models.

    Parameters
    ----------
    state_dir, backend
        As of `napari_hmz.catalogue.kept_cards`.
    """
    return RememberedValues(state_dir / "forms" / f"{safe_name(backend)}.json")


def _digest(card: ModelCard) -> str:
    specs = {name: spec.model_dump(mode="json") for name, spec in card.parameters.items()}
    text = json.dumps(specs, sort_keys=True, default=str)
    return safe_name(text)


def _specs(form: Form) -> dict[str, ParameterSpec]:
    return {field.name: field.spec for field in form.fields}


def _fitting(form: Form, values: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
    """Return those of the values that the form has a field for, and that may stand in it."""
    specs = _specs(form)
    given = {name: value for name, value in values.items() if name in specs}
    faults = {fault.name for fault in resolve_parameters(specs, given)[1]}
    return {name: value for name, value in given.items() if name not in faults}


def _harmless(name: str, spec: ParameterSpec) -> bool:
    """Return whether a value may lie in a file: no secret, as far as that can be told."""
    words = f"{name} {spec.title}"
    return spec.type in KNOWN_TYPES and not (spec.type == "string" and _SECRET.search(words))
