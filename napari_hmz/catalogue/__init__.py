"""Choosing a model: what there is, what of it suits an image, and what a person should know of it.

Pure, but for `kept`, which reads and writes the state folder: no GUI library, no threads.
"""

from napari_hmz.catalogue.facets import Facets, facets_of
from napari_hmz.catalogue.fit import (
    ImageDescription,
    likely_axes,
    misfit,
    misfit_of_axes,
    size_misfit,
)
from napari_hmz.catalogue.kept import Kept, KeptCards, kept_cards
from napari_hmz.catalogue.listing import Catalogue, Entry, Query

__all__ = [
    "Catalogue",
    "Entry",
    "Facets",
    "ImageDescription",
    "Kept",
    "KeptCards",
    "Query",
    "facets_of",
    "kept_cards",
    "likely_axes",
    "misfit",
    "misfit_of_axes",
    "size_misfit",
]
