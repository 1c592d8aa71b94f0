"""The check seam: one subject that can be looked at by itself."""

from collections.abc import Sequence
from typing import Protocol

from hmz_backend.check.finding import Finding


class Check(Protocol):
    """Looks at one subject; several are looked at side by side, each in a thread of its own."""

    @property
    def subject(self) -> str:
        """What is looked at, in a few words."""

    def look(self) -> Sequence[Finding]:
        """Return what was found; waits for `patience.ANSWER_S` at most for each answer.

        Raises
        ------
        SettingsInvalid
            If the settings name a secret that cannot be read.
        """
