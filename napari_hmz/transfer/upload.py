"""Sends the chunks of one volume that runs are waiting for.

Threads: one asks the backend what is wanted (`_ask`), some read and send (`_send`). The life of a
chunk: wanted -> under way -> sent | announced as absent -> forgotten once a later answer lacks it.
At most twice as many chunks as there are sending threads are under way, whatever the volume; while
one after the other turns out to be fill value, more are looked at, and announced together.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from napari_hmz import errors
from napari_hmz.errors import HmzError
from napari_hmz.http import Http
from napari_hmz.patience import Patience
from napari_hmz.schema import Absent, Wanted, wire
from napari_hmz.sources.damage import REPAIR, damage
from napari_hmz.sources.protocol import Source
from napari_hmz.transfer.packing import Packing, Packs
from napari_hmz.transfer.traffic import Meter, Traffic
from napari_hmz.transfer.workers import Workers

_POLL_S = 20
_MOST_LOOKED_AT = 512
_HELD_POLL_S = 0.2  # so that the rest is asked for soon once it is not held back any more
_PAUSE_S = 0.05  # before asking again a backend that had nothing new to say


class Upload:
    """Answers what the backend wants of one volume, until no run needs the volume any more.

    Parameters
    ----------
    http, volume_id, source
        Where the chunks go, and where they are read.
    traffic
        Counts what arrived.
    threads
        How many chunks are read and sent at the same time.
    patience_s
        How long a lost connection is waited for.
    failed
        Called once, in a thread of the upload, if it cannot go on.
    held_s
        For how long, at most, no more is sent than what the first block of a run waits for; `seen`
        ends it.
    """

    def __init__(
        self,
        http: Http,
        volume_id: str,
        source: Source,
        *,
        traffic: Traffic,
        threads: int = 6,
        patience_s: float = 600.0,
        failed: Callable[[HmzError], None] = lambda _: None,
        held_s: float = 0.0,
    ) -> None:
        self.error: HmzError | None = None
        self._http, self._volume_id, self._source = http, volume_id, source
        self._threads = threads
        self._held_until_s, self._held_to = time.monotonic() + held_s, 1
        self._served = [(traffic, failed)]
        self._ending = self._asked_anew = False
        self._stop = threading.Event()
        self._patience = Patience(patience_s, self._stop)
        self._changed = threading.Condition()
        self._under_way: set[str] = set()
        self._absent: list[str] = []
        self._absent_lately = 0
        self._polls = 0
        self._packing = Packing(http.rtt_s)
        if isinstance(source, Packs):
            source.pack(self._packing.level.name, self._packing.level.level)
        self._done_during: dict[str, int] = {}
        self._workers = Workers(self._send, threads=threads, depth=_MOST_LOOKED_AT, name="hmz-send")
        self._asker = threading.Thread(target=self._ask, name="hmz-upload", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._asker.start()

    def serve(self, traffic: Traffic, failed: Callable[[HmzError], None]) -> bool:
        """Work for one more run, which exists already; False if the upload is ending."""
        with self._changed:
            if self._ending or self._stop.is_set():
                return False
            self._served.append((traffic, failed))
            self._asked_anew = True
            self.seen()  # another run would wait for what this one shows
            return True

    def seen(self, *, shows: bool = True) -> None:
        """Send all that is wanted from now on; if what is seen shows nothing, for more blocks."""
        self._held_to *= 2
        if shows:
            self._held_until_s = 0.0

    def stop(self) -> None:
        """End soon; what is on its way arrives, what waits is dropped."""
        self._stop.set()
        self._workers.abandon()
        with self._changed:
            self._changed.notify_all()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the end."""
        self._asker.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether it still asks what is wanted."""
        return self._asker.is_alive()

    def _ask(self) -> None:
        try:
            while not self._stop.is_set():
                self._await_room()
                self._announce_absent()
                wanted = self._poll()
                if self._may_end(wanted):
                    break
                if not self._take(wanted):
                    self._await_progress()
        except HmzError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 # whoever waits for the run must hear of a bug
            self._fail(errors.InternalError(f"The upload broke: {error!r}."))
        finally:
            self.stop()

    def _may_end(self, wanted: Wanted) -> bool:
        with self._changed:
            # A run that began while the answer was under way is not known in it.
            self._ending = not wanted.active and not self._asked_anew
            return self._ending

    def _poll(self) -> Wanted:
        with self._changed:
            self._asked_anew = False
            self._polls += 1
        first = self._held_to if time.monotonic() < self._held_until_s else 0
        longest_s = _HELD_POLL_S if first else _POLL_S
        return self._http.get(
            wire.wanted(self._volume_id),
            Wanted,
            params={
                "timeout_s": longest_s if not self._under_way else min(1.0, longest_s),
                **({"first": first} if first else {}),
            },
            timeout_s=_POLL_S + 30.0,
            patience=self._patience,
        )

    def _take(self, wanted: Wanted) -> bool:
        """Hand over what is new, within the backend's credit; False if nothing was."""
        with self._changed:
            new = [key for key in wanted.keys if self._is_new(key)]
            credit = max(min(wanted.credit, 2 * self._threads), self._absent_lately)
            room = credit - len(self._under_way)
            taken = new[: max(room, 0)]
            self._under_way.update(taken)
            # What ended before this poll was asked and is not wanted again can be forgotten.
            self._done_during = {k: n for k, n in self._done_during.items() if n >= self._polls}
        for key in taken:
            self._workers.put(key)
        return bool(taken)

    def _is_new(self, key: str) -> bool:
        # A chunk that arrived after the backend began its answer may still be named in it.
        return key not in self._under_way and self._done_during.get(key, -1) < self._polls

    def _await_room(self) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._stop.is_set() or self._absent or len(self._under_way) <= self._threads
            )

    def _await_progress(self) -> None:
        with self._changed:
            before = len(self._under_way)
            if before:
                self._changed.wait_for(
                    lambda: self._stop.is_set() or self._absent or len(self._under_way) < before,
                    timeout=1.0,
                )
                return
        self._stop.wait(_PAUSE_S)

    def _send(self, key: str) -> None:
        try:
            with self._counted(lambda traffic: traffic.reading):
                chunk = self._source.chunk(key)
            if chunk is None:
                with self._changed:
                    self._absent_lately = min(self._absent_lately + 1, _MOST_LOOKED_AT)
                    self._absent.append(key)
                    self._changed.notify_all()
                return
            self._absent_lately //= 2
            with self._counted(lambda traffic: traffic.sending):
                path = wire.chunk(self._volume_id, key)
                self._http.put_bytes(path, chunk, patience=self._patience)
            for traffic, _ in self._served:
                traffic.sent(len(chunk))
            self._ended([key])
            self._pack()
        except (errors.ChunkCorrupt, errors.ChunkTooLarge) as error:
            self._fail(type(error)(damage(self._source, key, error), remedy=REPAIR))
        except HmzError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 # a source may fail in ways of its own library
            self._fail(errors.SourceUnreadable(f"Chunk {key} cannot be read: {error}."))

    def _pack(self) -> None:
        """Pack harder or less hard, as the link turns out to be."""
        if isinstance(self._source, Packs):
            with self._changed:
                traffic, _ = self._served[0]
                if self._packing.look(traffic.counts, time.monotonic()):
                    level = self._packing.level
                    self._source.pack(level.name, level.level)

    @contextmanager
    def _counted(self, meter: Callable[[Traffic], Meter]) -> Iterator[None]:
        with ExitStack() as stack:
            for traffic, _ in self._served:
                stack.enter_context(meter(traffic).running())
            yield

    def _announce_absent(self) -> None:
        with self._changed:
            keys, self._absent = self._absent, []
        if keys:
            path = wire.absent(self._volume_id)
            self._http.post(path, Absent(keys=tuple(keys)), patience=self._patience)
            for traffic, _ in self._served:
                traffic.announced_absent(len(keys))
            self._ended(keys)

    def _ended(self, keys: Iterable[str]) -> None:
        with self._changed:
            for key in keys:
                self._under_way.discard(key)
                self._done_during[key] = self._polls
            self._changed.notify_all()

    def _fail(self, error: HmzError) -> None:
        with self._changed:
            first = self.error is None and not self._stop.is_set()
            self.error = error if first else self.error
        self.stop()
        if first:
            for _, failed in self._served:
                failed(error)
