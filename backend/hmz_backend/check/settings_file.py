"""The settings as they were written: unknown names, wrong types, values out of range."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.setting_faults import SettingFault, asking
from hmz_backend.settings import Settings

PREFIX: Final = "HMZ_BACKEND_"
OTHERS_MAY_WRITE: Final = 0o002


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """Looks at file and environment.

    Parameters
    ----------
    path
        The file; none: there is none.
    faults
        What is wrong with what file and environment say.
    """

    path: Path | None
    faults: Sequence[SettingFault]
    subject: str = "settings"

    def look(self) -> Sequence[Finding]:
        """Return the faults, and variables of the environment that mean nothing."""
        found = [wrong(str(fault), "Correct it, or take it out.") for fault in self.faults]
        found += [*self._file_mode(), *_unknown_variables()]
        where = f"from {self.path}" if self.path else "without a file"
        return found or [ok(f"All settings are known and of the right form, {where}.")]

    def _file_mode(self) -> list[Finding]:
        if self.path is None or os.name != "posix":
            return []
        if not self.path.stat().st_mode & OTHERS_MAY_WRITE:
            return []
        return [wrong(f"Everybody may write {self.path}.", f"chmod o-w {self.path}")]


def _unknown_variables() -> list[Finding]:
    known = [f"{PREFIX}{name.upper()}" for name in (*Settings.model_fields, "config")]
    return [
        warning(asking(f"{name} is no setting", name, known), "Unset it.")
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in known
    ]
