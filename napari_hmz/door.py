"""The way in for an application with windows: people sign in and out while other work goes on.

```
 threads of transfers ──► ask ──┐            ┌── sign_in, sign_out, cancel ◄── a window
                                ▼            ▼
                             what there is to show: `shown`
```

Threads: every method may be called from any thread; only `ask` waits, for a person. What takes
time is done in threads of the door's own.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from napari_hmz.auth import SignIns
from napari_hmz.browser import open_in_browser
from napari_hmz.errors import HmzError, InternalError, NotFound, NotSignedIn
from napari_hmz.schema import Me
from napari_hmz.sign_in import Attempt, Show, sign_in, sign_out

PATIENCE_S = 1800.0
"""How long work waits for a person to sign in again; the run goes on at the backend meanwhile."""


class KnowsMe(Protocol):
    """Whoever can tell who the caller is: a client."""

    def me(self) -> Me:
        """Return the caller, or raise `NotSignedIn`."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who a backend knows the person as.

    Parameters
    ----------
    name
        What they are called; empty if nobody is signed in.
    personal
        Whether one signs in there at all: not at the backend of this machine.
    """

    name: str = ""
    personal: bool = False


def account_of(client: KnowsMe) -> Account:
    """Ask a backend who the person is there."""
    try:
        me = client.me()
    except NotSignedIn:
        return Account(personal=True)
    except NotFound:  # a backend from before it told
        return Account()
    if me.credential == "anonymous":
        return Account(personal=True)
    return Account(me.name or me.subject, personal=me.credential != "shared")


@dataclass(frozen=True, slots=True)
class Shown:
    """What there is to show of one backend.

    Parameters
    ----------
    busy
        Whether somebody is signing in or out just now.
    awaited
        Whether work waits for the person to sign in again.
    error
        Why the last attempt has failed.
    changes
        How often somebody has signed in or out.
    """

    busy: bool = False
    awaited: bool = False
    error: HmzError | None = None
    changes: int = 0


@dataclass(slots=True)
class _Waiting:
    """The threads that wait at one backend, and how it ended for them."""

    threads: int = 0
    let_in: int = 0
    sent_off: int = 0


class _Browser:
    """Shows the issuer's page in the person's browser."""

    def page(self, url: str, /) -> None:
        """Open it."""
        open_in_browser(url)

    def code(self, url: str, code: str, /) -> None:  # noqa: ARG002 # it stands on the page
        """Open the page that has the code in it."""
        open_in_browser(url)


@dataclass(eq=False)
class Door:
    """Where people sign in and out of backends, each known by its address.

    Parameters
    ----------
    sign_ins
        Who is signed in where.
    show
        Shows the issuer's page.
    """

    sign_ins: SignIns = field(default_factory=SignIns)
    show: Show = field(default_factory=_Browser)
    _news: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _shown: dict[str, Shown] = field(default_factory=dict, repr=False)
    _waiting: dict[str, _Waiting] = field(default_factory=dict, repr=False)
    _attempt: Attempt | None = field(default=None, repr=False)
    _closed: bool = field(default=False, repr=False)

    def shown(self, backend: str) -> Shown:
        """Return what there is to show of a backend."""
        return self._shown.get(backend, Shown())

    def ask(self, backend: str, again: bool) -> bool:  # as an `Ask` is called
        """Wait until the person has signed in there again; return whether they have.

        For a person who has not been signed in nothing waits: the window says so at once.
        """
        if not again:
            return False
        with self._news:
            waiting = self._waiting.setdefault(backend, _Waiting())
            before = (waiting.let_in, waiting.sent_off)
            waiting.threads += 1
            self._note(backend, awaited=True)
            self._news.wait_for(
                lambda: self._closed or (waiting.let_in, waiting.sent_off) != before, PATIENCE_S
            )
            waiting.threads -= 1
            if not waiting.threads:
                self._note(backend, awaited=False)
            return waiting.let_in != before[0]

    def sign_in(self, backend: str) -> None:
        """Begin to sign in; one attempt at a time."""
        with self._news:
            if self._attempt is not None:
                return
            self._attempt = attempt = Attempt()
            self._note(backend, busy=True, error=None)

        def work() -> None:
            sign_in(backend, self.sign_ins, self.show, attempt)
            with self._news:
                self._waiting.setdefault(backend, _Waiting()).let_in += 1

        self._start(backend, work)

    def sign_out(self, backend: str) -> None:
        """Begin to sign out; work that waits for the person waits no more."""
        with self._news:
            if self._attempt is not None:
                return
            self._attempt = Attempt()
            self._note(backend, busy=True, error=None)

        def work() -> None:
            try:
                sign_out(backend, self.sign_ins)
            except NotSignedIn:  # it was ended elsewhere, which is what is wanted
                return
            finally:
                with self._news:
                    self._waiting.setdefault(backend, _Waiting()).sent_off += 1

        self._start(backend, work)

    def cancel(self) -> None:
        """Give up the attempt that goes on."""
        attempt = self._attempt
        if attempt is not None:
            attempt.cancelled.set()

    def close(self) -> None:
        """Let nobody wait any more."""
        self.cancel()
        with self._news:
            self._closed = True
            self._news.notify_all()

    def _start(self, backend: str, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except HmzError as error:
                self._end(backend, error)
            except Exception as bug:  # noqa: BLE001 # a window shows it; nobody else would
                self._end(backend, InternalError(f"Signing in has failed: {type(bug).__name__}."))
            else:
                self._end(backend, None)

        threading.Thread(target=run, name="hmz-door", daemon=True).start()

    def _end(self, backend: str, error: HmzError | None) -> None:
        with self._news:
            cancelled = self._attempt is not None and self._attempt.cancelled.is_set()
            self._attempt = None
            self._note(
                backend,
                busy=False,
                error=None if cancelled else error,
                changes=self.shown(backend).changes + (error is None),
            )
            self._news.notify_all()

    def _note(self, backend: str, **changes: object) -> None:
        self._shown[backend] = replace(self.shown(backend), **changes)  # type: ignore[arg-type] # fields of Shown
