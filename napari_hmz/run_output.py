"""The results of a run as OME-Zarr on this machine: the sink of its download."""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from napari_hmz.errors import OutputExists
from napari_hmz.objects import ObjectTable
from napari_hmz.results import PROVENANCE_KEY, OutputWriter
from napari_hmz.schema import ChunkDone, ModelCard, Run
from napari_hmz.sources import Origin, Source
from napari_hmz.transfer import FetchedChunk


def refuse_in_array(path: Path) -> None:
    """Refuse a path that leads into an array.

    Raises
    ------
    OutputExists
        If it does.
    """
    for folder in path.expanduser().resolve().parents:
        if _is_array(folder):
            raise OutputExists(
                f"{path} lies inside the zarr array {folder}.", remedy="Choose a place outside."
            )


def _is_array(folder: Path) -> bool:
    try:
        document = json.loads((folder / "zarr.json").read_bytes())
    except (OSError, ValueError):  # none, or not one that says what it is
        return (folder / ".zarray").is_file()
    return isinstance(document, dict) and document.get("node_type") == "array"


@dataclass(frozen=True, slots=True)
class OutputWish:
    """What is to become of a run's results on this machine.

    Parameters
    ----------
    place
        Where they are to be written; None: nowhere.
    overwrite
        Over another run's output, if one is there.
    with_image
        The image, too.
    """

    place: Path | None
    overwrite: bool = False
    with_image: bool = False

    def refuse_existing(self) -> None:
        """Refuse a place where a run's output could not be written, before anything is sent.

        Raises
        ------
        OutputExists
            If something lies there that was not asked to be replaced, or is no zarr group.
        """
        path = self.place
        if path is None or not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return
        if not self.overwrite:
            raise OutputExists(f"{path} exists already.")
        if not any((path / name).is_file() for name in ("zarr.json", ".zgroup")):
            raise OutputExists(
                f"{path} is not a zarr group, and is not removed.", remedy="Choose another name."
            )

    def refuse_images(self, origins: Iterable[Origin | None]) -> None:
        """Refuse to replace what holds one of the very images that a run reads.

        Raises
        ------
        OutputExists
            If one of them lies there or below.
        """
        place = None if self.place is None else self.place.expanduser().resolve()
        for address in (origin.address for origin in origins if origin is not None):
            if place is None or "://" in address:
                continue
            image = Path(address.split("::")[0]).expanduser().resolve()
            if image.is_relative_to(place):
                raise OutputExists(
                    f"{self.place} holds the image itself, and is not replaced.",
                    remedy="Choose another name.",
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
            if is_complete(path, run.id)
            else OutputWriter.prepare(
                path,
                run,
                image=image,
                overwrite=overwrite,
                classes={output.name: output.classes for output in outputs},
            )
        )
        self.chunks = WrittenChunks(self._writer)
        self._finish_lock = threading.Lock()

    def finish(self, run: Run, tables: Iterable[tuple[str, ObjectTable]], /) -> None:
        """Write the tables as CSV, coarser levels, the image if wanted, and the provenance; once.

        Raises
        ------
        DiskFull
            If there is no space for them; what was written before stays.
        """
        with self._finish_lock:
            if self._writer is not None and not is_complete(self.path, run.id):
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


def is_complete(path: Path, run_id: str) -> bool:
    """Tell whether the output of this run has been written to its end."""
    if not (path / "zarr.json").is_file():
        return False
    try:
        own = zarr.open_group(LocalStore(path, read_only=True), mode="r").attrs.get(PROVENANCE_KEY)
    except (ValueError, KeyError, TypeError, FileNotFoundError):  # another's, or not a group
        return False
    return isinstance(own, Mapping) and own.get("run") == run_id and own.get("complete") is True
