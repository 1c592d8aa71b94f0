"""The folder of a run.

```
runs/{id}/brief.json            what was fixed (brief.py)
runs/{id}/outputs/{name}/       a zarr v3 array: what clients read
runs/{id}/work/{name}/          what stitching needs until the end
```

What a loss of power may do. Files are written without waiting for the disk, since a chunk is
cheaper to compute again than to wait for; the database waits for the disk with every commit. So
after a loss of power the journal is right and files may be torn or missing: all that it names is
compared with its digest when the run is taken up, and what differs is made again. A run that is
done is not looked at again; so its outputs are brought to the disk first, and only then is `work`
removed: a run that is done and has `work` still is taken up again like one that was interrupted.
"""

import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from hmz_backend.runs.brief import Brief
from hmz_backend.stores.atomic import is_leftover, write_whole

REMOVED = "removed"  # what `work` is called while it is being deleted


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the files of one run are."""

    root: Path

    def save_brief(self, brief: Brief) -> None:
        """Write what was fixed."""
        write_whole(self.root / "brief.json", brief.model_dump_json().encode())

    def brief(self) -> Brief | None:
        """Read what was fixed; None if the file is gone or torn."""
        try:
            return Brief.model_validate_json((self.root / "brief.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def output(self, name: str) -> Path:
        """Return the folder of an output array."""
        return self.root / "outputs" / name

    def work(self, name: str) -> Path:
        """Return the folder for what stitching an output needs."""
        return self.root / "work" / name

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing that only an unfinished run needs."""
        return not (self.root / "work").exists()

    def sweep(self) -> None:
        """Delete what writes and removals that never ended have left."""
        shutil.rmtree(self.root / REMOVED, ignore_errors=True)
        for folder, _, names in os.walk(self.root):
            for name in filter(is_leftover, names):
                Path(folder, name).unlink(missing_ok=True)

    def clear_work(self) -> None:
        """Delete all that only an unfinished run needs: whole or, after a crash, not at all."""
        with contextlib.suppress(FileNotFoundError):
            (self.root / "work").rename(self.root / REMOVED)
        shutil.rmtree(self.root / REMOVED, ignore_errors=True)

    def remove(self) -> None:
        """Delete everything: a run that is resumed afterwards starts over."""
        self.clear_work()
        shutil.rmtree(self.root, ignore_errors=True)


def settle(folders: Sequence[RunFolder]) -> None:
    """Bring the outputs of runs that are done to the disk, then delete the rest."""
    if sys.platform == "linux":
        os.sync()  # one call that waits for all, where a call per chunk takes milliseconds each
    else:
        for each in folders:
            for folder, _, names in os.walk(each.root / "outputs"):
                for name in names:
                    _sync(Path(folder, name))
    for each in folders:
        each.clear_work()


def _sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
