"""What an earlier run has left unfinished: found at its output, and gone on with.

A run whose process ended early leaves an output that names it. Whoever asks for the very same run
again, at the same place, wants the rest of it; whoever asks for another one there is told so.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_hmz import schema
from napari_hmz.errors import Conflict, HmzError, OutputExists
from napari_hmz.record import RunRecord
from napari_hmz.results import PROVENANCE_KEY
from napari_hmz.run_list import lacks_image
from napari_hmz.run_sources import RunSources
from napari_hmz.schema import ENDED, RunRequest, VolumeRequest
from napari_hmz.sources import Origin, Source, open_source, reopen

RESUMABLE = frozenset({"cancelled", "failed"})
"""How a run has ended that can be resumed."""
_WORDS = {
    "volume": "the image",
    "inputs": "the other inputs",
    "outputs": "the outputs wanted",
    "halo": "the halo",
}


def unfinished_run(path: Path) -> str | None:
    """Return the id of the run whose unfinished output lies at `path`; none if there is none."""
    try:
        said = json.loads((path.expanduser() / "zarr.json").read_bytes())
        own = said["attributes"][PROVENANCE_KEY]
        return str(own["run"]) if own.get("complete") is not True else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # nothing there, or not of ours


def check_same(path: Path, run: schema.Run, request: RunRequest, *, with_image: bool) -> None:
    """Refuse to go on with the run whose unfinished output lies at `path`, unless it is the same.

    Raises
    ------
    OutputExists
        If it was asked for otherwise than now.
    """
    now, before = request.substance, run.request.substance
    names = [
        _WORDS.get(name, name.replace("_", " "))
        for name in RunRequest.model_fields
        if getattr(now, name) != getattr(before, name)
    ]
    if with_image != (path.expanduser() / "0" / "zarr.json").is_file():
        names.append("the copy of the image")
    if names:
        raise OutputExists(
            f"{path} holds the unfinished output of run {run.id}, which is another one than is"
            f" asked for now: {', '.join(names)} {'differs' if len(names) == 1 else 'differ'}.",
            remedy=f"Go on with that run (`hmz attach {run.id}`), choose another name, or replace"
            " it (--overwrite).",
        )


def unknown_run(path: Path, run: str, url: str) -> OutputExists:
    """Return what to say of an unfinished output whose run the backend does not know."""
    return OutputExists(
        f"{path} holds the unfinished output of run {run}, which the backend at {url} does not"
        " know.",
        remedy="Give the backend where it was started (--url), choose another name, or replace it"
        " (--overwrite).",
    )


def needs_image(run: schema.Run, *, resume: bool) -> bool:
    """Return whether parts of a run's image are still to be sent, once it is attached to."""
    goes_on = run.state not in ENDED or (resume and run.state in RESUMABLE)
    return goes_on and lacks_image(run)


def given_image(
    thing: Any,  # noqa: ANN401 # as open_source
    record: RunRecord | None,
    run: schema.Run,
    volume: VolumeRequest,
    pieces_bytes: int,
) -> Source:
    """Return the image that a run needs: where this machine remembers it, else what is given.

    Parameters
    ----------
    thing
        What `open_source` opens; of levels, the one of the volume's extents is taken.
    volume
        The run's volume: what is given is read as that was announced.

    Raises
    ------
    Conflict
        If it is another image, or was changed since.
    HmzError
        If it cannot be opened.
    """
    known = None
    if record is not None and record.source is not None:
        fingerprint = run.provenance.source_fingerprint
        with suppress(HmzError):  # then what is given has to do
            known = _reopened(
                record.source, fingerprint, run, is_needed=False, pieces_bytes=pieces_bytes
            )
    if known is not None:
        return known
    source = open_source(
        _level(thing, tuple(volume.shape[axis] for axis in volume.axes)),
        axes=volume.axes,
        voxel_size=volume.voxel_size,
        units=volume.units,
        name=volume.name,
        dtypes=(volume.dtype,),
        chunks=volume.chunks,
        pieces_bytes=pieces_bytes,
    )
    if source.request.fingerprint == run.provenance.source_fingerprint:
        return source
    if source is not thing:
        source.close()
    raise Conflict(
        f"The image that was given is not {run.provenance.source_name!r} as it was when run"
        f" {run.id} was started.",
        remedy="Give the image itself, unchanged; or run the same again with the one you have.",
    )


def _level(thing: Any, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 # as open_source
    """Return the level of this shape, if a thing has several."""
    levels = thing if isinstance(thing, (list, tuple)) else ()
    return next((one for one in levels if getattr(one, "shape", ()) == shape), thing)


def images_of(
    record: RunRecord | None,
    run: schema.Run,
    first: Source | None = None,
    *,
    resume: bool,
    pieces_bytes: int,
) -> RunSources | None:
    """Return the images of a run that is attached to; None if they are not needed any more.

    Parameters
    ----------
    record
        What this machine remembers of the run.
    first
        Of the first input, if it is open already.
    resume
        Whether an end of the run is about to be taken back.

    Raises
    ------
    Conflict
        If an image is needed, and is another one by now, or nobody here knows where it is.
    HmzError
        If it is needed and cannot be opened.
    """
    is_needed = needs_image(run, resume=resume)
    used = run.provenance.inputs
    known = {} if record is None else {"": record.source} | record.inputs
    wanted = {n: used[n].fingerprint for n in used}
    if first is None:
        wanted = {"": run.provenance.source_fingerprint} | wanted
    if any(known.get(name) is None for name in wanted):
        if is_needed and resume and run.state in RESUMABLE:
            raise _without_image(run)
        return None
    found: dict[str, Source] = {} if first is None else {"": first}
    for name, fingerprint in wanted.items():
        origin = known[name]
        source = None
        if origin is not None:
            source = _reopened(
                origin, fingerprint, run, is_needed=is_needed, pieces_bytes=pieces_bytes
            )
        if source is None:
            for each in found.values():
                each.close()
            return None
        found[name] = source
    return RunSources(found.pop(""), found)


def _reopened(
    origin: Origin, fingerprint: str, run: schema.Run, *, is_needed: bool, pieces_bytes: int
) -> Source | None:
    """Open an image again; None if it is another one by now, or away, and is not needed."""
    try:
        source = reopen(origin, pieces_bytes=pieces_bytes)
    except HmzError:
        if is_needed:
            raise
        return None
    if source.request.fingerprint == fingerprint:
        return source
    source.close()
    if is_needed:
        raise Conflict(
            f"{origin.address} has changed since run {run.id} was started.",
            remedy="Cancel the run and start it again.",
        )
    return None


def _without_image(run: schema.Run) -> Conflict:
    left = run.progress.chunks_needed - run.progress.chunks_held
    parts = f"{left} parts" if left > 0 else "parts"
    return Conflict(
        f"Run {run.id} still needs {parts} of its image {run.provenance.source_name!r}, and this"
        " machine does not know where that is.",
        remedy="Attach on the machine that started the run, or give the image (in napari its layer,"
        " in Python `source`); or run the same again with it: what was sent is not sent again.",
    )
