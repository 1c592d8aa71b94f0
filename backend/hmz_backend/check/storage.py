"""The disk: a folder that can be written, with room, whose files are whole or not there."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hmz_backend.check.finding import Finding, ok, warning, wrong
from hmz_backend.settings import GIB, Settings

OTHERS: Final = 0o007
FOLDERS: Final = ("volumes", "runs", "triton")
"""What `data_dir` holds; any of them may be a disk of its own."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Looks at `data_dir`; a file is written there and removed again."""

    settings: Settings
    subject: str = "storage"

    def look(self) -> Sequence[Finding]:
        """Return what is wrong with the disk."""
        folder = self.settings.data_dir
        if not folder.exists():
            return list(_not_yet(folder, self.settings))
        if not folder.is_dir():
            return [wrong(f"data_dir {folder} is no folder.", "Name a folder.")]
        return list(_look_at(folder, self.settings))


def _not_yet(folder: Path, settings: Settings) -> Iterator[Finding]:
    above = next(path for path in folder.absolute().parents if path.exists())
    if not above.is_dir() or any(_tried(above)):
        yield wrong(
            f"data_dir {folder} is not there, and may not be made in {above}.",
            "Make it, and give it to the backend's user.",
        )
        return
    yield from _room(above, settings)
    yield ok(f"{folder} is made at the first start.")


def _look_at(folder: Path, settings: Settings) -> Iterator[Finding]:
    places = [path for path in (folder, *(folder / name for name in FOLDERS)) if path.is_dir()]
    faults = [each for place in places for each in _tried(place)]
    yield from faults
    if os.name == "posix" and folder.stat().st_mode & OTHERS:
        words = f"Everybody on this machine may look into {folder}: images of all people are there."
        yield warning(words, f"chmod o-rwx {folder}")
    if (folder / "triton").is_dir() and _disk(folder / "triton") != _disk(folder):
        yield wrong(
            f"{folder / 'triton'} is on another disk than {folder}: models are renamed into it.",
            "Let both lie on one file system.",
        )
    yield from _room(folder, settings)
    if not faults:
        free = shutil.disk_usage(folder).free
        yield ok(f"{folder} can be written and synced; {free / GIB:.1f} GiB are free.")


def _tried(folder: Path) -> Iterator[Finding]:
    """Write, sync and rename as the backend does."""
    doing = "written"
    try:
        with TemporaryDirectory(prefix=".hmz-check-", dir=folder) as name:
            made, renamed = Path(name) / "made", folder / f"{Path(name).name}.part"
            with made.open("wb") as file:
                file.write(b"napari-hmz")
                doing = "synced (fsync)"
                file.flush()
                os.fsync(file.fileno())
            doing = "renamed in"
            made.rename(renamed)
            renamed.unlink()
            doing = "synced (fsync)"
            _sync_folder(folder)
    except OSError as error:
        words = f"{folder} cannot be {doing}: {error.strerror}."
        yield wrong(words, "Give it to the backend's user, or take a disk that can.")


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _room(folder: Path, settings: Settings) -> Iterator[Finding]:
    """Compare the disk with what the settings let be put there."""
    usage = shutil.disk_usage(folder)
    reserve, quota = settings.disk_reserve_bytes, settings.staging_quota_bytes
    free = f"{usage.free / GIB:.1f} GiB are free at {folder}"
    if usage.free < reserve:
        words = (
            f"{free}, less than disk_reserve_bytes ({reserve / GIB:.1f} GiB): images are refused."
        )
        yield wrong(words, "Make room, or make disk_reserve_bytes smaller.")
    elif usage.free < reserve + settings.stream_bytes:
        words = f"{free}: less than one image takes as a stream (stream_bytes), beside the reserve."
        yield warning(words, "Make room, or make stream_bytes smaller.")
    if usage.total < reserve + quota:
        yield warning(
            f"staging_quota_bytes ({quota / GIB:.1f} GiB) is more than the disk at {folder} has"
            f" ({usage.total / GIB:.1f} GiB): the disk's end is met first.",
            "Make staging_quota_bytes smaller.",
        )


def _disk(path: Path) -> int:
    return path.stat().st_dev
