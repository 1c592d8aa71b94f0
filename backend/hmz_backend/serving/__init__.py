"""A model package as one object that takes raw tiles and gives final outputs; stands alone.

Triton's `model.py` and the embedded engine both wrap `ServedModel`. This package imports nothing
else of ours and only by relative imports, since it is copied as `hmz_serving` beside a deployed
model; it runs with numpy 1.26 (what Triton 2.51's Python backend needs) and 2.x and gives the same
bits with both.
"""

from .errors import PackageBroken, ServingError, TileRejected
from .model import ServedModel
from .network import Network

__all__ = ["Network", "PackageBroken", "ServedModel", "ServingError", "TileRejected"]
