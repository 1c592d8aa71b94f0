import gzip
import json
import math
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import LZ4, Blosc, GZip, Zlib, Zstd
from numcodecs.zstd import compress
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec, ZstdCodec
from zarr.storage import MemoryStore

from hmz_backend.stores.grid import ChunkGrid
from napari_hmz.decoding import ChunkDecoder
from napari_hmz.errors import ChunkCorrupt, ChunkTooLarge
from napari_hmz.schema import AXIS_ORDER, ArrayDocument, VolumeRequest
from napari_hmz.schema.codecs import announcement_fault

DTYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64", "bool")


def announced(
    store: MemoryStore, version: Literal[2, 3], array: "zarr.Array[Any]"
) -> VolumeRequest:
    name = ".zarray" if version == 2 else "zarr.json"
    document = json.loads(store._store_dict[name].to_bytes())
    axes = AXIS_ORDER[-array.ndim :]
    request = VolumeRequest(
        axes=axes,
        shape=dict(zip(axes, array.shape, strict=True)),
        chunks=dict(zip(axes, array.chunks, strict=True)),
        dtype=array.dtype.name,
        array=ArrayDocument(zarr_format=version, document=document),
        fingerprint="f" * 16,
    )
    assert announcement_fault(request) is None
    return request


V2 = (None, Blosc("lz4"), Zstd(3), GZip(3), Zlib(3), LZ4())
V3: tuple[tuple[Any, ...], ...] = (
    (),
    (BloscCodec(cname="zstd"),),
    (ZstdCodec(level=1),),
    (GzipCodec(level=1),),
    (Crc32cCodec(),),
    (ZstdCodec(level=0, checksum=True), Crc32cCodec()),
)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[MemoryStore, VolumeRequest, Any, Any]:
    ndim = draw(st.integers(1, 4))
    shape = tuple(draw(st.integers(1, 9)) for _ in range(ndim))
    chunks = tuple(draw(st.integers(1, 6)) for _ in range(ndim))
    dtype = draw(st.sampled_from(DTYPES))
    versions: tuple[Literal[2, 3], ...] = (2, 3)
    version = draw(st.sampled_from(versions))
    fill = draw(st.sampled_from((0, 1)))
    store = MemoryStore()
    options: dict[str, Any]
    if version == 2:
        options = {
            "compressors": draw(st.sampled_from(V2)),
            "order": draw(st.sampled_from("CF")),
            "filters": None,
            "dimension_separator": draw(st.sampled_from("./")),
        }
        options["chunk_key_encoding"] = {
            "name": "v2",
            "separator": options.pop("dimension_separator"),
        }
    else:
        transposed = TransposeCodec(order=tuple(draw(st.permutations(range(ndim)))))
        options = {
            "filters": draw(st.sampled_from(((), (transposed,)))),
            "serializer": BytesCodec(endian=draw(st.sampled_from(("little", "big")))),
            "compressors": draw(st.sampled_from(V3)),
        }
    array = zarr.create_array(
        store,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        zarr_format=version,
        fill_value=fill,
        **options,
    )
    seed = draw(st.integers(0, 99))
    values = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    array[...] = values
    return store, announced(store, version, array), array, values


@settings(deadline=None, max_examples=80)
@given(arrays())
def test_chunks_decode_to_what_zarr_reads(
    drawn: tuple[MemoryStore, VolumeRequest, Any, Any],
) -> None:
    store, request, _array, values = drawn
    grid, decoder = ChunkGrid.of(request), ChunkDecoder.of(request)
    out = np.full([math.ceil(s / c) * c for s, c in zip(grid.shape, grid.chunks, strict=True)], 7)
    stored = set(store._store_dict) - {".zarray", ".zattrs", "zarr.json"}
    for index in grid.touching({axis: (0, n) for axis, n in request.shape.items()}):
        where = tuple(slice(o, o + c) for o, c in zip(grid.origin(index), grid.chunks, strict=True))
        key = grid.key(index)
        assert grid.index(key) == index
        stored.discard(key)
        body = store._store_dict.get(key)
        out[where] = decoder.fill if body is None else decoder.decode(body.to_bytes())
    assert not stored
    inside = tuple(slice(0, extent) for extent in grid.shape)
    np.testing.assert_array_equal(out[inside], values)


def request_of(
    compressors: object, version: Literal[2, 3] = 3, shape: tuple[int, ...] = (64, 64)
) -> VolumeRequest:
    store = MemoryStore()
    array = zarr.create_array(
        store,
        shape=shape,
        chunks=shape,
        dtype="uint16",
        compressors=compressors,  # type: ignore[arg-type] # any codec of the table
        zarr_format=version,
    )
    return announced(store, version, array)


BOMB = bytes(64 * 2**20)
BOMBS: dict[str, tuple[object, Literal[2, 3], bytes]] = {
    "gzip": ((GzipCodec(),), 3, gzip.compress(BOMB)),
    "zstd": ((ZstdCodec(),), 3, compress(BOMB, 3)),
    "blosc": (Blosc("zstd"), 2, bytes(Blosc("zstd").encode(BOMB))),
    "zlib": (Zlib(), 2, zlib.compress(BOMB)),
    "lz4": (LZ4(), 2, bytes(LZ4().encode(BOMB))),
    "raw": ((), 3, bytes(2**20)),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_it_grows(kind: str) -> None:
    import tracemalloc

    compressors, version, body = BOMBS[kind]
    decoder = ChunkDecoder.of(request_of(compressors, version))
    tracemalloc.start()
    with pytest.raises(ChunkTooLarge):
        decoder.decode(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_a_zstd_frame_that_hides_its_size_is_bounded_by_its_blocks() -> None:
    decoder = ChunkDecoder.of(request_of((ZstdCodec(),)))
    block = struct.pack("<I", (2**17 << 3) | (1 << 1))[:3] + b"\0"  # repeats one byte 2**17 times
    frame = struct.pack("<I", 0xFD2FB528) + b"\x00\x58" + block * 200
    with pytest.raises(ChunkTooLarge):
        decoder.decode(frame + b"\x01\x00\x00")


def test_a_zstd_frame_without_size_is_read_if_it_is_honest() -> None:
    decoder = ChunkDecoder.of(request_of((ZstdCodec(),)))
    raw = np.arange(64 * 64, dtype="<u2")
    header = struct.pack("<I", 0xFD2FB528) + b"\x00\x58"
    last = struct.pack("<I", (raw.nbytes << 3) | 1)[:3]
    np.testing.assert_array_equal(
        decoder.decode(header + last + raw.tobytes()), raw.reshape(64, 64)
    )


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(sorted(BOMBS)), st.data())
def test_damage_is_an_error_of_ours_or_decodes_to_the_right_size(
    kind: str, data: st.DataObject
) -> None:
    compressors, version, _ = BOMBS[kind]
    request = request_of(compressors, version, (16, 16))
    decoder = ChunkDecoder.of(request)
    store = MemoryStore()
    array = zarr.create_array(
        store,
        shape=(16, 16),
        chunks=(16, 16),
        dtype="uint16",
        compressors=compressors,  # type: ignore[arg-type] # any codec of the table
        zarr_format=version,
    )
    array[...] = np.arange(256).reshape(16, 16) % 7
    key = next(key for key in store._store_dict if key[0] in "c0")
    body = bytearray(store._store_dict[key].to_bytes())
    if data.draw(st.booleans()):
        del body[data.draw(st.integers(0, len(body) - 1)) :]
    else:
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(ChunkCorrupt, ChunkTooLarge):
        assert decoder.decode(bytes(body)).shape == (16, 16)


def test_a_truncated_chunk_is_corrupt(tmp_path: Path) -> None:
    decoder = ChunkDecoder.of(request_of((ZstdCodec(),)))
    body = compress(np.arange(64 * 64, dtype="<u2"), 1)
    assert decoder.decode(body).shape == (64, 64)
    with pytest.raises(ChunkCorrupt):
        decoder.decode(body[:-5])


@pytest.mark.parametrize("written", ["NaN", "0x7fc00000"])
def test_a_fill_value_may_be_a_word_or_bits(written: str) -> None:
    request = request_of(())
    document = {**request.array.document, "data_type": "float32", "fill_value": written}
    array = ArrayDocument(zarr_format=3, document=document)
    changed = request.model_copy(update={"dtype": "float32", "array": array})
    assert np.isnan(ChunkDecoder.of(changed).fill)
