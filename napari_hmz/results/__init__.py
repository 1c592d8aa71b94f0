"""The results of a run on this machine's disk: OME-Zarr 0.5 with labels and provenance."""

from napari_hmz.results.claim import Claim, tidy
from napari_hmz.results.overlay import write_overlay
from napari_hmz.results.writer import PROVENANCE_KEY, OutputWriter

__all__ = ["PROVENANCE_KEY", "Claim", "OutputWriter", "tidy", "write_overlay"]
