"""The stored bytes of a zarr array's chunks, wherever its store lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from napari_hmz.sources.attempts import attempted
from napari_hmz.sources.zarr_store import folder_of

if TYPE_CHECKING:
    import zarr


@dataclass(frozen=True, slots=True)
class StoredChunks:
    """Reads the chunks, or the shards, of one array as they are stored; from any thread."""

    array: "zarr.Array[Any]"

    def get(self, index: tuple[int, ...], part: ByteRequest | None = None) -> bytes | None:
        """Return the bytes of a chunk, or a part of them; none if the store does not hold it."""
        key = self.array.metadata.encode_chunk_key(index)
        return attempted(lambda: self._get(key, part))

    def place(self, index: tuple[int, ...]) -> str:
        """Return where a chunk lies, for a person."""
        key = self.array.metadata.encode_chunk_key(index)
        folder = folder_of(self.array)
        return f"{self.array.store_path}/{key}" if folder is None else str(folder / key)

    def _get(self, key: str, part: ByteRequest | None) -> bytes | None:
        folder = folder_of(self.array)
        if folder is not None:
            return _of_file(folder / key, part)
        path = f"{self.array.path}/{key}" if self.array.path else key
        # zarr's own loop: sessions of remote stores belong to the first loop that used them
        found = sync(self.array.store.get(path, default_buffer_prototype(), part))
        return None if found is None else found.to_bytes()


def _of_file(path: Path, part: ByteRequest | None) -> bytes | None:
    try:
        with path.open("rb") as file:
            match part:
                case RangeByteRequest(start, end):
                    file.seek(start)
                    return file.read(end - start)
                case OffsetByteRequest(offset):
                    file.seek(offset)
                case SuffixByteRequest(suffix):
                    size = path.stat().st_size
                    file.seek(max(0, size - suffix))
            return file.read()
    except FileNotFoundError:
        return None
