"""The text of `rdf.yaml`: read with bounds, and searched for the files that it names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruyaml import YAML
from ruyaml.error import YAMLError

from hmz_backend.serving.description import DESCRIPTION_FILE
from napari_hmz.errors import PackageFileMissing, PackageInvalid

LARGEST_BYTES = 4 << 20
MOST_NODES = 100_000
"""More, and the document repeats itself by references to blow up whoever reads it."""

TENSOR_FILES = ("test_tensor", "sample_tensor")


@dataclass(frozen=True)
class NamedFile:
    """A file that the description names.

    Parameters
    ----------
    place
        Where in the description it is named, for messages.
    source
        As written there.
    sha256
        As written there; empty if it is not.
    """

    place: str
    source: str
    sha256: str

    @property
    def is_array(self) -> bool:
        """Whether it must be a numpy array."""
        return self.place.endswith(TENSOR_FILES)

    @property
    def may_be_elsewhere(self) -> bool:
        """Whether an address is as good as a file: words and pictures, nothing that computes."""
        return self.place.startswith(("documentation", "covers", "icon", "attachments"))


def read_document(folder: Path) -> dict[str, Any]:
    """Return the description of the package in `folder` as plain data.

    Raises
    ------
    PackageFileMissing
        If there is none.
    PackageInvalid
        If it is not YAML, not a mapping, or too large.
    """
    path = folder / DESCRIPTION_FILE
    if not path.is_file():
        raise PackageFileMissing(f"{folder.name} has no {DESCRIPTION_FILE}.")
    if path.stat().st_size > LARGEST_BYTES:
        raise PackageInvalid(f"{DESCRIPTION_FILE} of {folder.name} is too large.")
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise PackageInvalid(f"{DESCRIPTION_FILE} of {folder.name} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise PackageInvalid(f"{DESCRIPTION_FILE} of {folder.name} is not a mapping.")
    _count_nodes(document)
    return document


def _count_nodes(document: object) -> None:
    waiting, seen = [document], 0
    while waiting:
        node = waiting.pop()
        seen += 1
        if seen > MOST_NODES:
            raise PackageInvalid(f"{DESCRIPTION_FILE} has more than {MOST_NODES} entries.")
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def named_files(document: Mapping[str, Any]) -> list[NamedFile]:
    """Return every file that a description names, in the order of the document."""
    searched = {
        key: value for key, value in document.items() if key not in ("config", "training_data")
    }
    found = [file for key, value in searched.items() for file in _search(key, value)]
    pipeline = extension_of(document).get("pipeline")
    if isinstance(pipeline, dict):
        found.extend(_search("config.hmz.pipeline", pipeline))
    return found


def extension_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config.hmz` as plain data; empty if there is none.

    Raises
    ------
    PackageInvalid
        If it is there and not a mapping.
    """
    config = document.get("config")
    section = config.get("hmz") if isinstance(config, dict) else None
    if section is not None and not isinstance(section, dict):
        raise PackageInvalid("config.hmz is not a mapping.")
    return section or {}


def _search(place: str, node: object) -> Iterator[NamedFile]:
    if isinstance(node, dict):
        source = node.get("source")
        if isinstance(source, str):
            yield NamedFile(place, source, str(node.get("sha256") or ""))
        for key, value in node.items():
            if isinstance(value, dict | list):
                yield from _search(f"{place}.{key}", value)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _search(f"{place}.{index}", value)
    elif isinstance(node, str) and place.startswith(("documentation", "covers")):
        yield NamedFile(place, node, "")
