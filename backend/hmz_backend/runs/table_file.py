"""One table of a run on disk: the rows of each block at once, the whole at the end.

```
outputs/{name}/rows/{block}   the block's rows: bare float64, little-endian
outputs/{name}/zarr.json      the whole as a zarr v3 array (row, column), once all blocks are done
outputs/{name}/c/{n}/0
```

A block without rows has no file. Threads: files of different blocks may be written at once.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numcodecs import zstd
from numpy.typing import NDArray

from hmz_backend.stores.atomic import write_whole
from napari_hmz.schema import OutputTable
from napari_hmz.schema.output_document import ROWS_PER_CHUNK, ZSTD_LEVEL, table_document

DTYPE = np.dtype("<f8")
Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TableFile:
    """Writes and reads the rows of one table.

    Parameters
    ----------
    spec
        Its columns.
    folder
        Where it is.
    """

    spec: OutputTable
    folder: Path

    def write(self, key: str, rows: Rows) -> str:
        """Write the rows of a block; return their digest, which is empty if there are none.

        Raises
        ------
        DiskFull
            If there is no space.
        """
        if not len(rows):
            (self.folder / key).unlink(missing_ok=True)
            return ""
        body = np.ascontiguousarray(rows, DTYPE).tobytes()
        write_whole(self.folder / key, body)
        return hashlib.sha256(body).hexdigest()

    def holds(self, key: str, digest: str) -> bool:
        """Return whether the rows of a block are as the journal says."""
        try:
            body = (self.folder / key).read_bytes()
        except FileNotFoundError:
            return not digest
        return hashlib.sha256(body).hexdigest() == digest

    def read(self, key: str) -> Rows:
        """Return the rows of a block that has some."""
        body = (self.folder / key).read_bytes()
        return np.frombuffer(body, DTYPE).reshape(-1, len(self.spec.columns))

    def write_all(self, parts: Iterable[Rows], *, run: str, source: str) -> int:
        """Write the whole table from parts that follow each other; return how many rows it has.

        Holds one part and one chunk at a time.
        """
        left = np.empty((0, len(self.spec.columns)), DTYPE)
        chunks = count = 0
        for part in parts:
            left, count = np.concatenate([left, part]), count + len(part)
            while len(left) >= ROWS_PER_CHUNK:
                self._write_chunk(chunks, left[:ROWS_PER_CHUNK])
                left, chunks = left[ROWS_PER_CHUNK:], chunks + 1
        if len(left):
            self._write_chunk(chunks, left)
        document = table_document(self.spec, count)
        document["attributes"] |= {"hmz": {"run": run, "source": source}}
        write_whole(self.folder / "zarr.json", json.dumps(document).encode())
        return count

    def _write_chunk(self, number: int, rows: Rows) -> None:
        whole = np.zeros((ROWS_PER_CHUNK, len(self.spec.columns)), DTYPE)
        whole[: len(rows)] = rows
        write_whole(self.folder / f"c/{number}/0", bytes(zstd.compress(whole, ZSTD_LEVEL)))
