"""Secrets: files that are there, filled, and closed to others."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.secret_files import read_secret
from hmz_backend.settings import LEAST_TOKEN, Settings
from napari_hmz.errors import SettingsInvalid

OTHERS_MAY_READ: Final = 0o004
GOOD_TOKEN: Final = 20  # letters


@dataclass(frozen=True, slots=True)
class Secrets:
    """Looks at every secret that the settings have or name.

    Parameters
    ----------
    settings
        All of them.
    path
        The settings file, which may hold secrets itself.
    """

    settings: Settings
    path: Path | None
    subject: str = "secrets"

    def look(self) -> Sequence[Finding]:
        """Return what is wrong with secrets."""
        files = list(_secret_files(self.settings))
        found = [each for setting, path in files for each in _look_at(path, setting)]
        found += [*self._in_the_settings_file(), *self._from_the_environment(), *self._weak_token()]
        words = f"{len(files)} in files of their own." if files else "None lies in a file."
        return found or [ok(words)]

    def _in_the_settings_file(self) -> Iterator[Finding]:
        if self.path is None or not _is_open(self.path):
            return
        written = self.path.read_text("utf-8", errors="replace")
        for setting, secret in _plain_secrets(self.settings):
            if secret in written:
                yield wrong(
                    f"{setting} stands in {self.path}, which everybody on this machine may read.",
                    f"chmod o-r {self.path}, or put the secret into a file of its own.",
                )

    def _from_the_environment(self) -> Iterator[Finding]:
        for place, issuer in enumerate(self.settings.issuers):
            name = issuer.client_secret_env
            if name and not os.environ.get(name):
                words = f"issuers[{place}].client_secret_env: {name} is empty, or not set."
                yield wrong(words, f"Set {name} where the backend runs.")

    def _weak_token(self) -> Iterator[Finding]:
        if self.settings.knows_people:
            return
        try:
            given = self.settings.shared_token()
        except SettingsInvalid:
            return  # it is told already
        length = len(given.get_secret_value() if given else os.environ.get("HMZ_TOKEN", ""))
        if 0 < length < LEAST_TOKEN:
            words = f"The token has fewer than {LEAST_TOKEN} letters: the backend does not start."
            yield wrong(words, "Make one with: openssl rand -hex 32")
        elif 0 < length < GOOD_TOKEN:
            yield warning("The token can be guessed.", "Make one with: openssl rand -hex 32")


def known_secrets(settings: Settings) -> list[str]:
    """Return every secret that can be read, so that it can be struck out of what is shown."""
    found = [secret for _, secret in _plain_secrets(settings)]
    for setting, path in _secret_files(settings):
        try:
            found.append(read_secret(path, setting).get_secret_value())
        except SettingsInvalid:
            continue  # it is told elsewhere
    named = [issuer.client_secret_env for issuer in settings.issuers]
    found += [os.environ.get(name, "") for name in (*named, "HMZ_TOKEN") if name]
    return [secret for secret in found if secret]


def _plain_secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    for prefix, table in _tables(settings):
        for name in type(table).model_fields:
            secret = getattr(table, name)
            if isinstance(secret, SecretStr) and secret.get_secret_value():
                yield prefix + name, secret.get_secret_value()
    try:
        password = make_url(settings.database_url).password if settings.database_url else None
    except ArgumentError:
        return  # it is told elsewhere
    if password:
        yield "The password of database_url", str(password)


def _secret_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    for prefix, table in _tables(settings):
        for name in type(table).model_fields:
            path = getattr(table, name)
            if name.endswith("_file") and isinstance(path, Path):
                yield prefix + name, path


def _tables(settings: Settings) -> Iterator[tuple[str, BaseModel]]:
    """Return the tables that may hold secrets, and how the names of their settings begin."""
    yield "", settings
    for place, issuer in enumerate(settings.issuers):
        yield f"issuers[{place}].", issuer


def _look_at(path: Path, setting: str) -> Iterator[Finding]:
    try:
        read_secret(path, setting)
    except SettingsInvalid as error:
        yield wrong(f"{setting}: {error.detail}", error.remedy)
        return
    if _is_open(path):
        words = f"{setting}: everybody on this machine may read {path}."
        yield wrong(words, f"chmod o-rwx {path}")


def _is_open(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & OTHERS_MAY_READ)
