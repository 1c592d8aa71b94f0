"""Who may see and use a model, and which data it may be given: pure rules.

The package says so itself; what the admin's settings say of a model takes the place of that. Who
reviews models sees them all. What somebody may not see does not exist for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hmz_backend.identity.protocol import Principal
from hmz_backend.model_access import ModelAccess
from napari_hmz.errors import DataRefused
from napari_hmz.schema import DataClass, ModelCard

OVERSEERS: Final = frozenset({"reviewer", "admin"})


@dataclass(frozen=True, slots=True)
class ModelRules:
    """The rules for all models of a backend.

    Parameters
    ----------
    settings
        What the admin says, by `ID/VERSION` or, for all versions, by `ID`.
    """

    settings: Mapping[str, ModelAccess] = field(default_factory=dict)

    def admits(self, caller: Principal, card: ModelCard) -> bool:
        """Return whether a caller may see and use one version of a model."""
        said = self._said(card)
        is_open = card.access.public if said is None else said.public
        groups = card.access.groups if said is None else said.groups
        is_member = not caller.groups.isdisjoint(groups)
        return is_open or is_member or not caller.roles.isdisjoint(OVERSEERS)

    def check_data(self, card: ModelCard, data_class: DataClass) -> None:
        """Raise DataRefused if the model may not be given such data."""
        said = self._said(card)
        classes = card.access.data_classes if said is None else said.data_classes
        if classes and data_class not in classes:
            raise DataRefused(
                f"The model {card.name} may not be given images that are {data_class}.",
                remedy="Choose another model. Nothing of the image has been sent.",
            )

    def _said(self, card: ModelCard) -> ModelAccess | None:
        found = self.settings.get(f"{card.id}/{card.version}")
        return self.settings.get(card.id) if found is None else found
