import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from numcodecs import Zstd
from zarr.codecs import GzipCodec, ZstdCodec
from zarr.storage import MemoryStore

from napari_hmz.errors import (
    AxesMismatch,
    DtypeUnsuitable,
    HmzError,
    SourceUnreadable,
    VolumeEmpty,
)
from napari_hmz.sources import open_source, reopen
from napari_hmz.sources.rechunk import RechunkedSource
from napari_hmz.sources.verbatim import VerbatimSource
from napari_hmz.testing.source_contract import keys_of, received

SHAPE = (4, 20, 30)


def stored(path: Path, **how: Any) -> "zarr.Array[Any]":  # noqa: ANN401 # what zarr takes
    wanted: dict[str, Any] = {"shape": SHAPE, "chunks": (2, 10, 10), "dtype": "uint16"} | how
    array = zarr.create_array(path, **wanted)
    array[...] = np.arange(np.prod(wanted["shape"])).reshape(wanted["shape"])
    return array


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_travel_as_they_are_stored(tmp_path: Path, zarr_format: int) -> None:
    stored(tmp_path / "a", zarr_format=zarr_format)
    source = open_source(tmp_path / "a")
    assert isinstance(source, VerbatimSource)
    for key in keys_of(source.request):
        assert source.chunk(key) == (tmp_path / "a" / key).read_bytes()


def test_what_the_store_does_not_hold_is_not_sent(tmp_path: Path) -> None:
    stored(tmp_path / "a", zarr_format=2, fill_value=9)
    (tmp_path / "a" / "0.0.0").unlink()
    source = open_source(tmp_path / "a")
    assert source.chunk("0.0.0") is None
    assert (received(source)[:2, :10, :10] == 9).all()
    assert (source.read({"z": (0, 2), "y": (0, 10), "x": (0, 10)}) == 9).all()


def test_attributes_of_the_user_stay_at_home(tmp_path: Path) -> None:
    array = stored(tmp_path / "a")
    array.attrs["patient"] = "secret"
    assert "secret" not in open_source(array).request.model_dump_json()


def test_what_went_through_filters_is_encoded_anew(tmp_path: Path) -> None:
    from numcodecs import Delta

    array = stored(tmp_path / "a", zarr_format=2, filters=[Delta(dtype="<u2")])
    source = open_source(array)
    assert isinstance(source, RechunkedSource)
    np.testing.assert_array_equal(received(source), array[...])


def test_a_chunk_of_one_channel_travels_as_it_is(tmp_path: Path) -> None:
    array = stored(tmp_path / "a", shape=(3, *SHAPE), chunks=(1, 2, 10, 10))
    source = open_source(array, axes="czyx", channel=2)
    assert isinstance(source, VerbatimSource)
    assert source.request.axes == ("z", "y", "x")
    assert source.chunk("c/0/1/2") == (tmp_path / "a/c/2/0/1/2").read_bytes()


def test_a_channel_and_a_time_point_are_taken_together(tmp_path: Path) -> None:
    array = stored(tmp_path / "a", shape=(2, 3, *SHAPE), chunks=(1, 1, 2, 10, 10))
    source = open_source(array, axes="tczyx", channel=1, time=1)
    np.testing.assert_array_equal(received(source), array[1, 1])
    assert source.chunk("c/0/0/0") == (tmp_path / "a/c/1/1/0/0/0").read_bytes()


def test_axes_come_from_the_array_else_from_the_caller_else_from_a_guess(tmp_path: Path) -> None:
    named = stored(tmp_path / "a", dimension_names=["Time", "row", "X"])
    assert open_source(named).request.axes == ("t", "y", "x")
    assert open_source(named, axes="cyx").request.axes == ("c", "y", "x")
    assert open_source(stored(tmp_path / "b")).request.axes == ("z", "y", "x")
    xarray = stored(tmp_path / "c", zarr_format=2)
    xarray.attrs["_ARRAY_DIMENSIONS"] = ["channel", "y", "x"]
    assert open_source(xarray).request.axes == ("c", "y", "x")


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"axes": "zy"}, AxesMismatch),
        ({"axes": "zyy"}, AxesMismatch),
        ({"axes": "zyq"}, AxesMismatch),
        ({"axes": "tcz"}, AxesMismatch),
        ({"channel": 0}, AxesMismatch),
        ({"axes": "cyx", "channel": 4}, AxesMismatch),
        ({"axes": "cyx", "channel": -1}, AxesMismatch),
        ({"axes": "cyx", "channel": "DAPI"}, AxesMismatch),
        ({"time": 0}, AxesMismatch),
        ({"voxel_size": {"t": 1.0}}, AxesMismatch),
        ({"voxel_size": {"z": 0.0}}, SourceUnreadable),
        ({"voxel_size": {"z": float("nan")}}, SourceUnreadable),
        ({"dtypes": ("uint8", "int16")}, DtypeUnsuitable),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, how: dict[str, Any], error: type[HmzError]
) -> None:
    array = stored(tmp_path / "a")
    with pytest.raises(error):
        open_source(array, **how)


def test_nothing_is_guessed_of_four_axes() -> None:
    with pytest.raises(AxesMismatch, match="--axes"):
        open_source(np.zeros((2, 3, 4, 5)))


@pytest.mark.parametrize("shape", [(0, 4, 4), (4, 0)])
def test_an_image_without_voxels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(VolumeEmpty):
        open_source(np.zeros(shape))
    with pytest.raises(VolumeEmpty):
        open_source(da.zeros(shape))
    with pytest.raises(VolumeEmpty):
        open_source(zarr.create_array(MemoryStore(), shape=shape, dtype="u1"))


@pytest.mark.parametrize(
    "array",
    [
        np.array([[{}, 1]], dtype=object),
        np.zeros((2, 2), np.complex64),
        np.zeros((2, 2), "M8[s]"),
        np.zeros((2, 2), [("a", "u1")]),
        np.array([["a"]]),
        np.zeros((2, 2), np.longdouble),
    ],
    ids=lambda array: str(array.dtype),
)
def test_what_is_no_plain_number_is_refused(array: "np.ndarray[Any, Any]") -> None:
    with pytest.raises(DtypeUnsuitable):
        open_source(array)
    with pytest.raises(DtypeUnsuitable):
        open_source(da.from_array(array, chunks=-1))


@pytest.mark.parametrize(
    ("stored_as", "accepted", "sent"),
    [
        ("uint8", ("uint16", "float32"), "uint16"),
        ("uint8", ("float32", "int16"), "int16"),
        ("bool", ("uint8", "uint16"), "uint8"),
        ("uint16", ("uint8", "float32"), "float32"),
        ("float32", ("float32",), "float32"),
        ("uint32", ("float32", "float64"), "float64"),
    ],
)
def test_widening_takes_the_smallest_type_that_loses_nothing(
    stored_as: str, accepted: tuple[str, ...], sent: str
) -> None:
    assert open_source(np.zeros((2, 2), stored_as), dtypes=accepted).request.dtype == sent


@pytest.mark.parametrize("dtype", ["float64", "uint32", "int64"])
def test_narrowing_is_refused(dtype: str) -> None:
    with pytest.raises(DtypeUnsuitable, match=dtype):
        open_source(np.zeros((2, 2), dtype), dtypes=("uint16", "float32"))


def test_the_fingerprint_stays_until_something_changes(tmp_path: Path) -> None:
    array = stored(tmp_path / "a")
    first = open_source(tmp_path / "a").request.fingerprint
    assert open_source(tmp_path / "a").request.fingerprint == first
    assert open_source(array).request.fingerprint == first
    other = open_source(tmp_path / "a", voxel_size={"z": 2.0}).request.fingerprint
    assert other != first
    array[0, 0, 0] = 77
    assert open_source(tmp_path / "a").request.fingerprint != first


def test_a_chunk_changed_in_place_changes_the_fingerprint(tmp_path: Path) -> None:
    stored(tmp_path / "a")
    first = open_source(tmp_path / "a").request.fingerprint
    chunk = tmp_path / "a/c/0/0/0"
    before, content = chunk.stat(), chunk.read_bytes()
    with chunk.open("r+b") as file:
        file.write(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(chunk, ns=(before.st_atime_ns, before.st_mtime_ns))  # the inode, size and time of old
    assert open_source(tmp_path / "a").request.fingerprint != first


def test_other_channels_have_other_fingerprints(tmp_path: Path) -> None:
    array = stored(tmp_path / "a")
    first = open_source(array, axes="cyx", channel=0).request.fingerprint
    assert open_source(array, axes="cyx", channel=1).request.fingerprint != first


def test_arrays_in_memory_are_told_by_their_content() -> None:
    array = np.arange(12).reshape(3, 4)
    same = open_source(array).request.fingerprint
    assert open_source(np.asfortranarray(array)).request.fingerprint == same
    assert open_source(array.astype("u4")).request.fingerprint != same
    assert open_source(array.reshape(4, 3)).request.fingerprint != same
    assert open_source(array + 1).request.fingerprint != same
    lazy = da.from_array(array)
    assert open_source(lazy).request.fingerprint == open_source(lazy).request.fingerprint
    assert open_source(lazy).request.fingerprint != open_source(lazy + 1).request.fingerprint


def test_a_dask_array_over_zarr_is_that_zarr_array(tmp_path: Path) -> None:
    array = stored(tmp_path / "a")
    lazy = da.from_zarr(str(tmp_path / "a"))
    assert open_source(lazy).request == open_source(tmp_path / "a").request.model_copy(
        update={"name": ""}
    )
    assert isinstance(open_source(lazy), VerbatimSource)
    for other in (lazy + 1, lazy[1:], lazy[..., ::-1], lazy.astype("u4")):
        np.testing.assert_array_equal(received(open_source(other)), other.compute())
        assert not isinstance(open_source(other), VerbatimSource)
    assert array.shape == SHAPE


def test_a_dask_array_is_another_once_the_file_behind_it_changes(tmp_path: Path) -> None:
    array = stored(tmp_path / "a")
    first = open_source(da.from_zarr(str(tmp_path / "a")) + 1).request.fingerprint
    assert open_source(da.from_zarr(str(tmp_path / "a")) + 1).request.fingerprint == first
    array[0, 0, 0] = 77
    assert open_source(da.from_zarr(str(tmp_path / "a")) + 1).request.fingerprint != first


def test_a_dask_array_that_reads_files_itself_is_never_taken_for_an_old_one() -> None:
    lazy = da.map_blocks(np.ones, (2, 2), dtype="f4", chunks=((2,), (2,)))
    assert open_source(lazy).request.fingerprint != open_source(lazy).request.fingerprint


def test_what_nothing_tells_apart_is_never_taken_for_the_same() -> None:
    class Lazy:
        shape, dtype = (2, 2), np.dtype("u1")

        def __getitem__(self, box: tuple[slice, ...]) -> object:
            return np.zeros((2, 2), "u1")[box]

    lazy = Lazy()
    assert open_source(lazy).request.fingerprint != open_source(lazy).request.fingerprint


def test_a_damaged_chunk_is_told_when_it_is_read(tmp_path: Path) -> None:
    stored(tmp_path / "a", compressors=[GzipCodec()])
    (tmp_path / "a/c/0/0/0").write_bytes(b"not gzip")
    source = open_source(tmp_path / "a")
    with pytest.raises(SourceUnreadable) as caught:
        source.read({})
    file = tmp_path / "a/c/0/0/0"
    told = f"Chunk c/0/0/0 (z 0:2, y 0:10, x 0:10), stored in {file}, is damaged"
    assert caught.value.detail.startswith(told)


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    stored(tmp_path / "a", compressors=[ZstdCodec()])
    (tmp_path / "a/c/0/0/0").write_bytes(bytes(Zstd().encode(bytes(2**28))))
    source = open_source(tmp_path / "a")
    tracemalloc.start()
    try:
        with pytest.raises(SourceUnreadable, match="announced 400 bytes"):
            source.read({})
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "address",
    ["missing.zarr", "missing.tif", "empty", "broken.zarr", "file.xyz", "text.zarr.zip"],
)
def test_what_cannot_be_opened_is_told(tmp_path: Path, address: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zarr").mkdir()
    (tmp_path / "broken.zarr" / "zarr.json").write_text(json.dumps({"zarr_format": 3}))
    (tmp_path / "file.xyz").write_text("x")
    (tmp_path / "text.zarr.zip").write_text("x")
    with pytest.raises(SourceUnreadable) as caught:
        open_source(tmp_path / address)
    assert caught.value.remedy


def test_a_source_is_returned_as_it_is() -> None:
    source = open_source(np.zeros((2, 2)))
    assert open_source(source) is source


def test_what_is_no_image_at_all_is_refused() -> None:
    for thing in (42, None, {"a": 1}, b"bytes", [1.0, 2.0], []):
        with pytest.raises(SourceUnreadable):
            open_source(thing)


def test_a_list_of_arrays_is_a_pyramid() -> None:
    levels = [np.zeros((8, 8)), np.ones((4, 4))]
    assert open_source(levels, level=1).request.shape == {"y": 4, "x": 4}
    with pytest.raises(SourceUnreadable, match="level 2"):
        open_source(levels, level=2)


def test_an_origin_opens_the_same_selection(tmp_path: Path) -> None:
    stored(tmp_path / "a")
    source = open_source(tmp_path / "a", axes="cyx", channel=1, units={"x": "nanometer"}, name="n")
    assert source.origin is not None
    assert reopen(source.origin).request == source.request
    assert open_source(np.zeros((2, 2))).origin is None


@pytest.mark.parametrize("thing", [[[1, 2], [3, 4]], [1, 2], ((1.0, 2.0),), []])
def test_a_list_of_numbers_is_not_taken_for_levels(thing: object) -> None:
    with pytest.raises(SourceUnreadable) as raised:
        open_source(thing)
    if thing:
        assert "numpy.asarray" in raised.value.remedy
