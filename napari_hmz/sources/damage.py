"""What is said of a chunk that is damaged where it is stored."""

from typing import Final

from napari_hmz.errors import HmzError
from napari_hmz.sources.keys import box_of, index_of
from napari_hmz.sources.protocol import Source

REPAIR: Final = "Restore that file, or leave this region out of the run."


def damage(source: Source, key: str, reason: HmzError) -> str:
    """Return a sentence that names a chunk, the voxels in it, the file behind it, and the fault."""
    request = source.request
    box = box_of(request, index_of(request, key))
    region = ", ".join(
        f"{axis} {part.start}:{part.stop}" for axis, part in zip(request.axes, box, strict=True)
    )
    return f"Chunk {key} ({region}), stored in {source.place(key)}, is damaged: {reason.detail}"
