from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from napari_hmz.schema import ArrayDocument, VolumeRequest
from napari_hmz.schema.codecs import (
    DTYPES,
    MAX_CHUNK_BYTES,
    announcement_fault,
    array_fault,
    array_shape,
    chunk_bytes,
    chunk_shape,
    dtype_name,
)

CHUNKED: dict[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [5, 6],
    "data_type": "uint16",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 0,
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "attributes": {},
}
PLAIN: dict[str, Any] = {
    "zarr_format": 2,
    "shape": [5, 6],
    "chunks": [2, 3],
    "dtype": "<u2",
    "compressor": None,
    "fill_value": 0,
    "order": "C",
    "filters": None,
}


def v2(**changes: object) -> ArrayDocument:
    return ArrayDocument(zarr_format=2, document=PLAIN | changes)


def v3(**changes: object) -> ArrayDocument:
    return ArrayDocument(zarr_format=3, document=CHUNKED | changes)


def codecs(*names: str) -> list[dict[str, Any]]:
    turned = {"name": "transpose", "configuration": {"order": [1, 0]}}
    return [turned if name == "transpose" else {"name": name} for name in names]


@pytest.mark.parametrize("array", [v2(), v3()])
def test_plain_arrays_may_travel(array: ArrayDocument) -> None:
    assert array_fault(array) is None
    assert dtype_name(array) == "uint16"
    assert array_shape(array) == (5, 6)
    assert chunk_shape(array) == (2, 3)


@pytest.mark.parametrize("name", ["blosc", "zstd", "gzip", "zlib", "lz4"])
def test_known_compressors_of_v2_may_travel(name: str) -> None:
    assert array_fault(v2(compressor={"id": name})) is None


@pytest.mark.parametrize(
    "names",
    [
        ("bytes",),
        ("bytes", "zstd"),
        ("transpose", "bytes", "blosc", "crc32c"),
        ("bytes", "gzip"),
        ("bytes", "crc32c"),
    ],
)
def test_known_chains_of_v3_may_travel(names: tuple[str, ...]) -> None:
    assert array_fault(v3(codecs=codecs(*names))) is None


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "'bytes' is missing"),
        (("zstd",), "'bytes' is missing"),
        (("bytes", "gzip", "gzip"), "out of place"),
        (("bytes", "zstd", "blosc"), "out of place"),
        (("bytes", "transpose"), "out of place"),
        (("sharding_indexed",), "not accepted"),
        (("bytes", "numcodecs.pcodec"), "not accepted"),
        (("vlen-utf8",), "not accepted"),
    ],
)
def test_other_chains_of_v3_may_not(names: tuple[str, ...], reason: str) -> None:
    assert reason in (array_fault(v3(codecs=codecs(*names))) or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"dtype": "|O"},
        {"dtype": [["a", "<u2"]]},
        {"dtype": "<M8[ns]"},
        {"dtype": "<c8"},
        {"dtype": "<U4"},
        {"filters": [{"id": "delta"}]},
        {"compressor": {"id": "pickle"}},
        {"compressor": "blosc"},
        {"order": "K"},
        {"dimension_separator": "\\"},
        {"chunks": [2]},
        {"chunks": [0, 3]},
        {"chunks": [2, -3]},
        {"chunks": [True, 3]},
        {"chunks": None},
        {"shape": [5.0, 6]},
        {"zarr_format": 3},
        {"chunks": [2**20, 2**20]},
    ],
)
def test_what_v2_may_not_say(changes: dict[str, object]) -> None:
    assert array_fault(v2(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"data_type": "complex64"},
        {"data_type": {"name": "numpy.datetime64"}},
        {"node_type": "group"},
        {"storage_transformers": [{"name": "anything"}]},
        {"chunk_grid": {"name": "rectangular"}},
        {"chunk_grid": {"name": "regular", "configuration": 3}},
        {"chunk_key_encoding": {"name": "other"}},
        {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "-"}}},
        {"chunk_key_encoding": {"name": "default", "configuration": "x"}},
        {"codecs": "bytes"},
        {"codecs": ["bytes"]},
    ],
)
def test_what_v3_may_not_say(changes: dict[str, object]) -> None:
    assert array_fault(v3(**changes))


def test_the_largest_chunk_is_measured_decoded() -> None:
    side = MAX_CHUNK_BYTES // 2
    assert array_fault(v2(shape=[1, side], chunks=[1, side])) is None
    assert "larger" in (array_fault(v2(shape=[1, side], chunks=[1, side + 1])) or "")


@pytest.mark.parametrize("name", sorted(DTYPES))
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_documents_of_zarr_itself_pass(name: str, zarr_format: int) -> None:
    store = MemoryStore()
    zarr.create_array(store, shape=(4, 4), dtype=name, zarr_format=2 if zarr_format == 2 else 3)
    document = zarr.open_array(store, mode="r").metadata.to_dict()
    if zarr_format == 2:
        document["dtype"] = np.dtype(name).str
        document["compressor"] = {"id": "zstd", "level": 0}
    array = ArrayDocument.model_validate({"zarr_format": zarr_format, "document": document})
    assert array_fault(array) is None
    assert dtype_name(array) == name


def request(**changes: object) -> VolumeRequest:
    said: dict[str, object] = {
        "axes": ("y", "x"),
        "shape": {"y": 5, "x": 6},
        "chunks": {"y": 2, "x": 3},
        "dtype": "uint16",
        "array": v2(),
        "fingerprint": "0" * 16,
    }
    return VolumeRequest.model_validate(said | changes)


def test_an_announcement_that_agrees_with_its_document_is_accepted() -> None:
    assert announcement_fault(request()) is None
    assert chunk_bytes(request()) == 12


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shape": {"y": 5, "x": 7}}, "shape"),
        ({"axes": ("x", "y")}, "shape"),
        ({"chunks": {"y": 2, "x": 2}}, "chunks"),
        ({"dtype": "int16"}, "data type"),
        ({"array": v2(filters=[{"id": "delta"}])}, "filters"),
    ],
)
def test_an_announcement_that_contradicts_itself_is_not(
    changes: dict[str, object], reason: str
) -> None:
    assert reason in (announcement_fault(request(**changes)) or "")
