"""How the client's memory is shared out: whatever holds voxels has a part of one budget.

```
total ─┬─ 1/2  pieces of the image: read, and kept until all chunks that need them are cut
       ├─ 1/8  chunks on their way up
       ├─ 1/8  chunks on their way down
       └─ 1/4  statistics, coarser levels of the results, and what libraries take for themselves
```
"""

from dataclasses import dataclass
from typing import Final

DEFAULT_BYTES: Final = 2**30
LEAST_BYTES: Final = 64 * 2**20

_COPIES = 4
"""Of a chunk under way: cut from the image, made whole, encoded, in the HTTP library."""


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """What the transfers of one client may hold, whatever the size of the volume.

    Parameters
    ----------
    total_bytes
        All parts together.
    """

    total_bytes: int = DEFAULT_BYTES

    @property
    def pieces_bytes(self) -> int:
        """What a source may hold of the pieces in which its image is stored."""
        return self.total_bytes // 2

    def chunks_at_once(self, chunk_bytes: int) -> int:
        """Return how many chunks of this decoded size may be under way in one direction."""
        return max(1, self.total_bytes // 8 // (_COPIES * max(1, chunk_bytes)))
