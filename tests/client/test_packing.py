from dataclasses import replace

import numpy as np

from napari_hmz.sources import open_source
from napari_hmz.testing.source_contract import received
from napari_hmz.transfer.packing import LEVELS, Packing, Packs
from napari_hmz.transfer.traffic import Counts

MB = 10**6


class Uploading:
    """An upload of which only the figures are there."""

    def __init__(self, rtt_s: float) -> None:
        self.packing, self.counts, self.now_s = Packing(rtt_s), Counts(), 100.0
        self.packing.look(self.counts, self.now_s)

    def after(self, *, bytes_per_s: float, reading_part: float, seconds: int = 8) -> str:
        """Return the level after some seconds, with this part of the time spent reading."""
        for _ in range(seconds):
            self.now_s += 1
            self.counts = replace(
                self.counts,
                chunks_up=self.counts.chunks_up + 16,
                bytes_up=self.counts.bytes_up + int(bytes_per_s),
                reading_s=self.counts.reading_s + 6 * reading_part,
                sending_s=self.counts.sending_s + 6 * (1 - reading_part),
            )
            self.packing.look(self.counts, self.now_s)
        return f"{self.packing.level.name} {self.packing.level.level}"


def test_a_near_backend_gets_what_is_packed_fastest() -> None:
    assert Uploading(0.001).after(bytes_per_s=900 * MB, reading_part=0.5) == "lz4 5"
    assert Uploading(0.02).after(bytes_per_s=900 * MB, reading_part=0.5) == "lz4 5"


def test_the_slower_the_link_the_harder_it_is_packed() -> None:
    for rate, level in ((100, "zstd 1"), (10, "zstd 7"), (1, "zstd 9")):
        for rtt_s in (0.001, 0.1):
            assert Uploading(rtt_s).after(bytes_per_s=rate * MB, reading_part=0.02) == level


def test_a_link_is_never_left_empty_for_the_sake_of_packing() -> None:
    upload = Uploading(0.1)
    assert upload.after(bytes_per_s=1 * MB, reading_part=0.02) == "zstd 9"
    assert upload.after(bytes_per_s=1 * MB, reading_part=0.8) == "lz4 5"


def test_between_the_limits_it_stays() -> None:
    assert Uploading(0.1).after(bytes_per_s=1 * MB, reading_part=0.2) == "zstd 1"


def test_few_chunks_tell_nothing() -> None:
    packing = Packing(0.1)
    assert not packing.look(Counts(chunks_up=15, bytes_up=15, sending_s=15.0), 3.0)
    assert packing.level == LEVELS[1]


def test_every_level_is_read_under_the_same_announcement() -> None:
    array = np.random.default_rng(0).poisson(100, (20, 70, 80)).astype(np.uint16)
    source = open_source(array)
    assert isinstance(source, Packs)
    announced, sizes = source.request, []
    for level in LEVELS:
        source.pack(level.name, level.level)
        np.testing.assert_array_equal(received(source), array)
        body = source.chunk("c/0/0/0")
        assert body is not None
        sizes.append(len(body))
        assert source.request == announced
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0]
