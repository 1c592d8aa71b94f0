"""What the client remembers of a run, so that another process can go on with it.

One small file per run, readable by its user only: where the image lies, where the output goes.
No token is ever in it.
"""

import hashlib
import os
import re
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from napari_hmz.schema import Run, RunRequest
from napari_hmz.schema.base import Message
from napari_hmz.sources.protocol import Origin
from napari_hmz.whole_file import write_whole

_KEPT_S = 90 * 24 * 3600


class RunRecord(Message):
    """One run as this machine started it."""

    run: str
    url: str
    """The backend; the one of this machine may have another address tomorrow."""
    local_engine: str = ""
    """The engine of this machine's own backend; empty for a backend given by its address."""
    profile: str = ""
    """The profile of the settings that has led to the backend; its token is not kept here."""
    model: str
    volume: str
    source: Origin | None = None
    """None: the image lived in the process that started the run."""
    inputs: dict[str, Origin | None] = {}
    """What feeds the model's other inputs."""
    output: str | None = None
    with_image: bool = False
    started_at: str = ""

    @classmethod
    def of(
        cls,
        run: Run,
        source: Origin | None,
        output: str | Path | None,
        **way: Any,  # noqa: ANN401 # checked by pydantic
    ) -> Self:
        """Return what is to be remembered of a run that begins, or goes on, now.

        Parameters
        ----------
        **way
            The other fields: `url`, and whatever is not as usual.
        """
        return cls(
            run=run.id,
            model=run.plan.model,
            volume=run.request.volume,
            source=source,
            output=None if output is None else str(Path(output).absolute()),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            **way,
        )


class RunRecords:
    """The records in one folder.

    Parameters
    ----------
    folder
        Made when the first record is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_swept = False

    def put(self, record: RunRecord) -> None:
        """Write a record, whole or not at all, and drop those of long ago."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._drop_old()
        write_whole(self._file(record.run), record.model_dump_json(indent=1).encode())

    def get(self, run_id: str) -> RunRecord | None:
        """Return the record of a run; none if this machine did not start it."""
        try:
            return RunRecord.model_validate_json(self._file(run_id).read_bytes())
        except (OSError, ValidationError):
            return None

    def key(self, output: str | Path | None, request: RunRequest) -> str:
        """Return the idempotency key of a request: for one output the same until `told`.

        A process that dies between asking for a run and noting it leaves its key behind; whoever
        then asks for the same again gets that run, rather than a second one beside it.
        """
        fresh, digest = uuid.uuid4().hex, _digest(request.substance.model_dump_json())
        if output is None:
            return fresh
        file = self._key_file(output)
        with suppress(OSError, ValueError):  # not there, or torn
            known, key = file.read_text("utf-8").split()
            if known == digest:
                return key
        with suppress(OSError):  # a full disk must not keep a run from being begun elsewhere
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.write_text(f"{digest} {fresh}", "utf-8")
        return fresh

    def told(self, output: str | Path) -> None:
        """Forget the key of a request whose output names its run by now."""
        with suppress(OSError):
            self._key_file(output).unlink(missing_ok=True)

    def _key_file(self, output: str | Path) -> Path:
        return self._folder / f"{_digest(str(Path(output).expanduser().absolute()))}.key"

    def _file(self, run_id: str) -> Path:
        # An id is a word of the backend's: it must not lead out of the folder.
        return self._folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', run_id)}.json"

    def _drop_old(self) -> None:
        """Drop records of long ago, once per process: there may be thousands."""
        if self._is_swept:
            return
        self._is_swept = True
        for file in os.scandir(self._folder):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > _KEPT_S:
                    Path(file.path).unlink()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
