"""One model package, read and trusted: its files are the ones that its description means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hmz_backend.serving.description import Description, read_description
from hmz_backend.serving.errors import PackageBroken
from hmz_backend.zoo.card import make_card
from hmz_backend.zoo.consistency import contradictions
from hmz_backend.zoo.digest import package_digest, package_files
from hmz_backend.zoo.document import extension_of, named_files, read_document
from hmz_backend.zoo.extension import Extension
from hmz_backend.zoo.files import check_file, refuse_pickles
from napari_hmz.errors import PackageInvalid
from napari_hmz.schema import ModelCard

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
"""What ids and versions may be: they become addresses and file names."""


@dataclass(frozen=True)
class Package:
    """A model package on disk.

    Parameters
    ----------
    folder
        Where it is.
    rdf
        Its description as plain data.
    config
        Its `config.hmz`, defaults filled in.
    description
        Its description as `serving` sees it.
    card
        What users are told.
    """

    folder: Path
    rdf: Mapping[str, Any]
    config: Extension
    description: Description
    card: ModelCard

    @property
    def key(self) -> tuple[str, str]:
        """Id and version."""
        return (self.card.id, self.card.version)


def load_package(folder: Path) -> Package:
    """Read a package and check its files, without running anything of it or touching the network.

    Raises
    ------
    PackageFileMissing, PackageDigestWrong, PickleRefused
        If a file is not there, not the one that was meant, or a pickle.
    PackageInvalid
        If the description breaks bioimage.io 0.5, contradicts itself, or leads out of the package.
    """
    folder = folder.resolve()
    document = read_document(folder)
    refuse_pickles(package_files(folder))
    for file in named_files(document):
        check_file(folder, file)
    extension = read_extension(folder, document)
    description = _description(folder)
    card = _card(description, extension)
    return Package(folder, document, extension, description, card)


def read_extension(folder: Path, document: Mapping[str, Any]) -> Extension:
    """Return `config.hmz` of a description, defaults filled in.

    Raises
    ------
    PackageInvalid
        If a field has a value that it cannot have.
    """
    try:
        return Extension.model_validate(extension_of(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in ("config", "hmz", *first["loc"]))
        raise PackageInvalid(f"{folder.name}: {place}: {first['msg']}.") from error


def _description(folder: Path) -> Description:
    try:
        return read_description(folder)
    except PackageBroken as error:
        raise PackageInvalid(f"{folder.name}: {error.cause}.") from error


def _card(description: Description, extension: Extension) -> ModelCard:
    try:
        problems = contradictions(description, extension)
        if problems:
            raise PackageInvalid(f"{description.folder.name}: {'; '.join(problems)}.")
        card = make_card(description, extension, package_digest(description.folder))
    except (PackageBroken, ValidationError) as error:
        raise PackageInvalid(f"{description.folder.name}: {error}") from error
    for word, value in (("id", card.id), ("version", card.version)):
        if not NAME.fullmatch(value):
            raise PackageInvalid(
                f"{description.folder.name}: the {word} '{value}' is not fit for an address.",
                remedy="Use lower-case letters, digits, dots, dashes and underscores.",
            )
    return card
