"""Chunks on their way: up what is wanted, down what is done; bounded, and patient with networks."""

from napari_hmz.transfer.download import Download, FetchedChunk, Sink
from napari_hmz.transfer.lanes import lanes
from napari_hmz.transfer.output_store import OutputStore
from napari_hmz.transfer.run_events import run_events
from napari_hmz.transfer.traffic import Traffic
from napari_hmz.transfer.upload import Upload
from napari_hmz.transfer.uploads import Uploads

__all__ = [
    "Download",
    "FetchedChunk",
    "OutputStore",
    "Sink",
    "Traffic",
    "Upload",
    "Uploads",
    "lanes",
    "run_events",
]
