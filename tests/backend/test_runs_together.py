from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hmz_backend.runs.readers import Readers
from hmz_backend.runs.together import Together
from hmz_backend.stores.arrival_log import ArrivalLog
from hmz_backend.stores.grid import ChunkGrid, Index
from hmz_backend.stores.staged import ABSENT, HELD, MISSING, StagedVolume
from hmz_backend.testing.planned import a_model, a_plan, an_image
from napari_hmz.decoding import ChunkDecoder
from napari_hmz.schema import Region, Sizes
from napari_hmz.sources.rechunk import v3_document

SHAPE: Sizes = {"z": 32, "y": 64, "x": 64}
CHUNKS: Sizes = {"z": 4, "y": 16, "x": 16}
PLANES: Sizes = {"z": 4, "y": 64, "x": 64}


def staged_and_order(region: Region, together: Sizes = PLANES) -> tuple[StagedVolume, Together]:
    document = v3_document((32, 64, 64), (4, 16, 16), np.dtype("uint8"))
    request = an_image(SHAPE, CHUNKS).model_copy(update={"array": document})
    grid = ChunkGrid.of(request)
    marks = np.full(grid.counts, MISSING, np.uint8)
    arrivals = ArrivalLog(Path("unused"), np.zeros(grid.total, np.uint64))
    staged = StagedVolume(Path("unused"), grid, ChunkDecoder.of(request), marks, arrivals)
    plan = a_plan(a_model(halo={"z": 1, "y": 1, "x": 1}), request, region=region)
    left = Readers.of(plan, request, np.ones(plan.blocks, bool)).left
    return staged, Together(staged, left > 0, together)


def taken_in_turn(staged: StagedVolume, order: Together, wants: list[Index]) -> list[Index]:
    """Send two of the first chunks at a time, as a client would, until nothing is wanted."""
    came: list[Index] = []
    while True:
        wanted = [index for index in wants if staged.marks[index] == MISSING]
        asked = order.ordered(wanted, 8)
        if not asked:
            return came
        assert len(asked) == len(set(asked)) <= 8
        for index in asked[:2]:
            staged.marks[index] = HELD
            came.append(index)


@settings(deadline=None, max_examples=30)
@given(st.randoms(use_true_random=False))
def test_each_slab_is_finished_before_the_next_whatever_is_wanted(
    random: Random,
) -> None:
    staged, order = staged_and_order({})
    wants = list(np.ndindex(staged.grid.counts))
    random.shuffle(wants)
    came = taken_in_turn(staged, order, wants)
    assert sorted(came) == sorted(wants)
    slabs = [index[0] for index in came]
    assert sum(one != other for one, other in pairwise(slabs)) == 7


def test_what_is_wanted_now_goes_first_in_its_slab() -> None:
    _, order = staged_and_order({})
    assert order.ordered([(2, 3, 3), (0, 0, 0)], 4) == [(2, 3, 3), (2, 0, 0), (2, 0, 1), (2, 0, 2)]


def test_what_the_run_does_not_read_is_never_asked_for() -> None:
    staged, order = staged_and_order({"z": (8, 16), "y": (0, 16), "x": (0, 32)})
    came = taken_in_turn(staged, order, [(2, 0, 0), (3, 0, 0)])
    assert set(came) == {(2, 0, 0), (2, 0, 1), (3, 0, 0), (3, 0, 1)}


def test_what_is_there_or_empty_is_not_asked_for() -> None:
    staged, order = staged_and_order({})
    staged.marks[0, :2], staged.marks[0, 2] = HELD, ABSENT
    assert order.ordered([(0, 3, 0)], 99) == [(0, 3, n) for n in range(4)]


def test_boxes_may_be_smaller_than_a_plane() -> None:
    _, order = staged_and_order({}, {"z": 4, "y": 32, "x": 32})
    assert order.ordered([(0, 2, 3)], 9) == [(0, 2, 3), (0, 2, 2), (0, 3, 2), (0, 3, 3)]
