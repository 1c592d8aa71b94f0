"""Pseudonyms: what stands in logs and traces where a person's name would.

The same person has the same one as long as the key lasts; only who has the key (it lies in
`data_dir`) can find out whose it is, by making it again. Delete the key, and nobody can.
"""

import hashlib
import hmac
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Final

KEY_FILE: Final = "pseudonym.key"
KEY_BYTES: Final = 32
LETTERS: Final = 12  # 48 bits: among a million persons hardly any two have the same
REMEMBERED: Final = 4096


class Pseudonyms:
    """Makes pseudonyms.

    Parameters
    ----------
    key
        Any bytes that nobody else knows.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.of = lru_cache(REMEMBERED)(self._made)

    def _made(self, issuer: str, subject: str) -> str:
        """Return the pseudonym of a person."""
        text = f"{len(issuer)}:{issuer}{subject}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:LETTERS]


def kept_key(data_dir: Path) -> bytes:
    """Return the key of a data folder; whoever asks first makes it, for the owner's eyes only."""
    path = data_dir / KEY_FILE
    if not path.exists():
        _make(path)
    return path.read_bytes()


def _make(path: Path) -> None:
    """Write a key, whole or not at all, unless another process has just done so."""
    own = path.with_name(f".{path.name}.{token_hex(4)}.part")
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(token_bytes(KEY_BYTES))
    with suppress(FileExistsError):
        os.link(own, path)
    own.unlink()
