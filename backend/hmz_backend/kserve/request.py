"""The words of an inference request: read, checked against what a caller may say, written anew.

```
body    ├── JSON: inputs, outputs, parameters ──┼── tensors, binary, one after the other ──┤
          `Inference-Header-Content-Length`         passed on as they come
```

The protocol is KServe's v2 with its binary tensor extension (kserve.github.io, "Open Inference
Protocol"; github.com/triton-inference-server/server, docs/protocol). Triton understands more than
callers may say: memory regions of its machine, the sequences of others, priorities. So only what is
listed here passes, and Triton reads what we have written: two readers of one text can differ.

Parameters of the request are those of the model's card: checked, and handed to the model as an
input of their own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hmz_backend.engines.words import WORDS
from hmz_backend.planning.checks import checked_parameters
from napari_hmz.errors import RequestError
from napari_hmz.schema import ModelCard, ParameterValue

LENGTH_HEADER = "Inference-Header-Content-Length"
MOST_HEADER_BYTES = 64 * 1024
"""Names, shapes and parameters of tensors; values travel binary."""
MOST_TENSORS = 64
MOST_AXES = 8
MOST_PARAMETERS = 256
BINARY_OUTPUT = "binary_data_output"


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _InputParameters(_Said):
    binary_data_size: int = Field(ge=0)


class _Input(_Said):
    name: str = Field(max_length=256)
    datatype: str = Field(max_length=16)
    shape: list[int] = Field(max_length=MOST_AXES)
    parameters: _InputParameters | None = None
    data: list[Any] | None = None
    """Values in the words themselves: for what is small, as a model's parameters."""


class _OutputParameters(_Said):
    binary_data: bool | None = None
    classification: int | None = Field(default=None, ge=0)


class _Output(_Said):
    name: str = Field(max_length=256)
    parameters: _OutputParameters | None = None


class _Words(_Said):
    id: str | None = Field(default=None, max_length=256)
    parameters: dict[str, bool | int | float | str] = Field(default={}, max_length=MOST_PARAMETERS)
    inputs: list[_Input] = Field(min_length=1, max_length=MOST_TENSORS)
    outputs: list[_Output] | None = Field(default=None, max_length=MOST_TENSORS)


@dataclass(frozen=True, slots=True)
class Inference:
    """What a caller asks of a model, checked.

    Parameters
    ----------
    words
        The JSON as Triton gets it.
    parameters
        Of the model, all of them.
    tensors_bytes
        How many bytes of binary tensors follow.
    voxels
        Of the largest input: what the request weighs in the caller's share.
    """

    words: bytes
    parameters: Mapping[str, ParameterValue]
    tensors_bytes: int
    voxels: int


def header_bytes(headers: Mapping[str, str], body_bytes: int) -> int:
    """Return how long the JSON at the beginning of a body is.

    Raises
    ------
    RequestError
        If it is not a number, longer than the body, or longer than words have to be.
    """
    said = headers.get(LENGTH_HEADER.lower())
    if said is not None and not (said.isascii() and said.isdigit()):
        raise RequestError(f"{LENGTH_HEADER} is no number.")
    length = body_bytes if said is None else int(said)
    if length > body_bytes:
        raise RequestError(f"{LENGTH_HEADER} is {length}, and the body has {body_bytes} bytes.")
    if length > MOST_HEADER_BYTES:
        raise RequestError(
            f"The JSON of the request has {length} bytes; {MOST_HEADER_BYTES} are the most.",
            remedy="Send tensors with the binary data extension: tritonclient does by default.",
        )
    return length


def read_inference(text: bytes, tensors_bytes: int, card: ModelCard) -> Inference:
    """Check the words of a request.

    Parameters
    ----------
    text
        The JSON.
    tensors_bytes
        How long the rest of the body is.
    card
        Of the model: it says which parameters there are.

    Raises
    ------
    RequestError
        If they say what nobody may, or do not fit the rest of the body.
    ParameterInvalid
        If a parameter is not the model's, or out of its range.
    """
    try:
        words = _Words.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the JSON"
        raise RequestError(
            f"The request is refused at {where}: {fault['msg'].lower()}.",
            remedy="Shared memory, sequences, priorities and time limits are not for callers.",
        ) from error
    _check_tensors(words, tensors_bytes)
    given = {name: value for name, value in words.parameters.items() if name != BINARY_OUTPUT}
    values = checked_parameters(card, given)
    voxels = max(1, *(prod(tensor.shape) for tensor in words.inputs))
    return Inference(_written(words, values), values, tensors_bytes, voxels)


def _check_tensors(words: _Words, tensors_bytes: int) -> None:
    if any(tensor.name == WORDS for tensor in words.inputs):
        raise RequestError(f"{WORDS} is not for callers: parameters go beside the inputs.")
    if any(extent < 0 for tensor in words.inputs for extent in tensor.shape):
        raise RequestError("A tensor has a negative extent.")
    sizes = [tensor.parameters.binary_data_size for tensor in words.inputs if tensor.parameters]
    if sum(sizes) != tensors_bytes:
        raise RequestError(f"Tensors of {sum(sizes)} bytes are announced; {tensors_bytes} come.")


def _written(words: _Words, values: Mapping[str, ParameterValue]) -> bytes:
    """Return the JSON for Triton, the model's parameters as an input of their own."""
    document = words.model_dump(exclude_none=True, exclude={"parameters"})
    if BINARY_OUTPUT in words.parameters:
        document["parameters"] = {BINARY_OUTPUT: bool(words.parameters[BINARY_OUTPUT])}
    said = json.dumps({"parameters": dict(values)})
    document["inputs"].append({"name": WORDS, "datatype": "BYTES", "shape": [1], "data": [said]})
    return json.dumps(document, separators=(",", ":")).encode()
