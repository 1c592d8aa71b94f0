"""What objects a label image holds: a table of their sizes, places and intensities."""

from napari_hmz.objects.measuring import Measured, Reader, measure_objects, measuring
from napari_hmz.objects.space import Space
from napari_hmz.objects.table import Column, ObjectTable

__all__ = [
    "Column",
    "Measured",
    "ObjectTable",
    "Reader",
    "Space",
    "measure_objects",
    "measuring",
]
