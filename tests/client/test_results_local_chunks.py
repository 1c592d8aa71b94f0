from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import LocalStore, MemoryStore

from napari_hmz.results.local_chunks import LocalChunks
from napari_hmz.schema import OutputArray
from napari_hmz.schema.output_document import output_compressor

CHUNKS = (4, 5)


def array(folder: Path, shape: tuple[int, int], kind: str, dtype: str) -> "zarr.Array[Any]":
    output = OutputArray(
        name="a",
        kind=kind,
        axes=("y", "x"),
        shape={"y": shape[0], "x": shape[1]},
        chunks={"y": CHUNKS[0], "x": CHUNKS[1]},
        dtype=dtype,
    )
    return zarr.create_array(
        LocalStore(folder),
        name="a",
        shape=shape,
        chunks=CHUNKS,
        dtype=dtype,
        compressors=[output_compressor(output)],
    )


@pytest.mark.parametrize(
    ("kind", "dtype"), [("instance-labels", "uint32"), ("image", "float32"), ("image", "uint16")]
)
@settings(deadline=None, max_examples=20)
@given(shape=st.tuples(st.integers(1, 9), st.integers(1, 11)), empty=st.booleans())
def test_zarr_reads_what_is_written_and_the_other_way_round(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    dtype: str,
    shape: tuple[int, int],
    empty: bool,
) -> None:
    values = np.random.default_rng(0).integers(0 if empty else 1, 99, shape).astype(dtype)
    values[: CHUNKS[0], : CHUNKS[1]] = 0
    theirs = array(tmp_path_factory.mktemp("theirs"), shape, kind, dtype)
    theirs[...] = values
    ours = array(tmp_path_factory.mktemp("ours"), shape, kind, dtype)
    read, written = LocalChunks.of(theirs), LocalChunks.of(ours)
    assert read is not None
    assert written is not None
    for place in np.ndindex(*(-(-n // c) for n, c in zip(shape, CHUNKS, strict=True))):
        part = tuple(slice(n * c, (n + 1) * c) for n, c in zip(place, CHUNKS, strict=True))
        np.testing.assert_array_equal(read.read(place), values[part])
        assert written.write(place, values[part])
        stored = [chunks.path(place) for chunks in (read, written)]
        assert stored[0].exists() == stored[1].exists()
        if stored[0].exists():
            assert stored[0].read_bytes() == stored[1].read_bytes()
    np.testing.assert_array_equal(ours[...], values)


def test_what_only_zarr_can_read_or_write_is_left_to_zarr(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    in_memory = zarr.create_array(MemoryStore(), shape=(4, 5), dtype="u2")
    sharded = zarr.create_array(
        store, name="s", shape=(8, 10), chunks=(4, 5), shards=(8, 10), dtype="u2"
    )
    filled = zarr.create_array(store, name="f", shape=(4, 5), dtype="u2", fill_value=7)
    assert [LocalChunks.of(each) for each in (in_memory, sharded, filled)] == [None] * 3
    gzip: Any = {"name": "gzip", "configuration": {"level": 1}}
    other = zarr.create_array(store, name="g", shape=(4, 5), dtype="u2", compressors=[gzip])
    chunks = LocalChunks.of(other)
    assert chunks is not None
    assert not chunks.write((0, 0), np.ones((4, 5), "u2"))
