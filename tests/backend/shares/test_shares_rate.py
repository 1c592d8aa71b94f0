"""Requests come at the rate that is allowed, whatever is sent; each person has one of their own."""

from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.shares.rate import Rate

A, B = ("i", "a"), ("i", "b")


def test_some_come_at_once_and_the_rest_at_the_rate() -> None:
    rate = Rate(10.0, allowance_s=2.0)
    waits_s = []
    for _ in range(30):
        waits_s.append(rate.wait_s(A, 5.0))
        rate.count(A, 5.0)
    assert waits_s[:21] == [0.0] * 21
    assert [round(wait_s, 6) for wait_s in waits_s[21:24]] == [0.1, 0.2, 0.3]
    assert rate.wait_s(B, 5.0) == 0
    assert rate.wait_s(A, 100.0) == 0


@given(st.floats(0.5, 500), st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_in_any_span_no_more_than_the_rate_and_the_allowance(
    per_s: float, pauses_s: list[float]
) -> None:
    rate, now_s, let_in_s = Rate(per_s, allowance_s=1.0), 0.0, []
    for pause_s in pauses_s:
        now_s += pause_s
        if not rate.wait_s(A, now_s):
            let_in_s.append(now_s)
            rate.count(A, now_s)
    for first, began_s in enumerate(let_in_s):
        for last in range(first, len(let_in_s)):
            allowed = 1 + per_s * (let_in_s[last] - began_s + 1.0)
            assert last - first + 1 <= allowed + 1 + 1e-6


def test_who_was_quiet_is_forgotten() -> None:
    rate = Rate(10.0)
    for number in range(3000):
        rate.count(("i", str(number)), float(number))
    assert len(rate._due_s) < 1100


def test_without_a_limit_nobody_waits() -> None:
    rate = Rate(0.0)
    for _ in range(100):
        rate.count(A, 1.0)
    assert rate.wait_s(A, 1.0) == 0
