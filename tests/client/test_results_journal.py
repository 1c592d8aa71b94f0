"""The journal of an output: what is noted holds, later too, and takes little memory."""

import tracemalloc
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hmz.results.coarsening import Place
from napari_hmz.results.journal import Journal

GRID = (3, 4)
PLACES = st.tuples(*(st.integers(0, count - 1) for count in GRID))
DIGESTS = st.sampled_from(["00ff", "beef", "c0de"])
STEPS = st.lists(st.tuples(PLACES, st.none() | DIGESTS))


@given(steps=STEPS)
def test_the_last_word_of_each_chunk_holds_here_and_in_later_processes(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[Place, str | None]],
) -> None:
    path = tmp_path_factory.mktemp("journal") / "final"
    journal, expected = Journal(path, GRID), dict[Place, str | None]()
    for place, digest in steps:
        if digest is None:
            assert journal.forget(place) == (place in expected)
            if place not in expected:
                continue
        else:
            journal.note(place, digest)
        expected[place] = digest
    for each in (journal, Journal(path, GRID)):
        for place in product(*map(range, GRID)):
            held = [digest for digest in ("00ff", "beef", "c0de") if each.holds(place, digest)]
            assert held == [digest for digest in [expected.get(place)] if digest]
            assert each.is_own(place) == (each is journal and place in expected)


def test_a_chunk_takes_nine_bytes_of_memory(tmp_path: Path) -> None:
    grid = (50, 100)
    tracemalloc.start()
    try:
        journal = Journal(tmp_path / "final", grid)
        before, _ = tracemalloc.get_traced_memory()
        for place in product(*map(range, grid)):
            journal.note(place, f"{place!r:>64}")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert before < 9 * 5000 + 10_000
    assert after - before < 5000, "it grows with what is noted"
