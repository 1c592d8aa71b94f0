"""Choosing one package by id and version, with a hint where there is none.

Hints name only what is among the packages that are given: whoever may not see one hears nothing.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Protocol, TypeVar

from napari_hmz.errors import NotFound
from napari_hmz.schema import ModelCard


class Carded(Protocol):
    """Something with a model card."""

    @property
    def card(self) -> ModelCard:
        """What users are told."""


P = TypeVar("P", bound=Carded)


def choose(packages: Sequence[P], model: str, version: str | None = None) -> P:
    """Return one package, without `version` the first of the model: the newest.

    Raises
    ------
    NotFound
        If there is none of this name and version.
    """
    for package in packages:
        if package.card.id == model and version in (None, package.card.version):
            return package
    known = [package.card for package in packages]
    versions = [card.version for card in known if card.id == model]
    if versions:
        raise NotFound(
            f"There is no version {version} of {model}.",
            remedy=f"There is {', '.join(versions)}.",
        )
    near = get_close_matches(model, sorted({card.id for card in known}))
    raise NotFound(
        f"There is no model {model}.",
        remedy=f"Did you mean {' or '.join(near)}?" if near else "",
    )
