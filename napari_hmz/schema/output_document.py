"""How an output is stored, by backend and client alike, so that its chunks travel as they lie.

Images are shuffled bit by bit and packed with LZ4, which runs at some GB/s and takes the empty bits
out of noise; labels are long runs, where zstd makes far smaller chunks and is as fast.
"""

from typing import Any, Final

from napari_hmz.schema.card import OutputKind
from napari_hmz.schema.codecs import itemsize
from napari_hmz.schema.plan import OutputArray, OutputTable

ZSTD_LEVEL: Final = 1
"""Higher levels cost more time than they save on the link."""
LZ4_LEVEL: Final = 5
ROWS_PER_CHUNK: Final = 16_384
"""Of a table."""
LABEL_KINDS: Final[frozenset[OutputKind]] = frozenset({"instance-labels", "semantic-labels"})


def output_compressor(array: OutputArray) -> dict[str, Any]:
    """Return the compressor of an output's chunks, as zarr v3 words it."""
    if array.kind in LABEL_KINDS:
        return {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": False}}
    return {
        "name": "blosc",
        "configuration": {
            "cname": "lz4",
            "clevel": LZ4_LEVEL,
            "shuffle": "bitshuffle",
            "typesize": itemsize(array.dtype),
            "blocksize": 0,
        },
    }


def output_document(array: OutputArray) -> dict[str, Any]:
    """Return the `zarr.json` of an output."""
    little: dict[str, Any] = {"name": "bytes"}
    if itemsize(array.dtype) > 1:
        little["configuration"] = {"endian": "little"}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [array.shape[axis] for axis in array.axes],
        "data_type": array.dtype,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [array.chunks[axis] for axis in array.axes]},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": False if array.dtype == "bool" else 0,
        "codecs": [little, output_compressor(array)],
        "dimension_names": list(array.axes),
        "attributes": {},
    }


def table_document(table: OutputTable, rows: int) -> dict[str, Any]:
    """Return the `zarr.json` of a table that is whole: (row, column) in float64."""
    columns = len(table.columns)
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [rows, columns],
        "data_type": "float64",
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [ROWS_PER_CHUNK, columns]},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": False}},
        ],
        "dimension_names": ["row", "column"],
        "attributes": {"columns": list(table.columns)},
    }
