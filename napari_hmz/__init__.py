"""napari-hmz: the Helmholtz Model Zoo from napari, Python and the shell."""

__version__ = "0.1.0"
