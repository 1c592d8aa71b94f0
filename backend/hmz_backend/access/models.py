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
from napari_hmz.schema import AccessSpec, DataClass, ModelCard

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
        said = self.access(card)
        is_member = not caller.groups.isdisjoint(said.groups)
        return said.public or is_member or not caller.roles.isdisjoint(OVERSEERS)

    def check_data(self, card: ModelCard, data_class: DataClass) -> None:
        """Raise DataRefused if the model may not be given such data."""
        classes = self.access(card).data_classes
        if classes and data_class not in classes:
            raise DataRefused(
                f"The model {card.name} may not be given images that are {data_class}.",
                remedy="Choose another model. Nothing of the image has been sent.",
            )

    def access(self, card: ModelCard) -> ModelAccess | AccessSpec:
        """Return what holds for one version of a model."""
        named = f"{card.id}/{card.version}"
        return self.settings.get(named) or self.settings.get(card.id) or card.access
