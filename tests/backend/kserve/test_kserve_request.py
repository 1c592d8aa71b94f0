"""What a caller may say of an inference: everything else is refused before Triton hears of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.engines.words import WORDS
from hmz_backend.kserve.request import MOST_HEADER_BYTES, Inference, header_bytes, read_inference
from hmz_backend.testing.planned import a_model
from napari_hmz.errors import HmzError, ParameterInvalid, RequestError
from napari_hmz.schema import ParameterSpec

CARD = a_model().model_copy(
    update={
        "parameters": {
            "diameter": ParameterSpec(type="number", default=30.0, minimum=5, maximum=300)
        }
    }
)


def words(**more: object) -> dict[str, Any]:
    tensor = {
        "name": "image_uint16",
        "datatype": "UINT16",
        "shape": [1, 4, 8],
        "parameters": {"binary_data_size": 64},
    }
    return {"inputs": [tensor], **more}


def changed(part: str, value: object) -> dict[str, Any]:
    document = words()
    document["inputs"][0][part] = value
    return document


def read(document: object) -> Inference:
    return read_inference(json.dumps(document).encode(), 64, CARD)


def test_what_passes_is_written_anew_with_the_parameters_as_an_input() -> None:
    asked = {"id": "7", "parameters": {"diameter": 12, "binary_data_output": True}}
    found = read(words(outputs=[{"name": "labels"}], **asked))
    assert found.voxels == 32
    assert found.tensors_bytes == 64
    assert found.parameters == {"diameter": 12.0}
    sent = json.loads(found.words)
    assert sent["id"] == "7"
    assert sent["parameters"] == {"binary_data_output": True}
    assert sent["inputs"][0] == words()["inputs"][0]
    assert sent["inputs"][1]["name"] == WORDS
    assert json.loads(sent["inputs"][1]["data"][0]) == {"parameters": {"diameter": 12.0}}


def test_of_a_name_that_stands_twice_triton_sees_what_was_checked() -> None:
    text = json.dumps(words()).replace(
        '"parameters": {', '"parameters": {"shared_memory_region": "x"}, "parameters": {'
    )
    assert b"shared_memory" not in read_inference(text.encode(), 64, CARD).words


@pytest.mark.parametrize(
    "document",
    [
        changed("parameters", {"shared_memory_region": "r", "shared_memory_byte_size": 64}),
        changed("shape", [-1, 4, 8]),
        changed("shape", [1] * 9),
        changed("shape", ["4"]),
        changed("parameters", {"binary_data_size": -1}),
        changed("parameters", {"binary_data_size": 63}),
        changed("name", "n" * 300),
        changed("name", WORDS),
        changed("extra", 1),
        words(outputs=[{"name": "labels", "parameters": {"shared_memory_region": "r"}}]),
        words(priority=1),
        words(inputs=[]),
        words(parameters=[1]),
        [],
        "text",
        None,
    ],
)
def test_what_nobody_may_say_is_refused(document: object) -> None:
    with pytest.raises(RequestError):
        read(document)


@pytest.mark.parametrize(
    "name",
    ["sequence_id", "sequence_start", "priority", "timeout", "triton_enable_empty_final_response"],
)
def test_parameters_that_triton_keeps_for_itself_are_no_parameters_of_a_model(name: str) -> None:
    with pytest.raises(ParameterInvalid, match=name):
        read(words(parameters={name: 1}))


def test_parameters_are_held_to_the_card() -> None:
    with pytest.raises(ParameterInvalid, match="diameter"):
        read(words(parameters={"diameter": 1.25}))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    with pytest.raises(HmzError):
        read_inference(text, 0, CARD)


@pytest.mark.parametrize(("said", "body"), [("x", 9), ("-1", 9), ("10", 9), ("70000", 80000)])
def test_a_length_that_cannot_be_is_refused(said: str, body: int) -> None:
    with pytest.raises(RequestError):
        header_bytes({"inference-header-content-length": said}, body)


def test_without_a_length_all_of_the_body_is_words() -> None:
    assert header_bytes({}, 500) == 500
    with pytest.raises(RequestError, match="binary"):
        header_bytes({}, MOST_HEADER_BYTES + 1)
