"""`OutputWriter`: the results of one run as an OME-Zarr 0.5 store on this machine's disk.

```
OUT.ome.zarr/
  0, 1, ..             the image, if it is copied in
  labels/NAME/0, 1, .. each labels output
  NAME/0, 1, ..        each image output
  tables/NAME.csv      each table of points, boxes or other rows
```

Without a copy of the image the root describes the first labels (else the first image output) where
they lie, so that the store is a valid image in either case. It is valid from the first moment on:
one level while the run goes, all levels once it has ended. Chunks may be written from several
threads, in any order, and again; each is written beside and renamed, so that none is ever torn.
"""

import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zarr
from zarr.storage import LocalStore

from napari_hmz.errors import NotFound, OutputExists, RunFailed
from napari_hmz.results.coarser import CoarserLevels
from napari_hmz.results.copied_image import copied_statistics, copy_image, image_array
from napari_hmz.results.disk import writing
from napari_hmz.results.journal import Journal
from napari_hmz.results.metadata import (
    image_attributes,
    label_attributes,
    labels_attributes,
    omero_section,
)
from napari_hmz.results.output import Pyramid, made_axes, stored_axes
from napari_hmz.schema import AxisName, ClassSpec, Interval, OutputArray, Region, Run
from napari_hmz.schema.output_document import LABEL_KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_hmz.sources import Source

PROVENANCE_KEY = "napari-hmz"
"""Our own key in the attributes of the root and of each output."""
_JOURNAL = ".napari-hmz-final"
_FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class OutputWriter:
    """Writes what a run gives; made by `prepare`."""

    def __init__(
        self,
        path: Path,
        run: Run,
        image: "Source | None",
        classes: Mapping[str, Sequence[ClassSpec]],
    ) -> None:
        self._path = path
        self._run = run
        self._source = image
        self._classes = classes
        self._root = zarr.open_group(LocalStore(path), mode="a", zarr_format=3)
        if not self._root.attrs.get(PROVENANCE_KEY):
            # told first: whatever happens next, this run finds its store again
            self._root.update_attributes({PROVENANCE_KEY: {"run": run.id}})
        self._image = None if image is None else self._image_pyramid(image)
        beside = () if self._image is None else self._image.axes
        self._outputs = {array.name: self._pyramid(array, beside) for array in run.plan.outputs}
        self._coarser = {name: CoarserLevels(each.levels) for name, each in self._outputs.items()}
        self._finest = {name: pyramid.finest() for name, pyramid in self._outputs.items()}
        # inside an array's folder, where zarr looks for nothing but chunks
        self._journals = {
            name: Journal(path / pyramid.path / "0" / _JOURNAL, pyramid.grid)
            for name, pyramid in self._outputs.items()
        }

    @classmethod
    def prepare(
        cls,
        path: str | Path,
        run: Run,
        *,
        image: "Source | None" = None,
        overwrite: bool = False,
        classes: Mapping[str, Sequence[ClassSpec]] | None = None,
    ) -> "OutputWriter":
        """Make the store of a run, or open again the one that was made for this very run.

        Parameters
        ----------
        image
            The source that the run works on, if its region is to be copied in.
        overwrite
            Remove an output of another run that lies at `path`; nothing but zarr is ever removed.
        classes
            Per output: the classes of its values, with names and colours.

        Raises
        ------
        OutputExists
            If something else lies at `path`.
        DiskFull
            If there is no space to begin with.
        """
        where = Path(path).expanduser().absolute()
        with writing(where):
            if _belongs_to(where, run.id):
                _sweep(where)
            else:
                _clear(where, overwrite=overwrite)
            where.mkdir(parents=True, exist_ok=True)
            writer = cls(where, run, image, classes or {})
            writer.describe(run, is_complete=False)
        return writer

    @property
    def path(self) -> Path:
        """Where the store lies."""
        return self._path

    def array(self, output: str) -> "zarr.Array[Any]":
        """Return the finest level of an output.

        Raises
        ------
        NotFound
            If the run has no such output.
        """
        if output not in self._finest:
            raise NotFound(f"The run has no output {output!r}; it has {sorted(self._finest)}.")
        return self._finest[output]

    def write_chunk(
        self,
        output: str,
        region: Mapping[AxisName, Interval],
        array: "NDArray[Any]",
        *,
        digest: str = "",
    ) -> None:
        """Write one chunk, or any region, of an output.

        Parameters
        ----------
        region
            In the output's own axes, counted from its first voxel; axes not named are whole.
        array
            In the output's own axes.
        digest
            Of a chunk that will not change again: `holds` then knows it, in later processes too.

        Raises
        ------
        NotFound, RegionInvalid
            If the run has no such output, or the output no such region.
        DiskFull
            If there is no space; what was written before stays.
        """
        finest = self.array(output)
        is_anew = self._forget(output, region)
        self._outputs[output].write(region, array, finest)
        self._keep(output, region, digest, is_anew=is_anew)

    def stores_like(self, output: str, document: Mapping[str, Any]) -> bool:
        """Tell whether an array with this `zarr.json` stores the output's chunks as this one.

        Raises
        ------
        NotFound
            If the run has no such output.
        """
        return self._outputs[output].stores_like(document, self.array(output))

    def put_chunk(self, output: str, region: Region, body: bytes, *, digest: str) -> None:
        """Write one chunk exactly as the backend stores it; only where `stores_like` holds.

        Parameters
        ----------
        region
            Of the chunk, in the output's own axes.
        body
            As stored; empty if the chunk is nothing but fill value.
        digest
            As for `write_chunk`.

        Raises
        ------
        RegionInvalid
            If the region is not that of one chunk.
        DiskFull
            If there is no space; what was written before stays.
        """
        pyramid = self._outputs[output]
        is_anew = self._forget(output, region)
        pyramid.put(self._path / pyramid.path / "0", region, body)
        self._keep(output, region, digest, is_anew=is_anew)

    def _forget(self, output: str, region: Mapping[AxisName, Interval]) -> bool:
        """Note that chunks are about to change; return whether one of them was final."""
        pyramid, journal = self._outputs[output], self._journals[output]
        noted = [journal.forget(place) for place in pyramid.places(region)]
        return any(noted)

    def _keep(
        self, output: str, region: Mapping[AxisName, Interval], digest: str, *, is_anew: bool
    ) -> None:
        """Note what is written, and let the coarser levels know what they can be made from now."""
        pyramid, coarser = self._outputs[output], self._coarser[output]
        place = pyramid.place(region)
        if digest and place is not None:
            self._journals[output].note(place, digest)
        if digest and place is not None and not is_anew:
            coarser.final(place)
        else:
            for touched in pyramid.places(region):
                coarser.changed(touched)

    def holds(self, output: str, region: Mapping[AxisName, Interval], digest: str) -> bool:
        """Tell whether this chunk has been written before, with this digest, and is whole.

        One that an earlier process has written is read and compared; if it was stored otherwise
        than the backend has it, that cannot be told, and it is fetched again.
        """
        pyramid, journal = self._outputs.get(output), self._journals.get(output)
        place = None if pyramid is None else pyramid.place(region)
        if pyramid is None or journal is None or place is None or not journal.holds(place, digest):
            return False
        folder = self._path / pyramid.path / "0"
        return journal.is_own(place) or pyramid.stores(folder, dict(region), digest)

    def read(self, output: str, region: Mapping[AxisName, Interval]) -> "NDArray[Any]":
        """Return what has been written of a region of an output, in the output's own axes."""
        return self._outputs[output].read(region, self.array(output))

    def table_path(self, name: str) -> Path:
        """Return where a table belongs; its folder is there.

        Raises
        ------
        RunFailed
            If it has a name that no file can have.
        """
        if not _NAME.fullmatch(name):
            raise RunFailed(f"The output name {name!r} cannot be the name of a file.")
        path = self._path / table_place(name)
        with writing(path):
            path.parent.mkdir(exist_ok=True)
        return path

    def finish(self, run: Run) -> None:
        """Make the coarser levels, copy the image and store the provenance.

        May be called again, also by another process, if it was interrupted.

        Raises
        ------
        DiskFull, SourceUnreadable
            If there is no space, or the image cannot be read any more; the outputs are complete.
        """
        with writing(self._path):
            for coarser in self._coarser.values():
                coarser.finish()
            if self._image is not None and self._source is not None:
                copy_image(self._source, run.plan, self._image)
                CoarserLevels(self._image.levels).finish()
            self.describe(run, is_complete=True)
            for journal in self._journals.values():
                journal.remove()

    def describe(self, run: Run, *, is_complete: bool) -> None:
        """Write all attributes: one level while the run goes, all of them at its end."""
        for pyramid in self._outputs.values():
            levels = len(pyramid.factors) if is_complete else 1
            described = pyramid.described(levels=levels)
            ome = (
                label_attributes(described, self._classes_of(pyramid.array))
                if pyramid.is_labels
                else image_attributes(described, None)
            )
            own = _provenance(run, is_complete=is_complete) | told(pyramid.array)
            pyramid.group.update_attributes({"ome": ome, PROVENANCE_KEY: own})
        names = [name for name, pyramid in self._outputs.items() if pyramid.is_labels]
        if names:
            labels = self._root.require_group("labels")
            labels.update_attributes({"ome": labels_attributes(names)})
        own = _provenance(run, is_complete=is_complete) | {
            "outputs": {name: pyramid.path for name, pyramid in self._outputs.items()},
            "tables": [
                table.model_dump(mode="json") | {"path": table_place(table.name)}
                for table in run.plan.tables
            ],
        }
        self._root.update_attributes(
            self._root_ome(run, is_complete=is_complete) | {PROVENANCE_KEY: own}
        )

    def _classes_of(self, array: OutputArray) -> Sequence[ClassSpec]:
        return self._classes.get(array.name, ()) or array.classes

    def _root_ome(self, run: Run, *, is_complete: bool) -> dict[str, Any]:
        if self._image is not None and self._source is not None:
            levels = len(self._image.factors) if is_complete else 1
            taken = run.provenance.statistics
            shown_as = copied_statistics(self._source.request, run.plan, taken)
            omero = omero_section(self._image.array.channels, shown_as)
            return {"ome": image_attributes(self._image.described(levels=levels), omero)}
        if "0" in self._root:  # copied by an earlier process, which was asked to
            return {}
        shown = sorted(self._outputs.values(), key=lambda pyramid: not pyramid.is_labels)
        if not shown:
            return {}
        levels = len(shown[0].factors) if is_complete else 1
        described = shown[0].described(levels=levels, prefix=f"{shown[0].path}/")
        return {"ome": image_attributes(described, None)}

    def _image_pyramid(self, source: "Source") -> Pyramid:
        array = image_array(source.request, self._run.plan)
        pyramid = Pyramid(self._root, "", array, stored_axes(array, ()))
        pyramid.finest()
        return pyramid

    def _pyramid(self, array: OutputArray, beside: tuple[AxisName, ...]) -> Pyramid:
        path = f"labels/{array.name}" if array.kind in LABEL_KINDS else array.name
        if not _NAME.fullmatch(array.name) or path.isdigit() or path == "labels":
            # it would lead out of the store, or onto the image's levels
            raise RunFailed(f"The output name {array.name!r} cannot be the name of a group.")
        group = self._root.require_group(path)
        return Pyramid(group, path, array, made_axes(group) or stored_axes(array, beside))


def table_place(name: str) -> str:
    """Return where below the root of a store a table lies."""
    return f"tables/{name}.csv"


def told(array: OutputArray) -> dict[str, Any]:
    """Return what OME-Zarr has no word for: by it, a viewer shows an output as while it ran."""
    classes = [one.model_dump(mode="json") for one in array.classes]
    told = {"output": array.name, "kind": array.kind, "classes": classes}
    return told | {"channels": list(array.channels)}


def _provenance(run: Run, *, is_complete: bool) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "run": run.id,
        "state": run.state,
        "complete": is_complete,
        "request": run.request.model_dump(mode="json"),
        "provenance": run.provenance.model_dump(mode="json"),
        "results": [result.model_dump(mode="json") for result in run.results],
        "error": None if run.error is None else run.error.model_dump(mode="json"),
    }


def _belongs_to(path: Path, run_id: str) -> bool:
    """Tell whether the store at `path` was made for this run."""
    if not (path / "zarr.json").is_file():
        return False
    try:
        own = zarr.open_group(LocalStore(path, read_only=True), mode="r").attrs.get(PROVENANCE_KEY)
    except (ValueError, KeyError, TypeError, FileNotFoundError):  # another's, or not a group
        return False
    return isinstance(own, Mapping) and own.get("run") == run_id


def _sweep(path: Path) -> None:
    """Remove what an earlier process was about to write when it was killed."""
    for left in path.rglob("*.partial"):
        left.unlink(missing_ok=True)


def _clear(path: Path, *, overwrite: bool) -> None:
    """Make way for a new store: an empty folder, or an old store if that is asked."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not overwrite:
        raise OutputExists(f"{path} exists already.")
    if not (path / "zarr.json").is_file() and not (path / ".zgroup").is_file():
        raise OutputExists(
            f"{path} is not a zarr group, and is not removed.", remedy="Choose another name."
        )
    # renamed first: a half-removed store never stands under the old name
    doomed = path.with_name(f".{path.name}.{uuid.uuid4().hex}.removed")
    path.rename(doomed)
    shutil.rmtree(doomed)
