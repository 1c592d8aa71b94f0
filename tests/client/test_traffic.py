import threading

import pytest

from napari_hmz.transfer import Traffic
from napari_hmz.transfer.traffic import Counts, Meter


class Clock:
    """Stands still unless it is set."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_meter_counts_who_is_still_at_it() -> None:
    clock = Clock()
    meter = Meter(clock)
    with meter.running():
        clock.now_s += 2.0
        assert meter.spent_s == pytest.approx(2.0)
        with meter.running():
            clock.now_s += 1.0
            assert meter.spent_s == pytest.approx(4.0)
    clock.now_s += 7.0
    assert meter.spent_s == pytest.approx(4.0)


def test_a_meter_stops_when_the_work_fails() -> None:
    clock = Clock()
    meter = Meter(clock)
    with pytest.raises(OSError, match="torn"), meter.running():
        raise OSError("torn")
    clock.now_s += 7.0
    assert meter.spent_s == 0


def test_counts_of_many_threads_add_up() -> None:
    traffic = Traffic()

    def carry() -> None:
        for _ in range(100):
            traffic.sent(10)
            traffic.fetched(3)
        traffic.announced_absent(2)

    threads = [threading.Thread(target=carry) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert traffic.counts == Counts(400, 4000, 8, 400, 1200)
