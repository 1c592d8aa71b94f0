"""Callers without an account: they may look around, and run as whoever holds a name they made up.

Nobody can tell such callers apart by themselves. So a client that wants to run something makes up a
long random name (`anonymous_...`) and shows it each time: what it starts is seen by it alone.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from hmz_backend.identity.protocol import Credential, Principal
from hmz_backend.shares.turn import ANONYMOUS
from napari_hmz.schema import Scope

_NONE: Final[frozenset[str]] = frozenset()
_READ: Final[frozenset[Scope]] = frozenset({"read"})
_RUN: Final[frozenset[Scope]] = frozenset({"read", "run"})
_NAME = re.compile(r"anonymous_[A-Za-z0-9_-]{22,128}")  # at least 128 random bits


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Knows everyone who shows no credential, or a made-up name."""

    async def identify(self, credential: Credential) -> Principal | None:
        """Return a principal without groups and roles; none if another credential is shown."""
        name = credential.bearer or ""
        if not name:
            return Principal(
                ANONYMOUS, "visitor", roles=_NONE, scopes=_READ, credential="anonymous"
            )
        if not _NAME.fullmatch(name):
            return None
        subject = hashlib.sha256(name.encode()).hexdigest()[:32]
        return Principal(ANONYMOUS, subject, roles=_NONE, scopes=_RUN, credential="anonymous")
