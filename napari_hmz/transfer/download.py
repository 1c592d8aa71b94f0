"""Fetches the chunks of a run's outputs as they are done, and hands them to a sink.

Threads: one listens to the run's events (`_listen`), the others fetch and hand over one chunk at a
time (`_fetch`). News of one chunk take turns, so that a final version never arrives before a
provisional one. Each fetching thread holds one chunk; when many events wait, the listener waits
too, and the backend's stream with it.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from napari_hmz import errors
from napari_hmz.errors import HmzError
from napari_hmz.http import Http
from napari_hmz.patience import Patience
from napari_hmz.schema import ChunkDone, Event, OutputArray, extents, slices, wire
from napari_hmz.transfer.run_events import run_events
from napari_hmz.transfer.traffic import Traffic
from napari_hmz.transfer.workers import Workers

_DEPTH = 16
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class FetchedChunk:
    """A chunk of an output that has arrived.

    Parameters
    ----------
    output
        The array that it is a part of.
    done
        The event that told of it: key, region, whether it is final.
    stored
        The chunk as the backend holds it; empty if it is nothing but fill value.
    document
        The `zarr.json` of the array that it is a part of.
    """

    output: OutputArray
    done: ChunkDone
    stored: bytes
    document: bytes

    @property
    def values(self) -> NDArray[Any]:
        """The chunk decoded, in the output's axes and dtype, of the region's extents."""
        if not self.stored:
            shape = [extents(self.done.region)[axis] for axis in self.output.axes]
            return np.zeros(shape, self.output.dtype)
        buffer = default_buffer_prototype().buffer
        store = MemoryStore(
            {
                "zarr.json": buffer.from_bytes(self.document),
                self.done.key: buffer.from_bytes(self.stored),
            }
        )
        array = zarr.open_array(store, mode="r")
        return np.asarray(array[slices(self.done.region, self.output.axes)])


class Sink(Protocol):
    """Takes chunks; called from several threads, never at once for the same chunk."""

    def __call__(self, chunk: FetchedChunk, /) -> None:
        """Take a chunk; an error ends the download."""


class Download:
    """Follows one run until its end.

    Parameters
    ----------
    http, run_id, outputs
        What is followed; `outputs` as in the run's plan.
    sink
        Takes each chunk.
    wants
        Whether a chunk that is done shall be fetched; by default, all final ones.
    traffic
        Counts what came.
    threads
        How many chunks are fetched at the same time.
    patience_s
        How long a lost connection is waited for.
    heard
        Called with every event.
    """

    def __init__(
        self,
        http: Http,
        run_id: str,
        outputs: tuple[OutputArray, ...],
        sink: Sink,
        *,
        traffic: Traffic,
        wants: Callable[[ChunkDone], bool] = lambda done: done.final,
        threads: int = 4,
        patience_s: float = 600.0,
        heard: Callable[[Event], object] = lambda _: None,
    ) -> None:
        self.error: HmzError | None = None
        self._http, self._run_id, self._sink, self._heard = http, run_id, sink, heard
        self._outputs = {output.name: output for output in outputs}
        self._documents: Mapping[str, bytes] = {}
        self._traffic, self._wants = traffic, wants
        self._stop = threading.Event()
        self._patience = Patience(patience_s, self._stop)
        self._lock = threading.Lock()
        self._newest: dict[tuple[str, str], int] = {}
        self._turns: dict[tuple[str, str], threading.Lock] = {}
        self._owed: dict[tuple[str, str], ChunkDone] = {}
        self._workers = Workers(
            self._fetch, threads=threads, depth=_DEPTH * threads, name="hmz-fetch"
        )
        self._listener = threading.Thread(target=self._listen, name="hmz-download", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._listener.start()

    def stop(self) -> None:
        """End soon; chunks that have begun are handed over."""
        self._stop.set()
        self._workers.abandon()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the run has ended and its chunks are handed over; False if it has not."""
        self._listener.join(timeout_s)
        return not self._listener.is_alive()

    def _listen(self) -> None:
        try:
            self._documents = {name: self._document(name) for name in self._outputs}
            for event in run_events(self._http, self._run_id, patience=self._patience):
                self._heard(event)
                if isinstance(event, ChunkDone) and event.output in self._outputs:
                    self._enqueue(event)
            self._workers.finish()
            self._fetch_owed()
        except HmzError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 # whoever waits for the run must hear of a bug
            self._fail(errors.InternalError(f"The download broke: {error!r}."))
        finally:
            self.stop()

    def _document(self, output: str) -> bytes:
        path = wire.output(self._run_id, output, "zarr.json")
        return self._http.get_bytes(path, patience=self._patience)

    def _enqueue(self, done: ChunkDone) -> None:
        if self._wants(done):
            name = (done.output, done.key)
            with self._lock:
                self._newest[name] = done.number
                self._turns.setdefault(name, threading.Lock())
            self._workers.put(done)

    def _fetch(self, done: ChunkDone) -> None:
        name = (done.output, done.key)
        try:
            with self._lock:
                turn = self._turns.get(name)
            if turn is None:  # what came later has been handed over, and was the last so far
                return
            with turn:
                self._hand_over(done)
            with self._lock:
                if self._newest.get(name) == done.number:
                    del self._newest[name], self._turns[name]
        except HmzError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 # whoever waits for the run must hear of it
            self._fail(errors.InternalError(f"A chunk of {done.output} was lost: {error!r}."))

    def _hand_over(self, done: ChunkDone) -> None:
        name = (done.output, done.key)
        with self._lock:
            overtaken = self._newest.get(name) != done.number
        if overtaken:
            return
        body = self._body(done)
        with self._lock:
            self._owed.pop(name, None)
            if body is None and done.final:
                self._owed[name] = done
        if body is not None:
            self._give(done, body)

    def _give(self, done: ChunkDone, body: bytes) -> None:
        document = self._documents[done.output]
        self._sink(FetchedChunk(self._outputs[done.output], done, body, document))

    def _body(self, done: ChunkDone) -> bytes | None:
        """Return the chunk as it is stored; None if it is not, or not any more, what was told.

        A provisional chunk may have been overtaken. One that was final may have been lost with the
        power of the backend, which then makes it again, and tells of it again.
        """
        if not done.digest:
            return b""
        path = wire.output(self._run_id, done.output, done.key)
        for _ in range(_ATTEMPTS if done.final else 1):
            try:
                body = self._http.get_bytes(path, patience=self._patience, is_known=True)
            except errors.NotFound:
                return None
            self._traffic.fetched(len(body))
            if hashlib.sha256(body).hexdigest() == done.digest:
                return body
        return None

    def _fetch_owed(self) -> None:
        """Fetch what could not be had, and was not told of again until the run ended."""
        for done in self._owed.values():
            body = self._body(done)
            if body is None:
                raise errors.DigestMismatch(f"{done.output}/{done.key} is not what the run wrote.")
            self._give(done, body)

    def _fail(self, error: HmzError) -> None:
        if self.error is None and not self._stop.is_set():
            self.error = error
        self.stop()
