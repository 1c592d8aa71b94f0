"""Whatever a stranger announces is refused with words, or can be read to the last letter."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hmz_backend.stores.grid import ChunkGrid
from napari_hmz.decoding import ChunkDecoder
from napari_hmz.schema import VolumeRequest
from napari_hmz.schema.codecs import (
    ALLOWED_CODECS,
    MAX_CHUNKS,
    MAX_DOCUMENT_LETTERS,
    announcement_fault,
)

V3: dict[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [5, 6],
    "data_type": "uint16",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 0,
    "codecs": [
        {"name": "transpose", "configuration": {"order": [1, 0]}},
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": False}},
    ],
}
V2: dict[str, Any] = {
    "zarr_format": 2,
    "shape": [5, 6],
    "chunks": [2, 3],
    "dtype": "<u2",
    "compressor": {"id": "zstd"},
    "fill_value": 0,
    "order": "C",
    "filters": None,
}
NASTY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(["", "x", "pickle", "NaN", "0x" + "f" * 40, "|O", "/", "../../etc/passwd"]),
    st.lists(st.integers(-1, 5), max_size=4),
    st.lists(st.integers(2**30, 2**40), min_size=2, max_size=2),
    st.dictionaries(st.sampled_from(["name", "id", "configuration", "order"]), st.none()),
)


def changed(document: Any, draw: st.DrawFn) -> Any:  # noqa: ANN401 # JSON
    """Return the document with one part of it replaced, dropped or doubled."""
    if not isinstance(document, dict | list) or not document or draw(st.integers(0, 3)) == 0:
        return draw(NASTY)
    places = sorted(document) if isinstance(document, dict) else list(range(len(document)))
    place = draw(st.sampled_from(places))
    copy: Any = dict(document) if isinstance(document, dict) else list(document)
    if draw(st.integers(0, 4)) == 0:
        del copy[place]
    else:
        copy[place] = changed(copy[place], draw)
    return copy


@st.composite
def announcements(draw: st.DrawFn) -> dict[str, Any]:
    version = draw(st.sampled_from([2, 3]))
    document: Any = V2 if version == 2 else V3
    for _ in range(draw(st.integers(0, 2))):
        document = changed(document, draw)
    shape: Any = (5, 6)
    chunks = (2, 3)
    if isinstance(document, dict) and draw(st.booleans()):  # as the document has it
        shape = document.get("shape", shape)
    return {
        "axes": ["y", "x"],
        "shape": dict(zip("yx", shape, strict=False)) if isinstance(shape, list | tuple) else shape,
        "chunks": dict(zip("yx", chunks, strict=True)),
        "dtype": "uint16",
        "array": {"zarr_format": version, "document": document},
        "fingerprint": "f" * 16,
    }


@given(announcements())
def test_what_is_accepted_can_be_read_and_all_else_is_refused_with_words(
    announced: dict[str, Any],
) -> None:
    try:
        request = VolumeRequest.model_validate_json(json.dumps(announced))
    except ValidationError:
        return
    fault = announcement_fault(request)
    if fault is not None:
        assert fault.isprintable()
        return
    grid, decoder = ChunkGrid.of(request), ChunkDecoder.of(request)
    assert 0 <= grid.total <= MAX_CHUNKS
    assert decoder.size == 2 * 3 * 2
    assert sorted(decoder.order) == [0, 1]
    assert decoder.fill.shape == ()
    assert decoder.fill.dtype == decoder.dtype.newbyteorder("=")


def refused(**changes: object) -> str:
    """Return why an array that is changed so may not travel."""
    document = {**V3, **changes}
    shape = dict(zip("yx", document["shape"], strict=True))
    given_ = {
        "axes": ["y", "x"],
        "shape": shape,
        "chunks": {"y": 2, "x": 3},
        "dtype": "uint16",
        "array": {"zarr_format": 3, "document": document},
        "fingerprint": "f" * 16,
    }
    fault = announcement_fault(VolumeRequest.model_validate(given_))
    assert fault is not None
    return fault


def test_more_chunks_than_a_backend_can_count_are_refused() -> None:
    assert "chunks" in refused(shape=[2**40, 2**40])


def test_metadata_that_goes_on_and_on_are_refused() -> None:
    assert "letters" in refused(more="x" * MAX_DOCUMENT_LETTERS)
    assert "letters" in refused(dimension_names=["y" * 10] * MAX_DOCUMENT_LETTERS)


@pytest.mark.parametrize(
    ("number", "configuration"),
    [
        (0, None),
        (0, {}),
        (0, {"order": [0, 0]}),
        (0, {"order": [0]}),
        (0, {"order": [1, 2]}),
        (0, {"order": "10"}),
        (0, "C"),
        (1, {"endian": "middle"}),
        (1, {"endian": ["little"]}),
        (1, "little"),
    ],
    ids=str,
)
def test_settings_of_codecs_that_make_no_sense_are_refused(
    number: int, configuration: object
) -> None:
    codecs = [dict(each) for each in V3["codecs"]]
    codecs[number]["configuration"] = configuration
    assert refused(codecs=codecs)


@pytest.mark.parametrize(
    "name", ["pickle", "json2", "msgpack2", "vlen-utf8", "vlen-bytes", "fixedscaleoffset", "n5"]
)
def test_no_codec_of_objects_is_accepted(name: str) -> None:
    assert name not in ALLOWED_CODECS
    assert "not accepted" in refused(codecs=[*V3["codecs"], {"name": name}])
    document = {**V2, "filters": [{"id": name}]}
    for dtype in ("|O", "|V8", "|S8", "<U8", "<M8[ns]", "<c16"):
        given_ = {**document, "dtype": dtype}
        request = {
            "axes": ["y", "x"],
            "shape": {"y": 5, "x": 6},
            "chunks": {"y": 2, "x": 3},
            "dtype": "uint16",
            "array": {"zarr_format": 2, "document": given_},
            "fingerprint": "f" * 16,
        }
        assert announcement_fault(VolumeRequest.model_validate(request)) is not None
