"""Seconds of the engine: shared by the tiles inside, and together no more than there were."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.dispatch.engine_clock import EngineClock

steps = st.lists(st.tuples(st.floats(0, 10), st.integers(-3, 3)), max_size=30)


@given(st.integers(1, 4), steps)
def test_all_tiles_together_get_the_time_for_which_instances_were_busy(
    instances: int, moves: Sequence[tuple[float, int]]
) -> None:
    now_s, busy_s, given_s = 0.0, 0.0, 0.0
    clock = EngineClock(instances, lambda: now_s)
    inside: list[float] = []
    for pause_s, move in [*moves, (1.0, -100)]:
        now_s += pause_s
        busy_s += pause_s * min(len(inside), instances)
        for _ in range(move):
            inside.append(clock.enter())
        for _ in range(min(len(inside), -move)):
            given_s += clock.leave(inside.pop(0))
    assert given_s == pytest.approx(busy_s)


def test_a_tile_alone_has_an_instance_and_two_at_one_have_half() -> None:
    now_s = 0.0
    clock = EngineClock(1, lambda: now_s)
    first = clock.enter()
    now_s = 2.0
    second = clock.enter()
    now_s = 4.0
    assert clock.leave(first) == 3.0
    now_s = 5.0
    assert clock.leave(second) == 2.0
    now_s = 9.0  # nobody is inside: nobody has it
    third = clock.enter()
    now_s = 10.0
    assert clock.leave(third) == 1.0
