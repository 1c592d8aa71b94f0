"""Backends by name: each profile says where a backend is and where its token lies."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

from napari_hmz.errors import SettingsInvalid

LOCAL = "local"
"""The profile of this machine's own backend; it needs no entry."""


class Profile(BaseModel):
    """One backend of the settings file, as `[profiles.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: str
    """Address of the backend."""
    token_file: Path | None = None
    """File that holds the bearer token; make it readable for yourself alone."""

    token_command: str | None = None
    """A command that prints the bearer token, as `oidc-token` and `mytoken` do."""

    def token(self) -> SecretStr | None:
        """Return the token; None where none is needed.

        Raises
        ------
        SettingsInvalid
            If the file cannot be read, or is empty.
        """
        if self.token_file is None:
            return None
        try:
            text = self.token_file.expanduser().read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsInvalid(f"The token cannot be read: {self.token_file}.") from error
        if not text:
            raise SettingsInvalid(f"The token file {self.token_file} is empty.")
        return SecretStr(text)
