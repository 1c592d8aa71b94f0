import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hmz_backend.runs.frontier import Frontier, Share
from hmz_backend.stores.grid import Index


def line(
    blocks: int, held: set[Index], *, window: int = 8, order: "list[int] | None" = None
) -> Frontier:
    """Blocks in a row; each needs its own chunk and the next one."""
    return Frontier(
        order=np.array(order or range(blocks), np.int64),
        pending=np.ones(blocks, bool),
        needs=lambda block: [(block,), (block + 1,)],
        is_missing=lambda index: index not in held,
        window=window,
    )


def taken(frontier: Frontier) -> list[int]:
    found = []
    while (block := frontier.take()) is not None:
        found.append(block)
    return found


def test_blocks_come_in_order_when_all_is_there() -> None:
    order = [3, 1, 0, 2, 4]
    assert taken(line(5, {(n,) for n in range(6)}, order=order)) == order


def test_a_block_is_ready_with_its_last_chunk() -> None:
    held: set[Index] = set()
    frontier = line(20, held)
    assert frontier.take() is None
    assert frontier.wanted(3) == [(0,), (1,), (2,)]
    for index in ((1,), (2,)):
        held.add(index)
        frontier.arrived(index)
    assert taken(frontier) == [1]
    assert frontier.wanted(2) == [(0,), (3,)]


def test_only_what_the_engine_can_begin_with_is_wanted_until_a_block_is_done() -> None:
    held: set[Index] = set()
    frontier = line(20, held)
    frontier.at_first = 2
    assert frontier.wanted(10) == [(0,), (1,), (2,)]
    assert list(frontier.upcoming()) == [{(0,), (1,)}, {(1,), (2,)}]
    for index in ((0,), (1,)):
        held.add(index)
        frontier.arrived(index)
    assert taken(frontier) == [0]
    assert frontier.wanted(10) == [(2,)]
    held.add((2,))
    frontier.arrived((2,))
    assert taken(frontier) == [1]
    assert frontier.wanted(10) == []
    assert frontier.open_wide()
    assert frontier.wanted(2) == [(3,), (4,)]
    assert not frontier.open_wide()


def test_what_is_held_back_is_wanted_for_so_many_blocks_in_all() -> None:
    held: set[Index] = set()
    frontier = line(20, held)
    share = Share(line(20, held), 0)
    share.hold(1)
    assert share.frontier.held_to == 1
    frontier.held_to = 1
    assert frontier.wanted(10) == [(0,), (1,)]
    for index in ((0,), (1,)):
        held.add(index)
        frontier.arrived(index)
    assert taken(frontier) == [0]
    frontier.done([0])
    assert frontier.wanted(10) == []
    frontier.held_to = 2
    assert frontier.wanted(10) == [(2,)]
    frontier.held_to = 0
    assert frontier.wanted(2) == [(2,), (3,)]


def test_a_block_that_is_given_back_is_let_want_its_chunks_again() -> None:
    held: set[Index] = {(0,), (1,)}
    frontier = line(20, held)
    frontier.held_to = 1
    assert frontier.take() == 0
    held.clear()
    frontier.give_back(0)
    assert frontier.wanted(10) == [(0,), (1,)]


def test_no_more_than_the_window_is_looked_at() -> None:
    looked: list[int] = []
    frontier = line(10_000, set(), window=16)
    needs = frontier.needs

    def counted(block: int) -> "list[Index]":
        looked.append(block)
        return list(needs(block))

    frontier.needs = counted
    frontier.wanted(1000)
    assert looked == list(range(16))
    frontier.focus(range(5000, 9000))
    assert frontier.wanted(2) == [(5000,), (5001,)]
    assert looked[16:] == list(range(5000, 5016))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_block_is_taken_once_whatever_happens(data: st.DataObject) -> None:
    blocks = data.draw(st.integers(1, 20))
    chunks = st.integers(0, blocks).map(lambda number: (number,))
    held: set[Index] = set(data.draw(st.sets(chunks)))
    order = list(data.draw(st.permutations(range(blocks))))
    frontier = line(blocks, held, window=data.draw(st.integers(1, 9)), order=order)
    done: list[int] = []
    for action in data.draw(st.lists(st.sampled_from(("take", "back", "arrive", "focus")))):
        if action == "arrive":
            arrive(frontier, held, 1)
        elif action == "focus":
            frontier.focus(data.draw(st.lists(st.integers(0, blocks - 1), unique=True)))
        elif (block := frontier.take()) is not None:
            assert {(block,), (block + 1,)} <= held
            if action == "back":
                frontier.give_back(block)
            else:
                done.append(block)
    for _ in range(2 * blocks + 1):
        done += taken(frontier)
        arrive(frontier, held, 5)
    assert sorted(done) == list(range(blocks))


def arrive(frontier: Frontier, held: set[Index], most: int) -> None:
    wanted = frontier.wanted(most)
    assert not set(wanted) & held
    for index in wanted:
        held.add(index)
        frontier.arrived(index)
