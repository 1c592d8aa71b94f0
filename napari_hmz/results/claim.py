"""The right to write an output: one process has it at a time, and loses it with its life.

```
folder/
  OUT.ome.zarr/           the output
  .OUT.ome.zarr.writing   locked by who writes it, and says who that is
```

The file is removed with the right; one that a killed process has left is taken over. Where the
file system has no locks, as some of networks, or takes no file beside an output that may itself be
written, the output is written unguarded, and the log says so.
"""

import errno
import logging
import os
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from napari_hmz.errors import OutputInUse, OutputUnwritable
from napari_hmz.results.disk import writing
from napari_hmz.results.file_lock import let_go, lock
from napari_hmz.schema.base import Message

log = logging.getLogger(__name__)
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
_LONGEST_BYTES = 1000


class Holder(Message):
    """Who writes an output."""

    process: int
    """Its number."""
    host: str
    since: datetime

    @classmethod
    def myself(cls) -> Self:
        """Return this process, from now on."""
        now = datetime.now().astimezone().replace(microsecond=0)
        return cls(process=os.getpid(), host=socket.gethostname(), since=now)

    def refusal(self, output: Path) -> OutputInUse:
        """Return what to tell who wants to write there, too."""
        since = f"since {self.since.astimezone():%Y-%m-%d %H:%M:%S}"
        if (self.process, self.host) != (os.getpid(), socket.gethostname()):
            who = f"process {self.process} on {self.host}"
            return OutputInUse(f"{output} is being written by {who}, {since}.")
        return OutputInUse(
            f"{output} is being written by this very process, {since}.",
            remedy="Wait for that run or close it (`Run.close`), or choose another name.",
        )


class Claim:
    """The right to write one output; ends with `release`, or with the process.

    Parameters
    ----------
    output
        Where it lies, or will; its folder is made if need be.

    Raises
    ------
    OutputInUse
        If a living process has it; this one, too.
    OutputUnwritable
        If nothing may be written there.
    DiskFull
        If there is no space for so much as this.
    """

    def __init__(self, output: Path) -> None:
        self._output, place = output, output.expanduser().resolve()
        self._file = _file(place)
        self._handle: int | None = None
        try:
            with writing(output):
                place.parent.mkdir(parents=True, exist_ok=True)
                self._handle = self._taken()
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            if not os.access(place, os.W_OK):
                raise OutputUnwritable(f"{output} cannot be written: {error.strerror}.") from error
            self._warn("no file can be made beside it")

    def release(self) -> None:
        """Let others write there; twice is no error."""
        handle, self._handle = self._handle, None
        if handle is not None:
            let_go(handle, self._file)

    def _taken(self) -> int:
        """Return the handle of the file, once it is locked and says who we are."""
        while True:
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if self._is_ours(handle):
                    os.ftruncate(handle, 0)
                    os.write(handle, Holder.myself().model_dump_json().encode())
                    return handle
            except BaseException:  # whatever it is: the handle is ours to close
                os.close(handle)
                raise
            os.close(handle)

    def _is_ours(self, handle: int) -> bool:
        """Lock the file; False if whoever had it has removed it meanwhile."""
        answer = lock(handle)
        if answer == "taken":
            raise self._refusal(handle)
        if answer == "impossible":
            self._warn("its file system has no locks")
        try:
            return os.path.samestat(os.fstat(handle), self._file.stat())
        except FileNotFoundError:
            return False

    def _refusal(self, handle: int) -> OutputInUse:
        try:
            return Holder.model_validate_json(os.read(handle, _LONGEST_BYTES)).refusal(self._output)
        except (OSError, ValidationError):  # it has just begun, or its lock keeps us from reading
            return OutputInUse(f"{self._output} is being written by another process.")

    def _warn(self, why: str) -> None:
        log.warning("%s is not guarded against other processes: %s.", self._output, why)


def tidy(output: Path) -> None:
    """Remove what a process has left beside an output that was killed once all was written."""
    if _file(output.expanduser().resolve()).exists():
        with suppress(OutputInUse, OutputUnwritable):
            Claim(output).release()


def _file(place: Path) -> Path:
    return place.with_name(f".{place.name}.writing")
