from hypothesis import given
from hypothesis import strategies as st

from napari_hmz.memory import MemoryBudget
from napari_hmz.transfer import lanes

MIB = 2**20


@given(
    chunk_bytes=st.integers(1, 64 * MIB),
    rtt_s=st.floats(0, 10),
    most=st.integers(1, 64),
    more_s=st.floats(0, 1),
)
def test_longer_links_get_more_lanes_within_limits(
    chunk_bytes: int, rtt_s: float, most: int, more_s: float
) -> None:
    found = lanes(chunk_bytes, rtt_s=rtt_s, most=most)
    assert 1 <= found <= most
    assert lanes(chunk_bytes, rtt_s=rtt_s + more_s, most=most) >= found


def test_a_gigabit_link_stays_full_while_each_chunk_waits_for_its_answer() -> None:
    for rtt_s in (0.0, 0.02, 0.1):
        found = lanes(MIB, rtt_s=rtt_s, most=64)
        assert (found - 1) * MIB / 2 >= 125e6 * rtt_s
    assert lanes(MIB, rtt_s=0, most=64) == 6


@given(total_bytes=st.integers(64 * MIB, 2**40), chunk_bytes=st.integers(1, 64 * MIB))
def test_what_is_under_way_and_what_is_kept_stay_within_the_budget(
    total_bytes: int, chunk_bytes: int
) -> None:
    budget = MemoryBudget(total_bytes)
    at_once = budget.chunks_at_once(chunk_bytes)
    one_way = max(4 * chunk_bytes * at_once, 0)
    if at_once > 1:
        assert budget.pieces_bytes + 2 * one_way <= 3 * total_bytes / 4
