"""The napari widgets of napari-hmz; the only code here that imports Qt or napari."""
