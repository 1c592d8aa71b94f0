"""Signing in from a terminal: where to go is written to standard error, also during a run."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from napari_hmz import client
from napari_hmz.auth import SignIns
from napari_hmz.browser import has_browser, open_in_browser
from napari_hmz.cli.exits import show_error
from napari_hmz.errors import HmzError
from napari_hmz.sign_in import Attempt, sign_in


class Terminal:
    """Tells the person where to sign in."""

    def page(self, url: str, /) -> None:
        """Open the page in a browser, and write its address for where none opens."""
        if has_browser():
            say("Sign in on the page that opens in your browser. If none opens, it is this one:")
            open_in_browser(url)
        else:
            say("Open this page in a browser of this machine, and sign in there:")
        say(f"  {url}")

    def code(self, url: str, code: str, /) -> None:
        """Write the address and the code."""
        say(f"Open this page on any device, and sign in there:\n  {url}\nThe code is {code}")


def say(text: str) -> None:
    """Write a line for the person, beside what is written for programs."""
    typer.echo(text, err=True)


@contextmanager
def connect(url: str | None, **options: Any) -> Iterator[client.Client]:  # noqa: ANN401 # as the client's
    """Connect as `client.connect`; a person at the terminal is asked to sign in if need be."""
    sign_ins, given_up = SignIns(), threading.Event()

    def ask(backend: str, again: bool) -> bool:  # as an `Ask` is called
        say(f"{backend} wants you to sign in{' again' if again else ''}.")
        try:
            return bool(signed_in(backend, sign_ins, Attempt(cancelled=given_up)))
        except HmzError as error:
            show_error(error, as_json=False)
            return False

    somebody = sys.stdin.isatty() and sys.stderr.isatty()
    options |= {"sign_ins": sign_ins, "ask": ask if somebody else None}
    with client.connect(url, **options) as connected:
        try:
            yield connected
        finally:
            given_up.set()  # threads that wait for the person would keep the command from ending


def signed_in(backend: str, sign_ins: SignIns, attempt: Attempt | None = None) -> str:
    """Let the person sign in; return what they are called, or how they are signed in."""
    person = sign_in(backend, sign_ins, Terminal(), attempt) or "a person without a name"
    say(f"Signed in at {backend} as {person}.")
    return person
