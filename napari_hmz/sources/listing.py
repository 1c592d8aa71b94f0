"""What a remote store tells of the files below a folder: enough to know them again, or not.

Object stores list an entity tag or a time with each object, and so do WebDAV and SFTP. A plain web
server lists nothing: an image there is taken for a new one at each opening.
"""

import hashlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from zarr.core.sync import sync

if TYPE_CHECKING:
    from zarr.abc.store import Store

log = logging.getLogger(__name__)

_MARKS: Final = (
    "ETag", "etag", "e_tag", "VersionId", "version_id", "generation", "md5Hash", "content_md5",
    "checksum", "crc32c", "mtime", "LastModified", "last_modified", "modified", "updated",
    "created",
)  # fmt: skip # names that file systems of fsspec give to what changes with the content
_UNLISTED = frozenset({"http", "https"})


def of_remote(store: "Store", path: str) -> str | None:
    """Return what tells the present content of all files below `path`; none if nothing does."""
    files = getattr(store, "fs", None)
    protocol = getattr(getattr(files, "sync_fs", files), "protocol", ())
    names = {protocol} if isinstance(protocol, str) else set(protocol)
    found = None
    if files is not None and not names & _UNLISTED:
        below = "/".join(part for part in (str(getattr(store, "path", "")), path) if part)
        try:
            found = _of_entries(sync(files._find(below, detail=True)))
        except Exception as error:  # noqa: BLE001 # each store refuses to list in its own way
            log.info("%s cannot be listed: %s", store, error)
    if found is None:
        log.warning("%s does not tell when it changes: it is sent anew at each opening.", store)
    return found


def _of_entries(entries: Mapping[str, Mapping[str, Any]]) -> str | None:
    lines = []
    for name in sorted(entries):
        marks = [f"{mark}={entries[name][mark]}" for mark in _MARKS if entries[name].get(mark)]
        if not marks:
            return None
        lines.append(f"{name}:{entries[name].get('size')}:{','.join(marks)}")
    return f"listed:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}" if lines else None
