"""What the dock asks of the core: a client, and a way to open a layer's picture as a source.

Both are called in worker threads only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from hmz_widgets.layers import Picture
from hmz_widgets.preferences import preferences
from napari_hmz.catalogue import KeptCards, kept_cards
from napari_hmz.connection import local_folder
from napari_hmz.door import Door
from napari_hmz.errors import HmzError
from napari_hmz.forecast import Forecast
from napari_hmz.form import RememberedValues, remembered_values
from napari_hmz.live import WatchedRun
from napari_hmz.profiles import LOCAL
from napari_hmz.record import RunRecord
from napari_hmz.schema import Me, ModelCard, ParameterValue, Region, Run, Urgency


class RunKeeper(Protocol):
    """The calls that a list of runs needs."""

    def runs(self) -> Sequence[Run]:
        """Return the person's runs, the newest first."""

    def cancel(self, run_id: str, /) -> object:
        """Stop a run; what is done stays."""

    def remove(self, run_id: str, /) -> None:
        """Remove a run that has ended, and its outputs, from the backend."""

    def record(self, run_id: str, /) -> RunRecord | None:
        """Return what this machine remembers of a run."""


class Client(RunKeeper, Protocol):
    """The calls that the dock needs; `napari_hmz.Client` has them and more."""

    @property
    def url(self) -> str:
        """The backend's address."""

    def check(self) -> object:
        """Return something if the backend answers; raises `BackendUnreachable` if it does not."""

    def me(self) -> Me:
        """Return who the backend takes the person for."""

    def attach(self, run_id: str, *, resume: bool, source: Any) -> WatchedRun:  # noqa: ANN401 # an array, or levels; None
        """Take up a run; `resume` one that has ended early; `source`: its image, if need be."""

    def models(self, *, fresh: bool) -> Sequence[ModelCard]:
        """Return the cards of the models that may be used, `fresh`: that are there now."""

    def picture(self, card: ModelCard) -> bytes:
        """Return the thumbnail of a model."""

    def plan(
        self,
        model: str,
        source: Any,  # noqa: ANN401 # what `OpenPicture` gave
        *,
        inputs: Mapping[str, Any] | None,
        version: str | None,
        parameters: Mapping[str, ParameterValue] | None,
        channels: Sequence[int] | None,
        region: Region | None,
        output: Path | None,
        join_planes: bool,
        ignore_voxel_size: bool,
        urgency: Urgency,
    ) -> Forecast:
        """Return what a run would do and take; nothing is sent."""

    def run(
        self,
        model: str,
        source: Any,  # noqa: ANN401 # what `OpenPicture` gave
        *,
        inputs: Mapping[str, Any] | None,
        version: str | None,
        parameters: Mapping[str, ParameterValue] | None,
        channels: Sequence[int] | None,
        region: Region | None,
        output: Path | None,
        join_planes: bool,
        ignore_voxel_size: bool,
        urgency: Urgency,
        focus: Region | None,
        watched: bool,
    ) -> WatchedRun:
        """Start a run."""

    def close(self) -> None:
        """Close connections; runs go on at the backend."""


class Connect(Protocol):
    """Finds a backend."""

    def __call__(self, profile: str | None, /, *, start: bool) -> Client:
        """Return a client of a profile's backend; without one, of that of the settings.

        The backend of this machine is only started where `start` says so.
        """


class OpenPicture(Protocol):
    """Opens what a layer shows."""

    def __call__(self, picture: Picture, dtypes: tuple[str, ...], /) -> Any:  # noqa: ANN401 # a Source
        """Return a source of the picture, widened to one of `dtypes` if need be."""


class OpenKept(Protocol):
    """Opens what is kept of the backend's models for the time when it is away."""

    def __call__(self, profile: str | None, /) -> KeptCards:
        """Return what is kept of the backend of a profile, or of the settings."""


class OpenRemembered(Protocol):
    """Opens what was last set in the forms of models."""

    def __call__(self, profile: str | None, /) -> RememberedValues:
        """Return what is remembered of a profile's backend, or of that of the settings."""


@dataclass(frozen=True)
class KnownBackends:
    """The profiles by name, the one in use, and the log of this machine's own backend."""

    profiles: tuple[str, ...]
    first: str
    log: Path


OF_SETTINGS = "settings"
"""Stands for an address that is set without a profile."""


def known_backends() -> KnownBackends:
    """Return the backends of the settings; what cannot be read is reported on connecting."""
    try:
        found = preferences().settings()
    except HmzError:
        return KnownBackends((LOCAL,), LOCAL, Path())
    names = tuple(name for name in found.profiles if name != LOCAL)
    first = found.profile or LOCAL
    if found.url is not None and (first == LOCAL or found.profiles[first].url != found.url):
        first = OF_SETTINGS
    extra = (OF_SETTINGS,) if first == OF_SETTINGS else ()
    return KnownBackends((*extra, LOCAL, *names), first, local_folder(found).log)


def connect(profile: str | None, /, *, start: bool, door: Door | None = None) -> Client:
    """Connect to the backend of a profile or of the settings, as whoever has come by the door."""
    from napari_hmz import client

    arguments = preferences().settings_arguments(profile)
    if door is not None:
        arguments |= {"sign_ins": door.sign_ins, "ask": door.ask}
    return client.connect(start=start, started_by="plugin", **arguments)


def open_kept(profile: str | None, /) -> KeptCards:
    """Open what is kept of the models of a profile's backend, or of that of the settings."""
    settings = preferences().settings(profile)
    return kept_cards(settings.state_dir, settings.url or f"local {settings.engine}")


def open_remembered(profile: str | None, /) -> RememberedValues:
    """Open what was last set in the forms of a profile's backend, or of that of the settings."""
    settings = preferences().settings(profile)
    return remembered_values(settings.state_dir, settings.url or f"local {settings.engine}")


def open_picture(picture: Picture, dtypes: tuple[str, ...], /) -> Any:  # noqa: ANN401 # a Source
    """Open the array behind a layer as a source, or several as the channels of one."""
    from napari_hmz.sources import open_stacked

    pieces_bytes = preferences().settings().memory.pieces_bytes
    if not picture.stack:
        return _opened(picture, dtypes, pieces_bytes)
    share_bytes = pieces_bytes // len(picture.stack)
    openings = [partial(_opened, part, dtypes, share_bytes) for part in picture.stack]
    return open_stacked(openings, picture.channel_names)


def _opened(picture: Picture, dtypes: tuple[str, ...], pieces_bytes: int) -> Any:  # noqa: ANN401 # a Source
    from napari_hmz.sources import open_source

    return open_source(
        picture.data,
        axes=picture.axes,
        channel=picture.channel,
        voxel_size=picture.voxel_size,
        units=picture.units,
        name=picture.name,
        dtypes=dtypes,
        pieces_bytes=pieces_bytes,
    )
