"""All sign-ins of this process: access tokens in memory, what renews them in the keyring.

Threads: may be used from several threads at once.
"""

import threading
from collections.abc import Callable

from napari_hmz.auth.granted import Access
from napari_hmz.auth.kept import Kept, KeptIssuer, opened, sealed
from napari_hmz.auth.vault import Vault, system_vault


class SignIns:
    """Knows for each backend, by its address, how the person is signed in there.

    Parameters
    ----------
    find_vault
        Finds the keyring when it is first needed; without one, memory has to do.
    """

    def __init__(self, find_vault: Callable[[], Vault | None] = system_vault) -> None:
        self._find_vault = find_vault
        self._lock = threading.Lock()
        self._vault: Vault | None = None
        self._looked = False
        self._accesses: dict[str, Access] = {}
        self._in_memory: dict[str, Kept] = {}

    @property
    def lasting(self) -> bool:
        """Whether sign-ins outlive this process."""
        return self._keyring() is not None

    def kept(self, backend: str) -> Kept | None:
        """Return what another token can be had with, newly read: it may be another process's."""
        vault = self._keyring()
        text = None if vault is None else vault.read(backend)
        found = None if text is None else opened(text)
        return found or self._in_memory.get(backend)

    def keep(self, backend: str, kept: Kept, access: Access | None = None) -> None:
        """Remember a sign-in; in memory what the keyring does not take."""
        vault = self._keyring()
        with self._lock:
            if vault is not None and _lasts(kept) and vault.write(backend, sealed(kept)):
                self._in_memory.pop(backend, None)
            else:
                self._in_memory[backend] = kept
            self._accesses.pop(backend, None)
            if access is not None:
                self._accesses[backend] = access

    def passing(self, backend: str) -> bool:
        """Return whether a sign-in ends with this process."""
        return backend in self._in_memory

    def access(self, backend: str) -> Access | None:
        """Return the access token that is held for a backend."""
        return self._accesses.get(backend)

    def hold(self, backend: str, access: Access) -> None:
        """Use this access token from now on."""
        with self._lock:
            self._accesses[backend] = access

    def forget(self, backend: str) -> None:
        """Be signed in there no more."""
        vault = self._keyring()
        with self._lock:
            self._accesses.pop(backend, None)
            self._in_memory.pop(backend, None)
        if vault is not None:
            vault.erase(backend)

    def __repr__(self) -> str:
        """Return a text without secrets."""
        return f"SignIns({len(self._accesses)} in use)"

    def _keyring(self) -> Vault | None:
        with self._lock:
            if not self._looked:
                self._vault, self._looked = self._find_vault(), True
            return self._vault


def _lasts(kept: Kept) -> bool:
    return not isinstance(kept, KeptIssuer) or kept.refresh is not None
