"""The images of a run: one for each input of its model that is fed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_hmz.errors import RequestError
from napari_hmz.schema import InputSpec, ModelCard, RunRequest
from napari_hmz.sources import Origin, Source

Open = Callable[[Any, InputSpec], Source]
"""Opens a thing for an input."""


@dataclass(frozen=True)
class RunSources:
    """What feeds the inputs of a run.

    Parameters
    ----------
    first
        Feeds the first input.
    others
        Feed the others, by their names.
    """

    first: Source
    others: Mapping[str, Source] = field(default_factory=dict)

    @property
    def origins(self) -> dict[str, Origin | None]:
        """Where the others come from."""
        return {name: source.origin for name, source in self.others.items()}

    def by_volume(self, request: RunRequest) -> dict[str, Source]:
        """Return the source of each volume that a run reads."""
        found = {request.inputs[name]: source for name, source in self.others.items()}
        return {request.volume: self.first} | found


def opened_for(
    card: ModelCard,
    source: Any,  # noqa: ANN401 # as open_source
    inputs: Mapping[str, Any] | None,
    open_one: Open,
) -> RunSources:
    """Open what is to feed the inputs of a model.

    Parameters
    ----------
    card
        The model.
    source
        For its first input; None: that stands in `inputs` too.
    inputs
        By the names of the inputs.

    Raises
    ------
    RequestError
        If there is nothing for the first input, or more than one thing, or an input is unknown.
    """
    first, *others = card.inputs
    given = dict(inputs or {})
    if (source is None) == (first.name not in given):
        what = "no image" if source is None else "two images"
        raise RequestError(
            f"There is {what} for the model's first input, {first.name}.",
            remedy="Give one: as the image itself, or by its name among the inputs.",
        )
    specs = {spec.name: spec for spec in others}
    if strange := [name for name in given if name not in {first.name, *specs}]:
        known = ", ".join([first.name, *specs])
        raise RequestError(f"The model has no input {', '.join(strange)}; it has {known}.")
    opened = open_one(given.pop(first.name, source), first)
    return RunSources(opened, {name: open_one(one, specs[name]) for name, one in given.items()})
