"""Planning: from a request to blocks, tiles and chunks; pure functions, no state, no waiting.

```
make_plan ─► Plan ─► blocks ─► Block ─► block_chunks   what must be there
                                   ├──► read_tile      what the model sees
                                   ├──► neighbours     whose results are compared
                                   └──► output_region, chunk_key   where it writes
```
"""

from hmz_backend.planning.blocks import (
    Block,
    block_at,
    blocks,
    blocks_in,
    blocks_reading,
    chunk_key,
    neighbours,
    output_region,
    plane_pairs,
    tile_part,
)
from hmz_backend.planning.checks import tile_dtype
from hmz_backend.planning.chunks import (
    block_chunks,
    chunk_blocks,
    chunk_region,
    chunks_touching,
    plan_chunks,
)
from hmz_backend.planning.cutting import cut_tile, model_tile, read_tile
from hmz_backend.planning.plans import make_plan

__all__ = [
    "Block",
    "block_at",
    "block_chunks",
    "blocks",
    "blocks_in",
    "blocks_reading",
    "chunk_blocks",
    "chunk_key",
    "chunk_region",
    "chunks_touching",
    "cut_tile",
    "make_plan",
    "model_tile",
    "neighbours",
    "output_region",
    "plan_chunks",
    "plane_pairs",
    "read_tile",
    "tile_dtype",
    "tile_part",
]
