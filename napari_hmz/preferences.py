"""What a person sets in an application's preferences, beneath the environment, over the file.

An application such as napari keeps and edits them; they hold no secret. Only what differs from the
default counts, so that what `client.toml` says goes on to hold.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from napari_hmz.memory import DEFAULT_BYTES
from napari_hmz.settings import ClientSettings, load_settings

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of a person.

    Parameters
    ----------
    profile
        Name of the profile that is used at first; empty: what the settings say.
    url
        Address of a backend, where the settings name none; empty: that of this machine.
    start
        Start the backend of this machine without being asked.
    connections
        As of `ClientSettings`.
    memory_mib
        As `ClientSettings.memory_budget_bytes`, in MiB.
    folder
        Where a path of results begins that is not absolute; empty: the working folder.
    preview_again
        Whether a change of a parameter previews again, at first.
    """

    profile: str = ""
    url: str = ""
    start: bool = False
    connections: int = 32
    memory_mib: int = DEFAULT_BYTES // _MIB
    folder: str = ""
    preview_again: bool = True

    @classmethod
    def of(cls, values: Mapping[str, object]) -> "Preferences":
        """Return the preferences that are named in a mapping; others are left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})  # type: ignore[arg-type] # whoever keeps them has checked their types

    def settings_arguments(self, profile: str | None = None) -> dict[str, Any]:
        """Return the arguments of `load_settings`, and of `connect`, that they amount to.

        Parameters
        ----------
        profile
            The profile that was chosen; it stands above all. None: what is used at first.

        Raises
        ------
        SettingsInvalid
            If the file or the environment cannot be used.
        """
        given: dict[str, Any] = {}
        usual = Preferences()
        if self.connections != usual.connections:
            given["connections"] = self.connections
        if self.memory_mib != usual.memory_mib:
            given["memory_budget_bytes"] = self.memory_mib * _MIB
        given = {name: value for name, value in given.items() if not _in_environment(name)}
        return given | ({"profile": profile} if profile is not None else self._backend())

    def settings(self, profile: str | None = None) -> ClientSettings:
        """Return the settings as they are with these preferences.

        Raises
        ------
        SettingsInvalid
            As `load_settings`, and if there is no profile of the preferred name.
        """
        return load_settings(**self.settings_arguments(profile))

    def placed(self, path: Path) -> Path:
        """Return where results of this path lie."""
        return Path(self.folder).expanduser() / path.expanduser()

    def _backend(self) -> dict[str, Any]:
        if _in_environment("url") or _in_environment("profile"):
            return {}
        if self.profile.strip():
            return {"profile": self.profile.strip()}
        found = load_settings() if self.url.strip() else None
        if found is None or found.url is not None or found.profile is not None:
            return {}
        return {"url": self.url.strip()}


def _in_environment(name: str) -> bool:
    return bool(os.environ.get(f"HMZ_{name.upper()}"))
