"""From the bytes of a chunk to its array, never further than the announced size."""

from napari_hmz.decoding.chunk import ChunkDecoder

__all__ = ["ChunkDecoder"]
