"""The truth of a run's rate and time left: over models, loading, pauses and interruptions."""

import heapq
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.runs.outlook import CHUNKS_AT_ONCE, Outlook
from hmz_backend.runs.pace import LEAST_S, SPAN_S, STILL_S, Pace
from hmz_backend.runs.throughput import Throughput

TILE_S = st.floats(0.05, 90.0)
AT_ONCE = st.integers(1, 8)


def ends(
    at_once: int, tile_s: float, *, count: int, loading_s: float = 0.0, uneven: float = 0.0
) -> Iterator[float]:
    """Yield when tiles end on `at_once` workers, each of which first loads the model."""
    free = [loading_s] * at_once
    for number in range(count):
        share = 1 + uneven * (2 * ((number * 7919) % 101) / 100 - 1)
        heapq.heappush(free, end := heapq.heappop(free) + tile_s * share)
        yield end


def fed(pace: Pace, times: Iterator[float], start_s: float = 0.0) -> list[float]:
    """Feed a pace one voxel at each time, and return every rate that it has told."""
    told = []
    for time in sorted(times):
        pace.add(1, 1, start_s + time)
        rate = pace.rate()
        told += [] if rate is None else [rate]
    return told


@given(AT_ONCE, TILE_S, st.floats(0, 120), st.floats(0, 0.3))
def test_no_rate_is_wild_however_long_the_model_loads(
    at_once: int, tile_s: float, loading_s: float, uneven: float
) -> None:
    true = at_once / tile_s
    count = int(4 * at_once + 3 * LEAST_S * true)
    times = ends(at_once, tile_s, count=count, loading_s=loading_s, uneven=uneven)
    told = fed(Pace(at_once), times)
    assert told
    assert all(true / 2.5 < rate < true * 2.5 for rate in told)


@given(AT_ONCE, st.floats(0.3, 90.0), st.floats(0, 0.3))
def test_the_rate_becomes_exact(at_once: int, tile_s: float, uneven: float) -> None:
    true = at_once / tile_s
    count = int(12 * at_once + 3 * SPAN_S * true)
    last = fed(Pace(at_once), ends(at_once, tile_s, count=count, uneven=uneven))[-1]
    assert abs(last / true - 1) < 0.25


@given(AT_ONCE, st.floats(0.05, 5.0), st.floats(60, 1e6))
def test_a_pause_does_not_count(at_once: int, tile_s: float, pause_s: float) -> None:
    true, pace = at_once / tile_s, Pace(at_once)
    before = list(ends(at_once, tile_s, count=int(8 * at_once + 5 * true)))
    fed(pace, iter(before))
    resumed_s = before[-1] + pause_s
    assert not pace.is_still(before[-1] + tile_s)
    assert pace.is_still(resumed_s)
    told = fed(pace, ends(at_once, tile_s, count=8 * at_once), resumed_s)
    assert all(true / 2 < rate < true * 2 for rate in told)
    assert not pace.is_still(resumed_s + 8 * tile_s)


@given(st.floats(0.1, 2.0), st.floats(0.1, 2.0))
def test_a_new_speed_is_told_after_a_minute(before_s: float, after_s: float) -> None:
    pace = Pace(1)
    fed(pace, ends(1, before_s, count=int(90 / before_s)))
    told = fed(pace, ends(1, after_s, count=int(2 * SPAN_S / after_s)), 90.0)
    assert abs(told[-1] * after_s - 1) < 0.1


@given(st.integers(1, 30))
def test_slow_tiles_are_no_pause(rounds: int) -> None:
    pace = Pace(2)
    fed(pace, ends(2, 300.0, count=2 * rounds + 2))
    assert not pace.is_still(300.0 * (rounds + 1) + 310)


def test_what_ends_together_is_kept_small() -> None:
    pace = Pace(2)
    for number in range(100_000):
        pace.add(1, 1, number * 0.001)
    assert len(pace._marks) <= SPAN_S / 0.25 + 2
    rate = pace.rate()
    assert rate is not None
    assert abs(rate - 1000) < 10


def test_the_slower_wall_tells_the_time_left() -> None:
    outlook = Outlook(at_once=1)
    for second in range(30):
        outlook.computed(100, 1, float(second))
        outlook.arrived(float(second))
    left = outlook.seconds_left(voxels=1000, chunks=0, awaits_chunks=False, now_s=29.0)
    assert left == 10
    left = outlook.seconds_left(voxels=1000, chunks=50, awaits_chunks=False, now_s=29.0)
    assert left == 50


def test_nobody_guesses_before_something_is_known() -> None:
    outlook = Outlook(at_once=2)
    left = outlook.seconds_left(voxels=1000, chunks=0, awaits_chunks=False, now_s=5.0)
    assert left is None
    assert outlook.voxels_per_s(5.0) is None


def test_an_earlier_run_tells_the_time_at_the_start_once_the_link_is_known() -> None:
    outlook = Outlook(at_once=2, usual_voxels_per_s=10.0)
    assert outlook.seconds_left(voxels=100, chunks=0, awaits_chunks=False, now_s=0.0) == 10
    assert outlook.seconds_left(voxels=100, chunks=9, awaits_chunks=True, now_s=0.0) is None
    for second in range(3 * CHUNKS_AT_ONCE):
        outlook.arrived(float(second))
    now_s = 3.0 * CHUNKS_AT_ONCE
    left = outlook.seconds_left(voxels=100, chunks=30, awaits_chunks=True, now_s=now_s)
    assert left == 30


def test_a_run_that_stands_still_promises_nothing() -> None:
    outlook = Outlook(at_once=1, usual_voxels_per_s=1000.0)
    for second in range(20):
        outlook.computed(100, 1, float(second))
    late = 19 + 2 * STILL_S
    assert outlook.voxels_per_s(late) == 0
    asked = {"voxels": 100, "chunks": 0, "now_s": late}
    assert outlook.seconds_left(awaits_chunks=False, **asked) is None  # type: ignore[arg-type] # mixed
    # the engine has nothing to do, which is no fault of its own
    assert outlook.seconds_left(awaits_chunks=True, **asked) == 1  # type: ignore[arg-type] # mixed


def test_only_a_busy_engine_teaches_its_speed() -> None:
    throughput = Throughput(at_once=2)
    throughput.note(0.0, done=7, under_way=4)
    throughput.note(60.0, done=9, under_way=4)  # the model was loaded in it
    throughput.note(62.0, done=11, under_way=4)
    throughput.note(64.0, done=13, under_way=0)
    throughput.note(99.0, done=13, under_way=4)  # the image was awaited
    throughput.note(101.0, done=15, under_way=1)
    assert (throughput.blocks, throughput.seconds) == (6, 6.0)
