"""Images as the channels of one: lazily, known again, and refused where they do not match."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile

from napari_hmz.errors import (
    AxesMismatch,
    DtypeUnsuitable,
    HmzError,
    SourceUnreadable,
    VoxelSizeMismatch,
)
from napari_hmz.sources import Source, open_source, open_stacked, stacked
from napari_hmz.sources.keys import key_of

SHAPE = (6, 40, 50)
NUCLEI = np.random.default_rng(1).integers(0, 200, SHAPE).astype(np.uint8)
MEMBRANE = np.random.default_rng(2).integers(0, 200, SHAPE).astype(np.uint8)


class Closed:
    """A source that notes that it was closed."""

    def __init__(self, source: Source) -> None:
        self._source, self.times = source, 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # whatever the source has
        return getattr(self._source, name)

    def close(self) -> None:
        self.times += 1
        self._source.close()


def _given(source: Source) -> Source:
    return source


def test_channels_stand_in_the_order_given_and_carry_names() -> None:
    source = stacked(
        [open_source(NUCLEI, name="a"), open_source(MEMBRANE, name="b")], ("nuclei", "membrane")
    )
    assert source.request.axes == ("c", "z", "y", "x")
    assert source.request.channel_names == ("nuclei", "membrane")
    np.testing.assert_array_equal(source.read({}), np.stack([NUCLEI, MEMBRANE]))
    np.testing.assert_array_equal(source.read({"c": (1, 2), "z": (3, 4)})[0, 0], MEMBRANE[3])


def test_channels_are_called_as_their_images_and_stand_behind_time() -> None:
    images = [open_source(NUCLEI, axes="tyx", name=name) for name in "ab"]
    source = stacked(images)
    assert source.request.axes == ("t", "c", "y", "x")
    assert source.request.channel_names == ("a", "b")


def test_a_chunk_reads_one_channel_alone_and_no_more_of_it_than_itself() -> None:
    computed: list[str] = []

    def lazily(name: str, array: Any) -> Source:  # noqa: ANN401 # an array
        def noted(block: Any) -> Any:  # noqa: ANN401 # dask's own
            computed.append(name)
            return block

        lazy = da.from_array(array, chunks=(1, 40, 50)).map_blocks(noted, dtype=np.uint8)
        return open_source(lazy, axes="zyx", chunks={"z": 1, "y": 40, "x": 50})

    source = stacked([lazily("nuclei", NUCLEI), lazily("membrane", MEMBRANE)])
    computed.clear()
    assert source.chunk(key_of(source.request, (1, 2, 0, 0)))
    assert computed == ["membrane"]


def test_the_same_images_are_known_again_and_others_are_not() -> None:
    def of(*arrays: Any) -> str:  # noqa: ANN401 # arrays
        return stacked([open_source(array) for array in arrays]).request.fingerprint

    assert of(NUCLEI, MEMBRANE) == of(NUCLEI, MEMBRANE)
    assert len({of(NUCLEI, MEMBRANE), of(MEMBRANE, NUCLEI), of(NUCLEI, NUCLEI)}) == 3


REFUSED: dict[str, tuple[Callable[[], Source], type[HmzError], str]] = {
    "extents": (lambda: open_source(MEMBRANE[:5]), AxesMismatch, "z 5"),
    "axes": (lambda: open_source(MEMBRANE, axes="tyx"), AxesMismatch, "t 6"),
    "channels": (lambda: open_source(MEMBRANE, axes="cyx"), AxesMismatch, "channels of its own"),
    "data type": (lambda: open_source(MEMBRANE.astype(np.uint16)), DtypeUnsuitable, "uint16"),
    "voxel size": (
        lambda: open_source(MEMBRANE, voxel_size={"z": 2.0}),
        VoxelSizeMismatch,
        "along z: 1 pixel and 2 pixel",
    ),
    "unit": (
        lambda: open_source(MEMBRANE, units={"x": "micrometer"}),
        VoxelSizeMismatch,
        "1 micrometer",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_match_is_refused_and_all_is_closed(case: str) -> None:
    make, error, words = REFUSED[case]
    opened = [Closed(open_source(NUCLEI, name="nuclei")), Closed(make())]
    with pytest.raises(error, match=words):
        open_stacked([partial(_given, one) for one in opened])
    assert [one.times for one in opened] == [1, 1]


def test_none_are_no_image() -> None:
    with pytest.raises(AxesMismatch):
        stacked([])


def test_an_image_that_cannot_be_opened_leaves_none_open(tmp_path: Path) -> None:
    first = Closed(open_source(NUCLEI))
    with pytest.raises(SourceUnreadable):
        open_stacked([lambda: first, lambda: open_source(tmp_path / "none.tif")])
    assert first.times == 1


def test_closing_closes_every_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", NUCLEI, metadata={"axes": "ZYX"})
    opened = [Closed(open_source(tmp_path / "a.tif")) for _ in range(2)]
    stacked(opened).close()
    assert [one.times for one in opened] == [1, 1]
