"""Recipes: model packages made on this machine from a third party's installed Python package.

The weights stay the third party's: nothing of them is part of this project.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_hmz.errors import NotFound


@dataclass(frozen=True)
class Recipe:
    """One recipe.

    Parameters
    ----------
    name
        Of the recipe and of the model.
    summary
        What the model does, in one sentence.
    needs
        What to install first, as `pip install` takes it.
    build
        Makes the package in the folder given, and returns it.
    """

    name: str
    summary: str
    needs: str
    build: Callable[[Path], Path]


def _deepbet(folder: Path) -> Path:
    from hmz_backend.zoo.recipes.deepbet import build

    return build(folder)


RECIPES: Mapping[str, Recipe] = {
    "deepbet": Recipe(
        name="deepbet",
        summary="Brain extraction from T1-weighted MRI of the head (MIT licence).",
        needs="deepbet==1.0.2 torch onnx",
        build=_deepbet,
    ),
}


def recipe(name: str) -> Recipe:
    """Return a recipe.

    Raises
    ------
    NotFound
        If there is none of this name.
    """
    if name not in RECIPES:
        raise NotFound(
            f"There is no recipe {name}.", remedy=f"Recipes are: {', '.join(sorted(RECIPES))}."
        )
    return RECIPES[name]
