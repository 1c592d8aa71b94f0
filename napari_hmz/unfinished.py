"""What an earlier run has left unfinished: found at its output, and gone on with.

A run whose process ended early leaves an output that names it. Whoever asks for the very same run
again, at the same place, wants the rest of it; whoever asks for another one there is told so.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_hmz import schema
from napari_hmz.errors import Conflict, HmzError, OutputExists
from napari_hmz.http import Http
from napari_hmz.record import RunRecord
from napari_hmz.results import PROVENANCE_KEY
from napari_hmz.run_list import lacks_image
from napari_hmz.run_options import RunOptions, run_request
from napari_hmz.run_sources import RunSources
from napari_hmz.schema import (
    ENDED,
    ModelCard,
    Provenance,
    RunRequest,
    Volume,
    VolumeRequest,
    resolve_parameters,
    wire,
)
from napari_hmz.sources import (
    ChannelPart,
    Origin,
    Source,
    open_parts,
    open_source,
    reopen,
)

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


@dataclass(frozen=True, slots=True)
class Left:
    """What a run of ours has left at its output, whole or not."""

    is_whole: bool
    request: RunRequest
    provenance: Provenance
    has_image: bool

    def is_asked(self, card: ModelCard, options: RunOptions, *, with_image: bool) -> bool:
        """Return whether the same is asked for now; images are not compared."""
        now = run_request(card, self.request.volume, options)
        values, _ = resolve_parameters(card.parameters, now.parameters)
        apart: dict[str, object] = {
            "parameters": {},
            "inputs": {},
        }  # a default may be named, or not
        return (
            now.substance.model_copy(update=apart)
            == self.request.substance.model_copy(update=apart)
            and values == self.provenance.parameters
            and card.digest == self.provenance.model_digest
            and with_image == self.has_image
        )


def left_at(path: Path) -> Left | None:
    """Return what a run has left at `path`; none if nothing of ours is there."""
    try:
        said = json.loads((path.expanduser() / "zarr.json").read_bytes())
        own = said["attributes"][PROVENANCE_KEY]
        return Left(
            own["complete"] is True,
            RunRequest.model_validate(own["request"]),
            Provenance.model_validate(own["provenance"]),
            _has_image(path),
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _has_image(path: Path) -> bool:
    return (path.expanduser() / "0" / "zarr.json").is_file()


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
    if with_image != _has_image(path):
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


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a run that is attached to.

    Parameters
    ----------
    sources
        None: they cannot be read on this machine.
    lack
        Why not, of a run that goes on; it may be that nothing of them is needed any more.
    """

    sources: RunSources | None = None
    lack: HmzError | None = None


def goes_on(run: schema.Run, *, resume: bool) -> bool:
    """Return whether a run computes, once it is attached to."""
    return run.state not in ENDED or (resume and run.state in RESUMABLE)


def needs_image(run: schema.Run, *, resume: bool) -> bool:
    """Return whether parts of a run's image are still to be sent, once it is attached to."""
    return goes_on(run, resume=resume) and lacks_image(run)


def wanted_image(
    http: Http,
    thing: Any,  # noqa: ANN401 # as open_source
    record: RunRecord | None,
    run: schema.Run,
    pieces_bytes: int,
    *,
    resume: bool,
) -> Source | None:
    """Return the given image of a run that goes on, as `given_image`; else nobody looks at it."""
    if thing is None or not goes_on(run, resume=resume):
        return None
    volume = http.get(wire.volume(run.request.volume), Volume)
    return given_image(thing, record, run, volume.request, pieces_bytes)


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
        What `open_source` opens; of levels, the one of the volume's extents is taken. A tuple of
        `ChannelPart`: its channels.
    volume
        The run's volume: what is given is read as that was announced.

    Raises
    ------
    Conflict
        If it is another image, or was changed since.
    HmzError
        If it cannot be opened.
    """
    if record is not None and record.source is not None:
        with suppress(HmzError):  # then what is given has to do
            return _reopened(
                record.source, run.provenance.source_fingerprint, run, pieces_bytes=pieces_bytes
            )
    source = _as_announced(thing, volume, pieces_bytes)
    if source.request.fingerprint == run.provenance.source_fingerprint:
        return source
    if source is not thing:
        source.close()
    raise Conflict(
        f"The image that was given is not {run.provenance.source_name!r} as it was when run"
        f" {run.id} was started.",
        remedy="Give the image itself, unchanged; or run the same again with the one you have.",
    )


def _as_announced(thing: Any, volume: VolumeRequest, pieces_bytes: int) -> Source:  # noqa: ANN401 # as open_source
    """Open what is given as the volume was announced."""
    if isinstance(thing, tuple) and all(isinstance(one, ChannelPart) for one in thing):
        return open_parts(thing, volume, pieces_bytes)
    return open_source(
        _level(thing, tuple(volume.shape[axis] for axis in volume.axes)),
        axes=volume.axes,
        voxel_size=volume.voxel_size,
        units=volume.units,
        name=volume.name,
        dtypes=(volume.dtype,),
        chunks=volume.chunks,
        pieces_bytes=pieces_bytes,
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
) -> Images:
    """Return the images of a run that is attached to.

    They are opened even if all is sent: a part may be lost at the backend, and wanted again.

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
        If an image is needed, and is another one by now, or nobody here knows where it is. The
        latter is none as long as the run goes on: another machine may be sending it.
    HmzError
        If it is needed and cannot be opened.
    """
    origins = ({} if record is None else {"": record.source} | record.inputs).items()
    known = {name: origin for name, origin in origins if origin is not None}
    used = run.provenance.inputs
    wanted = {name: used[name].fingerprint for name in used}
    if first is None:
        wanted = {"": run.provenance.source_fingerprint} | wanted
    is_known = known.keys() >= wanted.keys()
    try:
        return Images(_opened(known, wanted, run, first, pieces_bytes))
    except HmzError as error:
        revives = resume and run.state in RESUMABLE
        if needs_image(run, resume=resume) and (is_known or revives):
            raise
        return Images(lack=error if goes_on(run, resume=resume) else None)


def _opened(
    known: Mapping[str, Origin],
    wanted: Mapping[str, str],
    run: schema.Run,
    first: Source | None,
    pieces_bytes: int,
) -> RunSources:
    """Open the images of these fingerprints, all or none; raises as `images_of`."""
    found: dict[str, Source] = {} if first is None else {"": first}
    try:
        for name, fingerprint in wanted.items():
            if name not in known:
                raise _without_image(run, name)
            found[name] = _reopened(known[name], fingerprint, run, pieces_bytes=pieces_bytes)
    except HmzError:
        for each in found.values():
            each.close()
        raise
    return RunSources(found.pop(""), found)


def _reopened(origin: Origin, fingerprint: str, run: schema.Run, *, pieces_bytes: int) -> Source:
    """Open an image again; raises `Conflict` if it is another one by now."""
    source = reopen(origin, pieces_bytes=pieces_bytes)
    if source.request.fingerprint == fingerprint:
        return source
    source.close()
    raise Conflict(
        f"{origin.address} has changed since run {run.id} was started.",
        remedy="Cancel the run and start it again.",
    )


def _without_image(run: schema.Run, name: str) -> Conflict:
    """Return what to say where the image of an input is not known; the first input has no name."""
    told = run.provenance.inputs[name].name if name else run.provenance.source_name
    given = "or give the image (in napari its layer, in Python `source`); "
    return Conflict(
        f"This machine does not know where the image {told!r} of run {run.id}"
        f"{f' (its input {name})' if name else ''} is, so it cannot send what is missing of that.",
        remedy=f"Attach on the machine that started the run, {'' if name else given}or run the same"
        " again with it: what was sent is not sent again.",
    )
