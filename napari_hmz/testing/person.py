"""A person who signs in at the issuer of the tests, as a browser would."""

import threading
from collections.abc import Callable

from napari_hmz.testing.browser import browse
from napari_hmz.testing.issuer import Issuer


class Person:
    """Opens pages and approves devices at the issuer; `page` and `code` are a `Show`.

    Parameters
    ----------
    issuer
        Where they sign in.
    name
        Their account; `deny` says no to everything.

    Attributes
    ----------
    pages, seen
        The addresses that were opened, and the texts that they saw in the end.
    """

    def __init__(self, issuer: Issuer, name: str) -> None:
        self._issuer, self.name = issuer, name
        self.pages: list[str] = []
        self.seen: list[str] = []
        self._threads: list[threading.Thread] = []

    def page(self, url: str, /) -> None:
        """Sign in at a page, in another thread."""
        self.pages.append(url)
        self._start(lambda: self.seen.append(browse(url, self.name)))

    def code(self, url: str, code: str, /) -> None:
        """Say yes to a code, in another thread."""
        self.pages.append(url)
        assert code in url
        self._start(lambda: self._issuer.approve(url, self.name))

    def _start(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def join(self) -> None:
        """Wait until they have seen their pages."""
        for thread in self._threads:
            thread.join(30)
