"""What the shelf of tiles keeps at hand."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np

from hmz_backend.runs.labelling import LabelWork
from hmz_backend.runs.tile_shelf import TileShelf
from hmz_backend.stitching.bands import TileLabels, from_bytes, to_bytes
from hmz_backend.stitching.flatruns import encode
from napari_hmz.schema import Region

EDGE_PX = 64
COVERED: Region = {"z": (0, EDGE_PX), "y": (0, EDGE_PX), "x": (0, EDGE_PX)}
EDGE: Region = {**COVERED, "x": (EDGE_PX - 4, EDGE_PX)}


def tile() -> TileLabels:
    labels = np.zeros([EDGE_PX] * 3, np.uint8)
    labels[:4, :4, :4] = 1
    made = TileLabels(("z", "y", "x"), COVERED, encode(labels), np.zeros(1, np.int64))
    return from_bytes(to_bytes(made))


def shelf(bytes_at_hand: int, opened: Callable[[int], None] = lambda block: None) -> TileShelf:
    def read(block: int) -> TileLabels:
        opened(block)
        return tile()

    return TileShelf(cast(LabelWork, SimpleNamespace(tile=read)), bytes_at_hand)


def test_tiles_are_kept_as_runs_also_once_they_have_been_looked_at() -> None:
    opened = list[int]()
    found = shelf(EDGE_PX**3, opened.append)  # what one tile would take if it were unpacked
    for block in range(20):
        found.put(block, tile())
        assert found.take(block).within(EDGE).shape == (EDGE_PX, EDGE_PX, 4)
    assert set(vars(found.take(0))) == {"axes", "covered", "runs", "first"}
    assert not opened


def test_the_oldest_tiles_go_when_there_are_too_many_and_come_from_their_files_again() -> None:
    opened = list[int]()
    found = shelf(3 * tile().nbytes, opened.append)
    for block in range(4):
        found.put(block, tile())
    for block in (1, 2, 3, 0, 1):
        found.take(block)
    assert opened == [0, 1]
