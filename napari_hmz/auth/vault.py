"""Where secrets outlive a process: the keyring of the operating system, if it is alive."""

from typing import Protocol

from keyring.backend import KeyringBackend

SERVICE = "napari-hmz"
_NO_KEYRING = ("keyring.backends.fail", "keyring.backends.null")
_FILES = "keyrings.alt"  # would write secrets into plain files


class Vault(Protocol):
    """Keeps one text for each place; `write` says whether it is kept."""

    def read(self, place: str) -> str | None:
        """Return what is kept for a place."""

    def write(self, place: str, text: str) -> bool:
        """Keep a text for a place instead of the one before."""

    def erase(self, place: str) -> None:
        """Keep nothing for a place any more."""


class SystemVault:
    """The operating system's keyring: Keychain, Credential Locker, Secret Service.

    Parameters
    ----------
    backend
        The one to use; it is alive.
    """

    def __init__(self, backend: KeyringBackend) -> None:
        self._backend = backend

    def read(self, place: str) -> str | None:
        """Return what is kept for a place; nothing while the keyring is locked."""
        try:
            return self._backend.get_password(SERVICE, place)
        except Exception:  # noqa: BLE001 # keyrings raise what their systems raise
            return None

    def write(self, place: str, text: str) -> bool:
        """Keep a text; False if the keyring is locked, or the text too long for it."""
        try:
            self._backend.set_password(SERVICE, place, text)
        except Exception:  # noqa: BLE001 # as above; the error could show the text
            return False
        return True

    def erase(self, place: str) -> None:
        """Keep nothing for a place any more."""
        try:
            if self._backend.get_password(SERVICE, place) is not None:
                self._backend.delete_password(SERVICE, place)
        except Exception:  # noqa: BLE001 # as above
            return


def system_vault() -> SystemVault | None:
    """Return the keyring, or None where there is none that answers."""
    import keyring

    chosen = keyring.get_keyring()
    for backend in getattr(chosen, "backends", [chosen]):
        if type(backend).__module__.startswith((*_NO_KEYRING, _FILES)):
            continue
        try:
            backend.get_password(SERVICE, "alive")
        except Exception:  # noqa: BLE001, S112 # keyrings raise what their systems raise
            continue
        return SystemVault(backend)
    return None
