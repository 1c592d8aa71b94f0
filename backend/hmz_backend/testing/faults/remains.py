"""What lies on both sides after a run: compared byte by byte with what another run has left."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Contents = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Remains:
    """The files of one run.

    Parameters
    ----------
    client
        The output store.
    backend
        The run's folder.
    """

    client: Contents
    backend: Contents

    @classmethod
    def of(cls, output: Path, run_folder: Path) -> "Remains":
        """Read all files; of documents only what does not name the run or the time."""
        return cls(_contents(output), _contents(run_folder))

    def differing_bytes(self, other: "Remains") -> int:
        """Return in how many bytes the files that both have differ, and files of one side only."""
        pairs = ((self.client, other.client), (self.backend, other.backend))
        return sum(_differing(one, another) for one, another in pairs)

    def strays(self, other: "Remains") -> list[str]:
        """Return the files that `other` has not."""
        return sorted({*self.client} - {*other.client}) + sorted({*self.backend} - {*other.backend})


def _contents(root: Path) -> Contents:
    found = {}
    for parent, _, names in os.walk(root):
        for name in names:
            path = Path(parent, name)
            found[path.relative_to(root).as_posix()] = _content(path)
    return found


def _content(path: Path) -> bytes:
    body = path.read_bytes()
    if path.name == "zarr.json":
        document = json.loads(body)
        own = document.pop("attributes", {}).get("napari-hmz", {})
        document["results"] = own.get("results")
        body = json.dumps(document, sort_keys=True).encode()
    return b"" if path.name == "brief.json" else body  # it names the run


def _differing(one: Contents, other: Contents) -> int:
    return sum(_distance(one.get(name, b""), other.get(name, b"")) for name in {*one, *other})


def _distance(one: bytes, other: bytes) -> int:
    longer = abs(len(one) - len(other))
    if one == other:
        return 0
    return longer + sum(a != b for a, b in zip(one, other, strict=False))
