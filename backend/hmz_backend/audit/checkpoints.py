"""Checkpoints: number and digest of the newest record, told to another place from time to time.

Whoever can write to the database can write a whole new chain, or cut off its end; not what the log
of yesterday says of it. A checkpoint is one line of JSON, and is no secret.
"""

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hmz_backend.audit.chain import Mark

log = logging.getLogger(__name__)


def checkpoint_line(mark: Mark) -> str:
    """Return a checkpoint, with the time of day."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"at": at, "number": mark.number, "digest": mark.digest})


def read_checkpoints(lines: Iterable[str]) -> list[Mark]:
    """Return the checkpoints in a file: each line is one, or ends with one, as those of a log do.

    Raises
    ------
    ValueError
        If a line has none.
    """
    marks = []
    for line in lines:
        if not line.strip():
            continue
        begin = line.find("{")
        try:
            said = json.loads(line[begin:])
            marks.append(Mark(int(said["number"]), str(said["digest"])))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"no checkpoint: {line.strip()[:80]}") from error
    return marks


@dataclass
class Checkpoints:
    """Tells where the trail ends: to the log, and to a file if there is one.

    Parameters
    ----------
    path
        Gets a line each time; it should lie on another machine, or where lines are only added.
    """

    path: Path | None = None
    _told: Mark = field(default_factory=Mark)

    def tell(self, mark: Mark) -> None:
        """Tell a new checkpoint; does nothing if no record was added since the last one."""
        if mark == self._told:
            return
        self._told = mark
        line = checkpoint_line(mark)
        log.info("audit checkpoint %s", line)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
