"""The folder of all runs has the leader's term in its name.

```
runs        before there was a lease
runs.7      of the leader of term 7; the next one renames it to runs.8
```

So a process that was stalled, and does not know yet that another one leads, writes to a folder that
nobody reads any more. A file that it had open moves along, though: what is appended to, or mapped,
is replaced by a copy of its own when a run is taken up (`stores.atomic.renew`). So not a byte of
a run is changed behind the leader's back.
"""

import contextlib
import re
import shutil
from pathlib import Path
from typing import Final

from hmz_backend.database.lease import LeaseLost

NAME: Final = "runs"
_TERM: Final = re.compile(rf"{NAME}\.(\d+)")


def next_term(data_dir: Path) -> int:
    """Return a term above those of all folders that are there."""
    return max(_terms(data_dir), default=0) + 1


def take_over(data_dir: Path, term: int) -> Path:
    """Return the folder of all runs, renamed for a term; what stalled leaders left is deleted.

    Raises
    ------
    LeaseLost
        If the folder is a later leader's.
    """
    terms = sorted(_terms(data_dir))
    if terms and terms[-1] >= term:
        raise LeaseLost
    root = data_dir / f"{NAME}.{term}"
    try:
        if terms:
            _folder(data_dir, terms.pop()).rename(root)
        else:
            root.mkdir(parents=True)
    except OSError as error:
        if max(_terms(data_dir), default=0) > term:
            raise LeaseLost from error
        raise
    for left in terms:
        with contextlib.suppress(OSError):  # somebody writes there still; the next leader tries
            shutil.rmtree(_folder(data_dir, left))
    return root


def _folder(data_dir: Path, term: int) -> Path:
    return data_dir / (f"{NAME}.{term}" if term else NAME)


def _terms(data_dir: Path) -> list[int]:
    """Return the terms of all folders; 0 is one from before there was a lease."""
    found = [_TERM.fullmatch(path.name) for path in data_dir.glob(f"{NAME}.*")]
    terms = [int(match[1]) for match in found if match]
    return [0, *terms] if (data_dir / NAME).is_dir() else terms
