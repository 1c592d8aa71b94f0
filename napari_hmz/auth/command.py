"""Tokens of another program: `oidc-token`, `mytoken`, or anything that prints one."""

import os
import shlex
import subprocess
import threading

from napari_hmz.errors import SettingsInvalid, SignInFailed

_LONGEST_S = 60.0
_REMEDY = "Try it in a shell: it must print the token, and nothing else, and ask nothing."


def printed_token(command: str) -> str:
    """Run a command and return the token that it prints.

    Raises
    ------
    SettingsInvalid
        If it is no command.
    SignInFailed
        If it fails, prints nothing, or takes too long.
    """
    try:
        words = shlex.split(command, posix=os.name != "nt")
    except ValueError as error:
        raise SettingsInvalid(f"The token command cannot be read: {error}.") from None
    if not words:
        raise SettingsInvalid("The token command is empty.")
    name = words[0]
    try:
        done = subprocess.run(  # noqa: S603 # the person's own command, no shell
            words, capture_output=True, stdin=subprocess.DEVNULL, timeout=_LONGEST_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        what = "took too long" if isinstance(error, subprocess.TimeoutExpired) else "does not start"
        raise SignInFailed(f"The token command {name} {what}.", remedy=_REMEDY) from None
    # What it printed is not repeated: it could be a secret.
    token = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode or not token or len(token.split()) != 1:
        how = f"ended with {done.returncode}" if done.returncode else "printed no token"
        raise SignInFailed(f"The token command {name} {how}.", remedy=_REMEDY)
    return token


class CommandToken:
    """The token that a command prints, asked for again when it is not accepted any more.

    Threads: may be used from several threads at once; the command runs once for all of them.

    Parameters
    ----------
    command
        As in a shell; none is used.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._token: str | None = None
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Return the token."""
        with self._lock:
            if self._token is None:
                self._token = printed_token(self._command)
            return self._token

    def renew(self, rejected: str | None, /) -> bool:
        """Return whether the command prints another token than the one that was not accepted."""
        with self._lock:
            if self._token == rejected:
                self._token = printed_token(self._command)
            return self._token != rejected

    def __repr__(self) -> str:
        """Return a text without the token."""
        return f"CommandToken({self._command!r})"
