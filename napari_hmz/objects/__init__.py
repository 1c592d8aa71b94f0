"""What objects an image holds: a table of their sizes, places and intensities."""

from napari_hmz.objects.measuring import Measured, Reader, measure_objects, measuring
from napari_hmz.objects.rows import row_table
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
    "row_table",
]
