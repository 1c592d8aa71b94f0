"""The encodings in which chunks may travel as their source holds them, and the check of them.

Pure functions of messages: the client asks them before it announces a volume, the backend before
it accepts one. Every codec here decodes without running foreign code and says nothing about other
chunks; one compressor at most, so that a chunk cannot be a bomb inside a bomb.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from napari_hmz.schema.fill_value import fill_fault
from napari_hmz.schema.plan import OutputArray
from napari_hmz.schema.volume import ArrayDocument, VolumeRequest

MAX_CHUNK_BYTES: Final = 64 * 2**20
"""The largest decoded chunk that may travel; sources with larger ones are cut anew."""

MAX_CHUNKS: Final = 2**24
"""How many chunks one volume may have: each costs a byte of the backend's memory."""

MAX_DOCUMENT_LETTERS: Final = 64 * 1024
"""How long an array's document may be, without its attributes, which say nothing of its chunks."""

V2_COMPRESSORS: Final = frozenset({"blosc", "zstd", "gzip", "zlib", "lz4"})
"""Compressors of zarr v2 arrays; filters are not accepted."""

V3_COMPRESSORS: Final = frozenset({"blosc", "zstd", "gzip"})
"""Compressors of zarr v3 arrays."""

ALLOWED_CODECS: Final = V2_COMPRESSORS | V3_COMPRESSORS | {"bytes", "transpose", "crc32c"}
"""Every codec that a chunk may have been through."""

_V3_STAGES: Final = (
    frozenset({"transpose"}),
    frozenset({"bytes"}),
    V3_COMPRESSORS,
    frozenset({"crc32c"}),
)

_V2: Final = 2
_NAMES: Final = {
    "b1": "bool",
    **{f"{kind}{size}": f"{name}{8 * size}" for kind, name in (("i", "int"), ("u", "uint"))
       for size in (1, 2, 4, 8)},
    **{f"f{size}": f"float{8 * size}" for size in (2, 4, 8)},
}  # fmt: skip # one line per family
DTYPES: Final = frozenset(_NAMES.values())
"""Names of the data types that a volume may have."""


def dtype_name(array: ArrayDocument) -> str | None:
    """Return the numpy name of the array's data type; none if it is not a plain number."""
    if array.zarr_format == _V2:
        code = array.document.get("dtype")
        return _NAMES.get(code[1:]) if isinstance(code, str) and code[:1] in "<>|" else None
    name = array.document.get("data_type")
    return name if isinstance(name, str) and name in DTYPES else None


def chunk_shape(array: ArrayDocument) -> tuple[int, ...] | None:
    """Return the extents of one chunk; none if the grid is not a regular one."""
    document = array.document
    if array.zarr_format == _V2:
        return _extents(document.get("chunks"))
    grid = document.get("chunk_grid")
    if not isinstance(grid, Mapping) or grid.get("name") != "regular":
        return None
    configuration = grid.get("configuration")
    return (
        _extents(configuration.get("chunk_shape")) if isinstance(configuration, Mapping) else None
    )


def array_shape(array: ArrayDocument) -> tuple[int, ...] | None:
    """Return the extents of the array; none if the document has none."""
    return _extents(array.document.get("shape"))


def array_fault(array: ArrayDocument) -> str | None:
    """Say why chunks of this array may not travel as they are; none if they may."""
    document = array.document
    if document.get("zarr_format") != array.zarr_format:
        return "the document is of another zarr format than announced"
    name, shape, chunks = dtype_name(array), array_shape(array), chunk_shape(array)
    if name is None:
        return "the data type is not a plain number"
    if shape is None or chunks is None or len(shape) != len(chunks) or 0 in chunks:
        return "the shape and the chunks are not those of a regular grid"
    if math.prod(chunks) * itemsize(name) > MAX_CHUNK_BYTES:
        return f"a chunk is larger than {MAX_CHUNK_BYTES} bytes"
    fault = _size_fault(document, shape, chunks) or fill_fault(document.get("fill_value"), name)
    if fault:
        return fault
    return _v2_fault(document) if array.zarr_format == _V2 else _v3_fault(document)


def announcement_fault(request: VolumeRequest) -> str | None:
    """Say why an announcement cannot be accepted; none if it can.

    Beside the array's encoding, this compares what is said twice: shape, chunks and data type.
    """
    fault = array_fault(request.array)
    if fault:
        return fault
    if tuple(request.shape[axis] for axis in request.axes) != array_shape(request.array):
        return "the shape is not that of the array's document"
    if tuple(request.chunks[axis] for axis in request.axes) != chunk_shape(request.array):
        return "the chunks are not those of the array's document"
    if request.dtype != dtype_name(request.array):
        return "the data type is not that of the array's document"
    return None


def chunk_bytes(request: VolumeRequest) -> int:
    """Return the size in bytes of one decoded chunk, edges included."""
    return math.prod(request.chunks.values()) * itemsize(request.dtype)


def output_chunk_bytes(output: OutputArray) -> int:
    """Return the size in bytes of one decoded chunk of an output, edges included."""
    return math.prod(output.chunks.values()) * itemsize(output.dtype)


def itemsize(name: str) -> int:
    """Return the bytes of one value of a data type, by the type's name."""
    digits = "".join(letter for letter in name if letter.isdigit())
    return int(digits or 8) // 8


def _extents(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    if any(isinstance(extent, bool) or not isinstance(extent, int) for extent in value):
        return None
    return tuple(value) if min(value) >= 0 else None


def _size_fault(
    document: Mapping[str, Any], shape: Sequence[int], chunks: Sequence[int]
) -> str | None:
    total = math.prod(-(-extent // chunk) for extent, chunk in zip(shape, chunks, strict=True))
    if total > MAX_CHUNKS:
        return f"there are {total} chunks, and {MAX_CHUNKS} are the most"
    said = {name: value for name, value in document.items() if name != "attributes"}
    if len(str(said)) > MAX_DOCUMENT_LETTERS:
        return f"the document has more than {MAX_DOCUMENT_LETTERS} letters"
    return None


def _v2_fault(document: Mapping[str, Any]) -> str | None:
    if document.get("filters"):
        return "filters are not accepted"
    if document.get("order") not in ("C", "F"):
        return "the order is neither C nor F"
    if document.get("dimension_separator", ".") not in (".", "/"):
        return "the dimension separator is unknown"
    compressor = document.get("compressor")
    if compressor is None:
        return None
    name = str(compressor.get("id")) if isinstance(compressor, Mapping) else None
    return None if name in V2_COMPRESSORS else f"the compressor {name!r} is not accepted"


def _v3_fault(document: Mapping[str, Any]) -> str | None:
    if document.get("node_type") != "array":
        return "the document is not that of an array"
    if document.get("storage_transformers"):
        return "storage transformers are not accepted"
    encoding = document.get("chunk_key_encoding")
    if not isinstance(encoding, Mapping) or encoding.get("name") not in ("default", "v2"):
        return "the encoding of chunk keys is unknown"
    if _separator(encoding) not in (".", "/"):
        return "the separator of chunk keys is unknown"
    codecs = document.get("codecs")
    if not isinstance(codecs, Sequence) or not all(isinstance(codec, Mapping) for codec in codecs):
        return "the codecs cannot be read"
    names = [str(codec.get("name")) for codec in codecs]
    settings = dict(zip(names, (codec.get("configuration") for codec in codecs), strict=True))
    return _chain_fault(names) or _setting_fault(settings, len(document["shape"]))


def _separator(encoding: Mapping[str, Any]) -> object:
    configuration = encoding.get("configuration") or {}
    if not isinstance(configuration, Mapping):
        return None
    return configuration.get("separator", "/" if encoding.get("name") == "default" else ".")


def _chain_fault(names: Sequence[str]) -> str | None:
    """Say what is wrong with a chain: each stage at most once, in order, `bytes` always."""
    stage = 0
    for name in names:
        while stage < len(_V3_STAGES) and name not in _V3_STAGES[stage]:
            stage += 1
        if stage == len(_V3_STAGES):
            known = name in ALLOWED_CODECS
            return f"the codec {name!r} is {'out of place' if known else 'not accepted'}"
        stage += 1
    return None if "bytes" in names else "the codec 'bytes' is missing"


def _setting_fault(settings: Mapping[str, Any], axes: int) -> str | None:
    """Say what is wrong with the settings of the codecs that have some that matter."""
    if "transpose" in settings:
        order = _setting(settings["transpose"], "order")
        whole = _extents(order)
        if whole is None or sorted(whole) != list(range(axes)):
            return "the order of the transposition is none of the array's axes"
    if _setting(settings["bytes"], "endian") not in (None, "little", "big"):
        return "the byte order is unknown"
    return None


def _setting(configuration: object, name: str) -> object:
    """Return a setting of a codec; none if there is none, False (which is none) for no table."""
    if configuration is None:
        return None
    return configuration.get(name) if isinstance(configuration, Mapping) else False
