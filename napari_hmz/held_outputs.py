"""The outputs that a client writes, each held against all others who might write there.

An output is held from before anything is asked of the backend until the last run that writes it
has ended or is closed. Runs of one client that are the same run share what writes it.

Threads: may be used from several threads at once.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from napari_hmz.arrivals import Shelf
from napari_hmz.errors import OutputInUse
from napari_hmz.objects import ObjectTable
from napari_hmz.results import Claim, tidy
from napari_hmz.run_output import OmeZarrOutput, OutputWish, is_complete, refuse_in_array
from napari_hmz.run_sources import RunSources
from napari_hmz.schema import ModelCard, Run

log = logging.getLogger(__name__)


@dataclass
class _Held:
    """An output, and how many want it held."""

    claim: Claim | None
    """None: it is complete, and nobody writes it any more."""
    users: int = 0
    run: str = ""
    written: OmeZarrOutput | None = None


class HeldOutputs:
    """The outputs of one client; none at first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Path, _Held] = {}

    @contextmanager
    def held(
        self, output: str | Path | None, run: str | None = None, *, spares: bool = False
    ) -> Iterator[Path | None]:
        """Hold an output while a run is begun or taken up, and yield where it is.

        Parameters
        ----------
        output
            None: there is nothing to hold.
        run
            The run that goes on there; None: a new one.
        spares
            Leave the output to others that write it, if there are any: yield None.

        Raises
        ------
        OutputExists
            If it lies inside an array.
        OutputInUse, OutputUnwritable, DiskFull
            As `Claim`; the first also if this client writes another run there.
        """
        place = None if output is None else Path(output)
        try:
            if place is not None:
                self._hold(place, run)
        except OutputInUse as error:
            if not spares:
                raise
            log.warning("The results are not written here: %s", error.detail)
            place = None
        try:
            yield place
        finally:
            if place is not None:
                self._let_go(place)

    def open(
        self, wish: OutputWish, run: Run, sources: RunSources | None, card: ModelCard | None
    ) -> "HeldOutput | None":
        """Return the output of a run, at a place that is held; it stays so until that is closed.

        Parameters
        ----------
        wish
            If it names no place, there is no output.
        sources, card
            Of the run; None: they are not known here.

        Raises
        ------
        OutputInUse
            If this client writes another run there by now.
        OutputExists, DiskFull
            As `OmeZarrOutput`.
        """
        place = wish.place
        if place is None:
            return None
        with self._lock:
            held = self._held[_key(place)]
            _refuse_other(place, held, run.id)
            if held.written is None:
                copied = sources.first if sources is not None and wish.with_image else None
                held.written = OmeZarrOutput(
                    place, run, image=copied, card=card, overwrite=wish.overwrite
                )
                held.run = run.id
            held.users += 1
            return HeldOutput(held.written, lambda: self._let_go(place))

    def _hold(self, place: Path, run: str | None) -> None:
        refuse_in_array(place)
        with self._lock:
            held = self._held.get(_key(place))
            if held is None:
                held = self._held[_key(place)] = _Held(_claimed(place, run))
            _refuse_other(place, held, run)
            held.users += 1

    def _let_go(self, place: Path) -> None:
        with self._lock:
            held = self._held[_key(place)]
            held.users -= 1
            if not held.users:
                del self._held[_key(place)]
                if held.claim is not None:
                    held.claim.release()


class HeldOutput:
    """An output of one run while it is written; `close` lets it go."""

    def __init__(self, written: OmeZarrOutput, let_go: Callable[[], None]) -> None:
        self._written, self._let_go = written, let_go
        self._lock, self._is_open = threading.Lock(), True

    @property
    def path(self) -> Path:
        """Of the store."""
        return self._written.path

    @property
    def chunks(self) -> Shelf:
        """Takes the chunks as they come."""
        return self._written.chunks

    def finish(self, run: Run, tables: Iterable[tuple[str, ObjectTable]], /) -> None:
        """Write what is known only at the end, unless it was let go; raises as the output does."""
        if self._is_open:
            self._written.finish(run, tables)

    def close(self) -> None:
        """Write no more; twice is no error."""
        with self._lock:
            is_open, self._is_open = self._is_open, False
        if is_open:
            self._let_go()


def _key(path: Path) -> Path:
    return path.expanduser().resolve()


def _claimed(place: Path, run: str | None) -> Claim | None:
    if run is None or not is_complete(place, run):
        return Claim(place)
    tidy(place)
    return None


def _refuse_other(path: Path, held: _Held, run: str | None) -> None:
    if held.written is not None and held.run != run:
        raise OutputInUse(
            f"{path} is being written by this very process, as the output of run {held.run}.",
            remedy="Wait for that run or close it (`Run.close`), or choose another name.",
        )
