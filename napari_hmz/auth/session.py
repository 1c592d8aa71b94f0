"""A sign-in in use: its token for every request, renewed when it ends or is not accepted any more.

Threads: may be used from several threads at once; one of them renews, and the others wait for it.
So do other processes, where they share a keyring: an issuer that rotates refresh tokens takes each
only once, and takes a second use for a theft.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from napari_hmz.alone import alone
from napari_hmz.auth.command import printed_token
from napari_hmz.auth.granted import Access
from napari_hmz.auth.issuer import Refused, discover
from napari_hmz.auth.kept import Kept, KeptCommand, KeptIssuer
from napari_hmz.auth.renewal import renewed
from napari_hmz.auth.sign_ins import SignIns
from napari_hmz.errors import IssuerUnavailable, SignInFailed

Ask = Callable[[str, bool], bool]
"""Brings the person to sign in at a backend, by its address; returns whether they have. It is told
whether they were signed in until now, and may take minutes."""
_LONGEST_S = 150.0  # of a renewal: a few exchanges with an issuer that hardly answers


class Session:
    """The token of whoever is signed in at a backend.

    Parameters
    ----------
    backend
        Its address.
    sign_ins
        What is known of the person.
    folder
        Where processes wait for each other.
    ask
        Called in the thread of a request when only the person can help; None: nobody is there.
    """

    def __init__(
        self, backend: str, sign_ins: SignIns, folder: Path, ask: Ask | None = None
    ) -> None:
        self._backend, self._sign_ins = backend, sign_ins
        self._lock_file = folder / "sign-in.lock"
        self._ask = ask
        self._lock = threading.Lock()
        self._anonymous = self._known = False
        self._declined: list[str | None] = []

    def __call__(self) -> str | None:
        """Return the token; None if nobody is signed in.

        Raises
        ------
        IssuerUnavailable
            If it must be renewed, and the issuer does not answer.
        """
        access = self._sign_ins.access(self._backend)
        if access is not None and not access.ends_soon:
            self._known = True
            return access.token
        if self._anonymous:
            return None
        with self._lock:
            try:
                found = self._found(None if access is None else access.token)
            except IssuerUnavailable:
                if access is None:
                    raise
                return access.token  # it may last a little longer
        self._anonymous = found is None
        self._known |= found is not None
        return None if found is None else found.token

    def renew(self, rejected: str | None, /) -> bool:
        """Return whether there is another token than the one that was not accepted any more.

        Raises
        ------
        IssuerUnavailable
            If the issuer does not answer.
        SignInFailed
            If the issuer, or a command, gives no token.
        """
        with self._lock:
            if self._found(rejected) is not None:
                return self._signed_in()
            if self._ask is None or rejected in self._declined:
                return False
            if self._ask(self._backend, self._known) and self._found(rejected) is not None:
                return self._signed_in()
            self._declined = [rejected]  # who waited with us is not asked again
            return False

    def _signed_in(self) -> bool:
        self._anonymous = False
        self._declined.clear()
        return True

    def _found(self, rejected: str | None) -> Access | None:
        """Return a token other than `rejected`: of another thread or process, or a new one."""
        if self._sign_ins.kept(self._backend) is None:
            return self._other_than(rejected)
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        with alone(self._lock_file, _LONGEST_S):
            found = self._other_than(rejected)
            kept = self._sign_ins.kept(self._backend)
            if found is not None or kept is None:
                return found
            found = self._asked_for(kept)
        return None if found is None or found.token == rejected else found

    def _other_than(self, rejected: str | None) -> Access | None:
        held = self._sign_ins.access(self._backend)
        usable = held is not None and held.token != rejected and not held.ends_soon
        return held if usable else None

    def _asked_for(self, kept: Kept) -> Access | None:
        if isinstance(kept, KeptIssuer):
            return self._renewed(kept)
        if isinstance(kept, KeptCommand):
            access = Access(printed_token(kept.command))
        else:
            access = Access(kept.token.get_secret_value())
        self._sign_ins.hold(self._backend, access)
        return access

    def _renewed(self, kept: KeptIssuer) -> Access | None:
        if kept.refresh is None:
            return None
        refresh = kept.refresh.get_secret_value()
        try:
            found = renewed(discover(kept.issuer), kept.client_id, refresh, kept.resource)
        except Refused as refused:
            if refused.reason != "invalid_grant":
                raise SignInFailed(refused.sentence) from None
            self._sign_ins.forget(self._backend)
            return None
        fresh = kept.model_copy(update={"refresh": SecretStr(found.refresh or refresh)})
        self._sign_ins.keep(self._backend, fresh, found.access)
        return found.access

    def __repr__(self) -> str:
        """Return a text without secrets."""
        return f"Session({self._backend!r})"
