"""Secrets that lie in files of their own, beside the settings."""

from pathlib import Path

from pydantic import SecretStr

from napari_hmz.errors import SettingsInvalid


def read_secret(path: Path, setting: str) -> SecretStr:
    """Return what a file holds, without the white space around it.

    Parameters
    ----------
    path
        The file.
    setting
        The setting that names it.

    Raises
    ------
    SettingsInvalid
        If it cannot be read, or is empty.
    """
    remedy = f"Correct {setting}, or the file."
    try:
        found = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        detail = f"The secret cannot be read from {path}: {why}."
        raise SettingsInvalid(detail, remedy=remedy) from None  # its text may show the secret
    if not found:
        raise SettingsInvalid(f"The secret in {path} is empty.", remedy=remedy)
    return SecretStr(found)
