"""The results of a run as OME-Zarr on this machine: the sink of its download."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from napari_hmz.errors import OutputExists
from napari_hmz.objects import ObjectTable
from napari_hmz.results import PROVENANCE_KEY, OutputWriter
from napari_hmz.schema import ChunkDone, ModelCard, Run
from napari_hmz.sources import Source
from napari_hmz.transfer import FetchedChunk


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse a path where a run's output could not be written, before anything is sent.

    Raises
    ------
    OutputExists
        If something lies there that was not asked to be replaced, or is no zarr group, or the
        path leads into an array.
    """
    for folder in path.expanduser().resolve().parents:
        if _is_array(folder):
            raise OutputExists(
                f"{path} lies inside the zarr array {folder}.", remedy="Choose a place outside."
            )
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not overwrite:
        raise OutputExists(f"{path} exists already.")
    if not any((path / name).is_file() for name in ("zarr.json", ".zgroup")):
        raise OutputExists(
            f"{path} is not a zarr group, and is not removed.", remedy="Choose another name."
        )


def _is_array(folder: Path) -> bool:
    try:
        document = json.loads((folder / "zarr.json").read_bytes())
    except (OSError, ValueError):  # none, or not one that says what it is
        return (folder / ".zarray").is_file()
    return isinstance(document, dict) and document.get("node_type") == "array"


def refuse_own_image(path: Path, address: str | None) -> None:
    """Refuse to replace what holds the very image that a run reads.

    Parameters
    ----------
    path
        Where the output is to lie.
    address
        Of the image, as its source's `origin` tells it; None: not on a disk.

    Raises
    ------
    OutputExists
        If the image lies at `path` or below.
    """
    if address is None or "://" in address:
        return
    image = Path(address.split("::")[0]).expanduser().resolve()
    if image.is_relative_to(path.expanduser().resolve()):
        raise OutputExists(
            f"{path} holds the image itself, and is not replaced.", remedy="Choose another name."
        )


class OmeZarrOutput:
    """The OME-Zarr of one run: takes its chunks as they come, and the rest at its end.

    Parameters
    ----------
    path, run
        Where the store lies; one that was made for this very run is gone on with.
    image
        The run's source, if it is to be written beside the results.
    card
        Of the run's model: names and colours of classes.
    overwrite
        Replace another run's output.

    Raises
    ------
    OutputExists, DiskFull
        As `OutputWriter.prepare`.
    """

    def __init__(
        self,
        path: Path,
        run: Run,
        *,
        image: Source | None,
        card: ModelCard | None,
        overwrite: bool,
    ) -> None:
        outputs = card.outputs if card is not None else ()
        self.path = path
        self._writer = (
            None
            if _is_complete(path, run.id)
            else OutputWriter.prepare(
                path,
                run,
                image=image,
                overwrite=overwrite,
                classes={output.name: output.classes for output in outputs},
            )
        )
        self.chunks = WrittenChunks(self._writer)

    def finish(self, run: Run, tables: Iterable[tuple[str, ObjectTable]], /) -> None:
        """Write the tables as CSV, coarser levels, the image if wanted, and the provenance.

        Raises
        ------
        DiskFull
            If there is no space for them; what was written before stays.
        """
        if self._writer is not None:
            for name, table in tables:
                table.write_csv(self._writer.table_path(name))
            self._writer.finish(run)


class WrittenChunks:
    """The chunks of one run on this machine's disk.

    Parameters
    ----------
    writer
        Of the store; None: it is complete, and nothing is wanted.
    """

    def __init__(self, writer: OutputWriter | None) -> None:
        self._writer = writer
        self._stores_alike: dict[str, bool] = {}

    def wants(self, done: ChunkDone, /) -> bool:
        """Return whether a chunk is final and not on the disk yet."""
        if self._writer is None or not done.final:
            return False
        return not self._writer.holds(done.output, done.region, done.digest)

    def take(self, chunk: FetchedChunk, /) -> None:
        """Write a chunk: as it came, if it is stored here as it is there.

        Raises
        ------
        DiskFull
            If there is no space; what was written before stays.
        """
        if self._writer is None:
            return
        done = chunk.done
        if done.output not in self._stores_alike:  # once per output, not for thousands of chunks
            alike = self._writer.stores_like(done.output, json.loads(chunk.document))
            self._stores_alike[done.output] = alike
        if self._stores_alike[done.output]:
            self._writer.put_chunk(done.output, done.region, chunk.stored, digest=done.digest)
        else:  # a backend of another version, or axes in another order
            self._writer.write_chunk(done.output, done.region, chunk.values, digest=done.digest)

    def read(self, done: ChunkDone, /) -> NDArray[Any] | None:
        """Return a chunk as it lies on the disk; None if it does not (yet)."""
        if self._writer is None or not self._writer.holds(done.output, done.region, done.digest):
            return None
        return self._writer.read(done.output, done.region)


def _is_complete(path: Path, run_id: str) -> bool:
    """Tell whether the output of this run has been written to its end."""
    if not (path / "zarr.json").is_file():
        return False
    try:
        own = zarr.open_group(LocalStore(path, read_only=True), mode="r").attrs.get(PROVENANCE_KEY)
    except (ValueError, KeyError, TypeError, FileNotFoundError):  # another's, or not a group
        return False
    return isinstance(own, Mapping) and own.get("run") == run_id and own.get("complete") is True
