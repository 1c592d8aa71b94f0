"""What a link carries: learnt only while it is full."""

from pathlib import Path

import pytest

from napari_hmz.link_rate import LinkMeter, LinkRates
from napari_hmz.transfer import Traffic
from napari_hmz.transfer.traffic import Counts


def measured(*, sending: float, reading: float, bytes_per_s: int = 1000) -> float | None:
    """Return the rate after twenty seconds in which so many threads send and read."""
    meter = LinkMeter()
    for second in range(21):
        meter.note(
            float(second),
            Counts(
                bytes_up=second * bytes_per_s,
                sending_s=second * sending,
                reading_s=second * reading,
            ),
        )
    return meter.bytes_per_s


def test_a_full_link_tells_its_rate() -> None:
    assert measured(sending=6.0, reading=0.1) == pytest.approx(1000)


@pytest.mark.parametrize(("sending", "reading"), [(0.3, 0.0), (1.0, 3.0), (0.0, 0.0)])
def test_a_link_that_waits_tells_nothing(sending: float, reading: float) -> None:
    assert measured(sending=sending, reading=reading) is None


def test_the_rate_follows_the_link() -> None:
    meter = LinkMeter()
    sent = 0
    for second in range(60):
        sent += 1000 if second < 10 else 100
        meter.note(float(second), Counts(bytes_up=sent, sending_s=second * 6.0))
    assert meter.bytes_per_s == pytest.approx(100, rel=0.01)


def test_a_backend_that_was_busy_is_not_taken_for_the_link() -> None:
    meter, now_s, sent = LinkMeter(), 0.0, 0
    for chunk in range(60):
        now_s += 10.0 if chunk % 10 == 9 else 0.5
        sent += 1000
        meter.note(now_s, Counts(bytes_up=sent, sending_s=6 * now_s))
    assert meter.bytes_per_s == pytest.approx(2000)


def test_a_few_chunks_tell_nothing() -> None:
    meter = LinkMeter()
    for second in range(10):
        meter.note(float(second), Counts(bytes_up=second * 1000, sending_s=second * 6.0))
    assert meter.bytes_per_s is None


def test_traffic_that_waits_for_nothing_has_no_rate() -> None:
    traffic = Traffic()
    traffic.sent(100)
    traffic.sent(100)
    assert traffic.link_bytes_per_s is None


def test_rates_are_kept_by_backend(tmp_path: Path) -> None:
    rates = LinkRates(tmp_path / "state" / "links.json")
    assert rates.get("https://a") is None
    rates.put("https://a", 5e6)
    rates.put("https://b", 7e6)
    rates.put("https://b", None)
    again = LinkRates(tmp_path / "state" / "links.json")
    assert (again.get("https://a"), again.get("https://b")) == (5e6, 7e6)
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["links.json"]


@pytest.mark.parametrize("content", ["", "[1]", '{"https://a": "fast"}', '{"https://a": -1}'])
def test_a_damaged_file_is_no_measurement(tmp_path: Path, content: str) -> None:
    file = tmp_path / "links.json"
    file.write_text(content)
    assert LinkRates(file).get("https://a") is None
    LinkRates(file).put("https://a", 3.0)
    assert LinkRates(file).get("https://a") == 3
