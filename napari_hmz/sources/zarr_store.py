"""Raw chunks and documents of zarr arrays, whatever store they lie in."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore, MemoryStore

from napari_hmz.schema import ArrayDocument
from napari_hmz.sources import fingerprint, listing

if TYPE_CHECKING:
    import zarr

_FILES = {2: ".zarray", 3: "zarr.json"}


def document_of(array: "zarr.Array[Any]") -> ArrayDocument:
    """Return the array's metadata document, without the attributes that a user may have set."""
    files = array.metadata.to_buffer_dict(default_buffer_prototype())
    document = json.loads(files[_FILES[array.metadata.zarr_format]].to_bytes())
    if "attributes" in document:
        document["attributes"] = {}
    document.pop("consolidated_metadata", None)
    return ArrayDocument(zarr_format=array.metadata.zarr_format, document=document)


def folder_of(node: "zarr.Array[Any] | zarr.Group") -> Path | None:
    """Return the folder that holds the node; none unless it lies in plain files."""
    if isinstance(node.store, LocalStore):
        return Path(node.store.root) / node.path
    files = getattr(node.store, "fs", None)  # of fsspec, which dask also uses for local paths
    protocol = getattr(getattr(files, "sync_fs", files), "protocol", ())
    is_local = "file" in ((protocol,) if isinstance(protocol, str) else protocol)
    return Path(str(getattr(node.store, "path", ""))) / node.path if is_local else None


def identity_of(array: "zarr.Array[Any]") -> str:
    """Return what tells the array's present content from any other."""
    folder = folder_of(array)
    if folder is not None:
        return fingerprint.of_folder(folder)
    if isinstance(array.store, MemoryStore):
        return fingerprint.of_texts(sync(_held(array)))
    path = getattr(array.store, "path", None)  # of a zip file
    if isinstance(path, Path) and path.is_file():
        return f"{fingerprint.of_file(path)}:{array.path}"
    return listing.of_remote(array.store, array.path) or fingerprint.unique()


async def _held(array: "zarr.Array[Any]") -> dict[str, bytes]:
    prefix = f"{array.path}/" if array.path else ""
    held: dict[str, bytes] = {}
    async for key in array.store.list_prefix(prefix):
        found = await array.store.get(key, default_buffer_prototype())
        held[key.removeprefix(prefix)] = b"" if found is None else found.to_bytes()
    return held


def address_of(node: "zarr.Array[Any] | zarr.Group") -> str | None:
    """Return where another process finds the node; none if it lives in memory only."""
    if isinstance(node.store, MemoryStore):
        return None
    folder = folder_of(node)
    return str(folder.resolve()) if folder is not None else str(node.store_path)
