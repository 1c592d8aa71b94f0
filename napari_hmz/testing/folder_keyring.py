"""A keyring for tests with several processes: one file a secret, in a folder that is thrown away.

`PYTHON_KEYRING_BACKEND=napari_hmz.testing.folder_keyring.FolderKeyring` chooses it, and the
variable `FOLDER` says where.
"""

import hashlib
import os
from pathlib import Path

from keyring.backend import KeyringBackend

FOLDER = "KEYRING_FOLDER_OF_THE_TESTS"


class FolderKeyring(KeyringBackend):
    """Keeps secrets in plain files: for tests alone."""

    priority = -1  # never chosen by itself

    def get_password(self, service: str, username: str) -> str | None:
        """Return a secret."""
        file = _file(service, username)
        return file.read_text("utf-8") if file.exists() else None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret; who reads at the same time sees the old one or the new one."""
        file = _file(service, username)
        half = file.with_suffix(f".{os.getpid()}")
        half.write_text(password, "utf-8")
        half.replace(file)

    def delete_password(self, service: str, username: str) -> None:
        """Keep a secret no more."""
        _file(service, username).unlink()


def _file(service: str, username: str) -> Path:
    name = hashlib.sha256(f"{service} {username}".encode()).hexdigest()
    return Path(os.environ[FOLDER]) / name
