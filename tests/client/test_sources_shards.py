import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
)
from zarr.storage import MemoryStore, ZipStore

from napari_hmz.errors import SourceUnreadable
from napari_hmz.schema.codecs import announcement_fault
from napari_hmz.sources import open_source
from napari_hmz.sources.rechunk import RechunkedSource
from napari_hmz.sources.verbatim import VerbatimSource
from napari_hmz.testing.source_contract import received

SHAPE = (10, 40, 50)
INNER, SHARD = (4, 10, 20), (8, 20, 40)
CHAINS: Mapping[str, tuple[Any, ...]] = {
    "plain": (BytesCodec(),),
    "big-endian": (BytesCodec(endian="big"),),
    "zstd": (BytesCodec(), ZstdCodec()),
    "blosc": (BytesCodec(), BloscCodec(typesize=2)),
    "gzip-crc": (BytesCodec(), GzipCodec(), Crc32cCodec()),
    "transposed": (TransposeCodec(order=(2, 0, 1)), BytesCodec(), ZstdCodec()),
}


def values() -> NDArray[Any]:
    array = np.random.default_rng(0).integers(1, 4096, SHAPE, dtype=np.uint16)
    array[:4, :10, :20] = 7  # an inner chunk of fill value in a shard with others
    array[8:, 20:] = 7  # shards of nothing else
    return array


def sharded(
    store: Any,  # noqa: ANN401 # whatever zarr takes
    codecs: tuple[Any, ...] = CHAINS["zstd"],
    **how: Any,  # noqa: ANN401 # as the codec
) -> "zarr.Array[Any]":
    codec = ShardingCodec(chunk_shape=INNER, codecs=codecs, **how)
    array = zarr.create(
        store=store,
        shape=SHAPE,
        chunks=SHARD,
        dtype="uint16",
        codecs=[codec],
        fill_value=7,
        zarr_format=3,
        config={"write_empty_chunks": False},
    )
    array[...] = values()
    return array


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("chain", CHAINS)
def test_inner_chunks_travel_as_they_are_stored(
    tmp_path: Path, chain: str, location: Literal["start", "end"]
) -> None:
    sharded(tmp_path / "a", CHAINS[chain], index_location=location)
    source = open_source(tmp_path / "a", axes="zyx")
    assert isinstance(source, VerbatimSource)
    assert source.request.chunks == dict(zip("zyx", INNER, strict=True))
    assert announcement_fault(source.request) is None
    body = source.chunk("c/0/0/1")
    assert body is not None
    assert body in (tmp_path / "a/c/0/0/0").read_bytes()
    np.testing.assert_array_equal(received(source), values())
    np.testing.assert_array_equal(source.read({"z": (3, 9)}), values()[3:9])


def test_what_a_shard_does_not_hold_is_not_sent(tmp_path: Path) -> None:
    sharded(tmp_path / "a")
    source = open_source(tmp_path / "a")
    assert source.chunk("c/0/0/0") is None
    assert not (tmp_path / "a/c/1/1/0").exists()
    assert source.chunk("c/2/3/0") is None
    assert (source.read({"z": (8, 10), "y": (20, 40)}) == 7).all()


@pytest.mark.parametrize("index", [(BytesCodec(),), (BytesCodec(endian="big"), Crc32cCodec())])
def test_the_index_is_read_as_it_is_written(tmp_path: Path, index: tuple[Any, ...]) -> None:
    sharded(tmp_path / "a", index_codecs=index)
    source = open_source(tmp_path / "a")
    assert isinstance(source, VerbatimSource)
    np.testing.assert_array_equal(received(source), values())


def test_shards_in_memory_and_in_zip_files_are_read_by_range(tmp_path: Path) -> None:
    with ZipStore(tmp_path / "a.zip", mode="w") as store:
        sharded(store)
    with ZipStore(tmp_path / "a.zip", mode="r") as store:
        for array in (sharded(MemoryStore()), zarr.open_array(store, mode="r")):
            source = open_source(array)
            assert isinstance(source, VerbatimSource)
            np.testing.assert_array_equal(received(source), values())


def test_a_channel_of_a_sharded_image_travels_as_it_is(tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "a", shape=(3, 8, 8), chunks=(1, 4, 4), shards=(3, 8, 8), dtype="uint8"
    )
    array[...] = np.arange(192).reshape(3, 8, 8)
    source = open_source(array, axes="cyx", channel=2)
    assert isinstance(source, VerbatimSource)
    np.testing.assert_array_equal(received(source), array[2])


@pytest.mark.parametrize(
    "codecs",
    [
        [ShardingCodec(chunk_shape=SHARD, codecs=[ShardingCodec(chunk_shape=INNER)])],
        [TransposeCodec(order=(0, 2, 1)), ShardingCodec(chunk_shape=INNER)],
    ],
    ids=["nested", "transposed outside"],
)
@pytest.mark.filterwarnings("ignore:Combining a .sharding_indexed")  # one case does so
def test_unusual_shards_are_encoded_anew(tmp_path: Path, codecs: list[Any]) -> None:
    array = zarr.create(
        store=tmp_path / "a", shape=SHAPE, chunks=SHARD, dtype="uint16", codecs=codecs
    )
    array[...] = values()
    source = open_source(array)
    assert isinstance(source, RechunkedSource)
    np.testing.assert_array_equal(received(source), values())


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    sharded(tmp_path / "a")
    shard = tmp_path / "a/c/0/0/0"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-10] + b"\xff" + whole[-9:])
    source = open_source(tmp_path / "a")
    with pytest.raises(SourceUnreadable, match=r"Chunk c/0/0/1.*index of .*a/c/0/0/0 is damaged"):
        source.chunk("c/0/0/1")
    shard.write_bytes(bytes(8) + whole[8:])  # where the first inner chunk of the shard begins
    source = open_source(tmp_path / "a", name="cells")
    with pytest.raises(SourceUnreadable) as caught:
        source.read({"z": (0, 8), "y": (0, 20), "x": (0, 40)})
    assert "a/c/0/0/0 (inner chunk " in caught.value.detail
    found = re.search(r"Chunk c/(\d)/(\d)/(\d) \(z (\d+):", caught.value.detail)
    assert found is not None
    assert int(found[4]) == 4 * int(found[1])


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_sharded_array_arrives_as_it_is(data: st.DataObject) -> None:
    inner = tuple(data.draw(st.integers(1, 6)) for _ in range(2))
    shard = tuple(extent * data.draw(st.integers(1, 4)) for extent in inner)
    shape = tuple(data.draw(st.integers(1, 30)) for _ in range(2))
    array = zarr.create_array(
        MemoryStore(), shape=shape, chunks=inner, shards=shard, dtype="int16", fill_value=0
    )
    array[...] = np.random.default_rng(0).integers(-1, 2, shape) * (np.indices(shape)[0] > 3)
    source = open_source(array)
    assert isinstance(source, VerbatimSource)
    np.testing.assert_array_equal(received(source), array[...])
    np.testing.assert_array_equal(source.read({}), array[...])
