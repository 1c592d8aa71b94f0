"""Chunks of a volume: keys as zarr writes them, and exactly those that are needed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmz_backend.planning import (
    block_chunks,
    blocks,
    chunk_blocks,
    chunk_region,
    chunks_touching,
    plan_chunks,
    tile_part,
)
from hmz_backend.testing.planned import a_model, a_plan, an_image, image_output
from napari_hmz.errors import ChunkRejected
from napari_hmz.schema import AxisName, Region, Sizes, VolumeRequest, intersection

AXES: tuple[AxisName, ...] = ("c", "y", "x")

EXAMPLES = settings(max_examples=60, deadline=None)  # a busy machine is no failure


@st.composite
def volumes(draw: st.DrawFn) -> VolumeRequest:
    shape: Sizes = {axis: draw(st.integers(1, 4 if axis == "c" else 20)) for axis in AXES}
    chunks: Sizes = {axis: draw(st.integers(1, 9)) for axis in AXES}
    return an_image(shape, chunks)


def all_keys(volume: VolumeRequest) -> list[str]:
    return chunks_touching(volume, {})


def meet(first: Region, second: Region) -> bool:
    return all(low < high for low, high in intersection(first, second).values())


@EXAMPLES
@given(volumes(), st.data())
def test_chunks_touching_is_exactly_what_is_needed(
    volume: VolumeRequest, data: st.DataObject
) -> None:
    region: Region = {}
    for axis in AXES:
        low = data.draw(st.integers(-3, volume.shape[axis] + 2))
        region[axis] = (low, data.draw(st.integers(low, volume.shape[axis] + 3)))
    needed = [key for key in all_keys(volume) if meet(chunk_region(volume, key), region)]
    assert chunks_touching(volume, region) == needed


@EXAMPLES
@given(volumes())
def test_chunks_partition_the_volume(volume: VolumeRequest) -> None:
    voxels = 0
    for key in all_keys(volume):
        size = 1
        for low, high in chunk_region(volume, key).values():
            size *= high - low
        voxels += size
    assert voxels == volume.shape["c"] * volume.shape["y"] * volume.shape["x"]


@EXAMPLES
@given(volumes(), st.data())
def test_blocks_and_chunks_need_each_other(volume: VolumeRequest, data: st.DataObject) -> None:
    channels = data.draw(
        st.lists(st.integers(0, volume.shape["c"] - 1), min_size=1, max_size=2, unique=True)
    )
    card = a_model(
        ("c", "y", "x"),
        channels=[str(channel) for channel in channels],
        outputs=[image_output(("y", "x"))],
        preferred={"y": 7, "x": 9},
        halo={"y": 2, "x": 1},
    )
    plan = a_plan(card, volume, channels=channels)
    needed: dict[str, set[int]] = {}
    for block in blocks(plan):
        for key in block_chunks(plan, volume, block):
            needed.setdefault(key, set()).add(block.index)
            channel = chunk_region(volume, key)["c"]
            assert any(channel[0] <= wanted < channel[1] for wanted in channels)
            assert meet(chunk_region(volume, key), tile_part(plan, block))
    assert sorted(plan_chunks(plan, volume)) == sorted(needed)
    assert plan.chunks_needed == len(needed)
    for key in all_keys(volume):
        assert chunk_blocks(plan, volume, key) == sorted(needed.get(key, set()))


@pytest.mark.parametrize(
    ("zarr_format", "document", "key"),
    [
        (2, {}, "0.1"),
        (2, {"dimension_separator": "/"}, "0/1"),
        (3, {}, "c/0/1"),
        (3, {"chunk_key_encoding": {"name": "default"}}, "c/0/1"),
        (
            3,
            {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}}},
            "c.0.1",
        ),
        (3, {"chunk_key_encoding": {"name": "v2"}}, "0.1"),
        (3, {"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "/"}}}, "0/1"),
    ],
)
def test_keys_are_written_as_zarr_does(
    zarr_format: int, document: dict[str, Any], key: str
) -> None:
    volume = an_image(
        {"y": 4, "x": 9}, {"y": 4, "x": 4}, document=document, zarr_format=zarr_format
    )
    assert chunks_touching(volume, {"x": (5, 6)}) == [key]
    assert chunk_region(volume, key) == {"y": (0, 4), "x": (4, 8)}


@pytest.mark.parametrize(
    "key",
    [
        "",
        "c",
        "c/0",
        "c/0/3",
        "c/1/0",
        "c/0/00",
        "c/0/-1",
        "c/0/1/0",
        "0/1",
        "c/0/x",
        "c/../c/0/0",
        "c/0/٣",
        "c/0/" + "9" * 5000,
    ],
)
def test_keys_that_name_no_chunk_are_rejected(key: str) -> None:
    with pytest.raises(ChunkRejected):
        chunk_region(an_image({"y": 4, "x": 9}, {"y": 4, "x": 4}), key)
