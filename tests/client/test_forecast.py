"""What a run takes of this machine: bytes by a sample, the wall by name, the disk."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from napari_hmz.errors import DiskFull
from napari_hmz.forecast import Forecast, check_disk, forecast, rows
from napari_hmz.schema import OutputArray, Plan
from napari_hmz.sources import Source, open_source

SHAPE = (64, 64, 64)
LABELS = OutputArray(
    name="labels",
    kind="instance-labels",
    axes=("z", "y", "x"),
    shape={"z": 64, "y": 64, "x": 64},
    chunks={"z": 32, "y": 32, "x": 32},
    dtype="uint32",
)


def image(*, noise: bool = True) -> Source:
    values = np.random.default_rng(0).integers(0, 255, SHAPE) if noise else np.ones(SHAPE)
    return open_source(values.astype(np.uint8), axes="zyx")


def planned(*, seconds: float | None = None, chunks: int = 8) -> Plan:
    return Plan(
        model="m", version="1", region={"z": (0, 64), "y": (0, 64), "x": (0, 64)},
        block={"z": 32, "y": 32, "x": 32}, halo={}, tile={"z": 32, "y": 32, "x": 32}, grid={},
        blocks=8, voxels=64**3, outputs=(LABELS,), chunks_needed=chunks,
        bytes_up=64**3 if chunks else 0, bytes_down=4 * 64**3, memory_bytes=10, seconds=seconds,
        measured=True,
    )  # fmt: skip # what matters stands first


def foreseen(
    plan: Plan,
    source: Source | None = None,
    *,
    place: Path | None = None,
    link: float | None = None,
    with_image: bool = False,
) -> Forecast:
    return forecast(
        plan,
        source or image(),
        place=place,
        memory_bytes=2**30,
        link_bytes_per_s=link,
        with_image=with_image,
    )


def test_bytes_up_are_those_of_a_sample() -> None:
    noisy, flat = foreseen(planned()), foreseen(planned(), image(noise=False))
    assert 0.9 * 64**3 < noisy.bytes_up_likely <= noisy.bytes_up == 64**3
    assert flat.bytes_up_likely < 0.05 * flat.bytes_up


def test_a_queue_is_told_where_there_is_one() -> None:
    assert "queue" not in rows(foreseen(planned()))
    waits = planned().model_copy(update={"position": 3, "wait_s": 120.0})
    assert rows(foreseen(waits))["queue"].startswith("place 3")
    assert "2 min 00 s" in rows(foreseen(waits))["queue"]


def test_labels_are_expected_to_be_packed_well() -> None:
    found = foreseen(planned())
    assert 0 < found.bytes_down_likely < 0.1 * found.bytes_down


@pytest.mark.parametrize(
    ("seconds", "link", "wall"),
    [(100.0, 1e6, "engine"), (0.001, 1e3, "link"), (None, 1e3, ""), (9.0, None, "")],
)
def test_the_slower_wall_is_named(seconds: float | None, link: float | None, wall: str) -> None:
    found = foreseen(planned(seconds=seconds), link=link)
    assert found.wall == wall
    assert (f"the {wall} is the wall" in rows(found)["time"]) == bool(wall)
    if wall == "link":
        assert found.seconds_likely == found.link_seconds


def test_what_is_held_is_not_read_or_sent() -> None:
    found = foreseen(planned(chunks=0, seconds=5.0))
    assert found.bytes_up_likely == 0
    assert "nothing" in rows(found)["to send"]
    assert rows(found)["time"] == "computing 5.0 s (as measured here)"


def test_the_disk_is_looked_at_where_the_output_goes(tmp_path: Path) -> None:
    found = foreseen(planned(), place=tmp_path / "not" / "there.zarr")
    assert found.disk_free_bytes
    assert 0 < found.disk_likely_bytes < found.disk_bytes
    assert "free" in rows(found)["disk"]
    check_disk(found)
    bigger = foreseen(planned(), place=tmp_path, with_image=True)
    assert bigger.disk_likely_bytes - found.disk_likely_bytes > 64**3


def test_too_small_a_disk_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    found = foreseen(planned(), place=tmp_path)
    with pytest.raises(DiskFull, match="are free there"):
        check_disk(found.model_copy(update={"disk_free_bytes": 1000}))


def test_without_an_output_no_disk_is_needed() -> None:
    found = foreseen(planned())
    assert (found.disk_bytes, found.disk_free_bytes) == (0, None)
    assert "disk" not in rows(found)
    check_disk(found)


def test_a_run_that_begins_reads_no_chunk_for_it(tmp_path: Path) -> None:
    class Unread:
        request = image().request

    found = forecast(
        planned(),
        cast("Source", Unread()),
        place=tmp_path,
        memory_bytes=2**30,
        link_bytes_per_s=None,
        with_image=True,
        sampled=False,
    )
    assert 0 < found.disk_likely_bytes < found.disk_bytes
