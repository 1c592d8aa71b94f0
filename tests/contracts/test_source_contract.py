from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec, TransposeCodec

from napari_hmz.sources import Source, open_source, stacked
from napari_hmz.testing.fake_source import FakeSource
from napari_hmz.testing.source_contract import SourceContract

SHAPE = (7, 33, 40)


def pixels(dtype: str = "uint16") -> NDArray[Any]:
    values = np.random.default_rng(0).integers(0, 100, SHAPE)
    values[:4, :16, :16] = 0  # one chunk of zeros, which need not be sent
    return (values % 2 if dtype == "bool" else values).astype(dtype)


def _numpy(folder: Path) -> Source:
    return open_source(pixels())


def _numpy_fortran_big_endian(folder: Path) -> Source:
    return open_source(np.asfortranarray(pixels()).astype(">u2"))


def _dask_irregular(folder: Path) -> Source:
    return open_source(da.from_array(pixels(), chunks=((4, 2, 1), (33,), (17, 20, 3))))


def _v2(how: dict[str, Any]) -> Callable[[Path], Source]:
    def make(folder: Path) -> Source:
        array = zarr.create_array(
            folder / "a.zarr", shape=SHAPE, chunks=(4, 16, 16), dtype="uint16", zarr_format=2, **how
        )
        array[...] = pixels()
        return open_source(folder / "a.zarr")

    return make


def _v2_big_endian(folder: Path) -> Source:
    array = zarr.create_array(
        folder / "a.zarr", shape=SHAPE, chunks=(4, 16, 16), dtype=">u2", zarr_format=2
    )
    array[...] = pixels()
    return open_source(folder / "a.zarr")


def _v3(how: dict[str, Any]) -> Callable[[Path], Source]:
    def make(folder: Path) -> Source:
        array = zarr.create_array(
            folder / "a.zarr", shape=SHAPE, chunks=(4, 16, 16), dtype="uint16", **how
        )
        array[...] = pixels()
        return open_source(folder / "a.zarr")

    return make


def _v3_sharded(folder: Path) -> Source:
    array = zarr.create_array(
        folder / "a.zarr", shape=SHAPE, chunks=(4, 16, 16), shards=(8, 32, 32), dtype="uint16"
    )
    array[...] = pixels()
    return open_source(folder / "a.zarr")


def _v3_one_channel(folder: Path) -> Source:
    array = zarr.create_array(
        folder / "a.zarr",
        shape=(SHAPE[0], 2, *SHAPE[1:]),
        chunks=(4, 1, 16, 16),
        dtype="uint16",
        filters=[TransposeCodec(order=(3, 1, 0, 2))],
        dimension_names=["z", "c", "y", "x"],
    )
    array[:, 0], array[:, 1] = 7, pixels()
    return open_source(folder / "a.zarr", channel=1)


def _v3_one_channel_of_a_shared_chunk(folder: Path) -> Source:
    array = zarr.create_array(
        folder / "a.zarr", shape=(2, *SHAPE), chunks=(2, 4, 16, 16), dtype="uint16"
    )
    array[0], array[1] = 7, pixels()
    return open_source(folder / "a.zarr", axes="czyx", channel=1)


def _v3_in_memory(folder: Path) -> Source:
    group = zarr.create_group(zarr.storage.MemoryStore())
    array = group.create_array("deep/a", shape=SHAPE, chunks=(4, 16, 16), dtype="uint16")
    array[...] = pixels()
    return open_source(array)


def _v3_in_a_zip(folder: Path) -> Source:
    with zarr.storage.ZipStore(folder / "a.zarr.zip", mode="w") as store:
        array = zarr.create_array(store, shape=SHAPE, chunks=(4, 16, 16), dtype="uint16")
        array[...] = pixels()
    return open_source(folder / "a.zarr.zip")


def _v3_chunk_too_large(folder: Path) -> Source:
    array = zarr.create_array(
        folder / "a.zarr", shape=SHAPE, chunks=(400, 400, 220), dtype="uint16"
    )
    array[...] = pixels()
    return open_source(folder / "a.zarr")


def _tiff_pages(folder: Path) -> Source:
    tifffile.imwrite(folder / "a.tif", pixels(), compression="zlib", rowsperstrip=8)
    return open_source(folder / "a.tif")


def _tiff_plain_big_endian(folder: Path) -> Source:
    tifffile.imwrite(folder / "a.tif", pixels(), byteorder=">")
    return open_source(folder / "a.tif")


def _tiff_tiles(folder: Path) -> Source:
    tifffile.imwrite(folder / "a.ome.tif", pixels(), tile=(16, 16), metadata={"axes": "ZYX"})
    return open_source(folder / "a.ome.tif")


def _hdf5(how: dict[str, Any]) -> Callable[[Path], Source]:
    def make(folder: Path) -> Source:
        with h5py.File(folder / "a.h5", "w") as file:
            file.create_dataset("entry/data", data=pixels(), **how)
        return open_source(f"{folder / 'a.h5'}::/entry/data")

    return make


def _npy(folder: Path) -> Source:
    np.save(folder / "a.npy", pixels())
    return open_source(folder / "a.npy")


def _fake(folder: Path) -> Source:
    return FakeSource(pixels(), ("z", "y", "x"), chunks={"z": 4, "y": 16, "x": 16})


SOURCES: dict[str, Callable[[Path], Source]] = {
    "fake": _fake,
    "numpy": _numpy,
    "numpy, Fortran, big-endian": _numpy_fortran_big_endian,
    "dask, irregular": _dask_irregular,
    "zarr 2": _v2({}),
    "zarr 2, F, nested, plain": _v2(
        {
            "order": "F",
            "compressors": None,
            "chunk_key_encoding": {"name": "v2", "separator": "/"},
        }
    ),
    "zarr 2, fill value 9": _v2({"fill_value": 9}),
    "zarr 2, big-endian": _v2_big_endian,
    "zarr 3": _v3({}),
    "zarr 3, dots": _v3({"chunk_key_encoding": {"name": "default", "separator": "."}}),
    "zarr 3, keys of 2": _v3({"chunk_key_encoding": {"name": "v2", "separator": "."}}),
    "zarr 3, blosc and checksum": _v3({"compressors": [BloscCodec(cname="lz4"), Crc32cCodec()]}),
    "zarr 3, shards": _v3_sharded,
    "zarr 3, one channel": _v3_one_channel,
    "zarr 3, one channel of a shared chunk": _v3_one_channel_of_a_shared_chunk,
    "zarr 3, in memory": _v3_in_memory,
    "zarr 3, zip": _v3_in_a_zip,
    "zarr 3, huge chunk": _v3_chunk_too_large,
    "TIFF, strips": _tiff_pages,
    "TIFF, plain, big-endian": _tiff_plain_big_endian,
    "OME-TIFF, tiles": _tiff_tiles,
    "HDF5, chunks": _hdf5({"chunks": (2, 10, 10), "compression": "gzip"}),
    "HDF5, one stretch": _hdf5({}),
    "npy": _npy,
}


class TestEverySource(SourceContract):
    @pytest.fixture(params=list(SOURCES), ids=list(SOURCES))
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
        source = SOURCES[request.param](tmp_path)
        yield source
        source.close()

    @pytest.fixture
    def expected(self) -> NDArray[Any]:
        return pixels()


class TestWidenedSource(SourceContract):
    @pytest.fixture(
        params=[("bool", "uint8"), ("int8", "int16"), ("float16", "float32"), (">u2", "float32")],
        ids=str,
    )
    def pair(self, request: pytest.FixtureRequest) -> tuple[str, str]:
        stored, sent = request.param
        return stored, sent

    @pytest.fixture
    def source(self, pair: tuple[str, str]) -> Source:
        return open_source(pixels(pair[0]), dtypes=(pair[1],))

    @pytest.fixture
    def expected(self, pair: tuple[str, str]) -> NDArray[Any]:
        return pixels(pair[0]).astype(pair[1])


class TestStackedSource(SourceContract):
    @pytest.fixture(params=["files", "arrays"])
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
        images: list[Any] = [pixels(), pixels()[::-1]]
        if request.param == "files":
            for number, image in enumerate(images):
                tifffile.imwrite(tmp_path / f"{number}.tif", image, metadata={"axes": "ZYX"})
            images = [tmp_path / f"{number}.tif" for number in range(2)]
        source = stacked([open_source(image) for image in images], ("one", "two"))
        yield source
        source.close()

    @pytest.fixture
    def expected(self) -> NDArray[Any]:
        return np.stack([pixels(), pixels()[::-1]])
