"""The folder of a run.

```
runs/{id}/brief.json            what was fixed (brief.py)
runs/{id}/outputs/{name}/       a zarr v3 array: what clients read
runs/{id}/work/{name}/          what stitching needs until the end
runs/{id}/work/receipts/        what became of each block, until the journal has it
```
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from hmz_backend.runs.brief import Brief
from hmz_backend.stores.atomic import is_leftover, write_whole


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the files of one run are."""

    root: Path

    def save_brief(self, brief: Brief) -> None:
        """Write what was fixed."""
        write_whole(self.root / "brief.json", brief.model_dump_json().encode())

    def brief(self) -> Brief:
        """Read what was fixed."""
        return Brief.model_validate_json((self.root / "brief.json").read_bytes())

    def output(self, name: str) -> Path:
        """Return the folder of an output array."""
        return self.root / "outputs" / name

    def work(self, name: str) -> Path:
        """Return the folder for what stitching an output needs."""
        return self.root / "work" / name

    def receipt(self, block: int) -> Path:
        """Return where a block task says what became of its block."""
        return self.root / "work" / "receipts" / f"{block}.json"

    def sweep(self) -> None:
        """Delete what writes that never ended have left."""
        for folder, _, names in os.walk(self.root):
            for name in filter(is_leftover, names):
                Path(folder, name).unlink(missing_ok=True)

    def clear_work(self) -> None:
        """Delete all that only an unfinished run needs."""
        shutil.rmtree(self.root / "work", ignore_errors=True)
