"""Anything that holds an image, as a source: announced once, sent by chunk, read by region."""

from napari_hmz.sources.open import open_source, reopen
from napari_hmz.sources.parts import ChannelPart, open_parts
from napari_hmz.sources.protocol import Origin, Source
from napari_hmz.sources.stacked import open_stacked, stacked

__all__ = [
    "ChannelPart",
    "Origin",
    "Source",
    "open_parts",
    "open_source",
    "open_stacked",
    "reopen",
    "stacked",
]
