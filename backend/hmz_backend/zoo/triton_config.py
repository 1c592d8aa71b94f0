"""Triton's `config.pbtxt` for a model: pure text from the model card.

What was found to work on Triton 2.51, and is written here:

- One *optional* input per input and dtype (`image_uint16`): an input of Triton has one type, and
  raw integers travel as they are. Exactly one of them is given with a request.
- No batching of tiles (`max_batch_size: 0`): they are cut, labelled, returned one by one. Where
  the network is a Triton model of its own (kind `bls`), *its* requests are batched by
  `dynamic_batching`.
- Parameters and statistics as one JSON text (`hmz_request`): request parameters are no part of
  Triton's own checks, and some of their names are reserved.
- Everything is stated: the server does not complete configurations by running the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hmz_backend.engines.triton_name import tensor_name, triton_name
from hmz_backend.engines.words import KIND, WORDS
from hmz_backend.serving.axes import ROWS
from napari_hmz.schema import TABLE_KINDS, ModelCard, OutputSpec

Kind = Literal["python", "bls"]
TRITON_TYPE = {
    "bool": "TYPE_BOOL",
    "uint8": "TYPE_UINT8",
    "uint16": "TYPE_UINT16",
    "uint32": "TYPE_UINT32",
    "uint64": "TYPE_UINT64",
    "int8": "TYPE_INT8",
    "int16": "TYPE_INT16",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "float16": "TYPE_FP16",
    "float32": "TYPE_FP32",
    "float64": "TYPE_FP64",
}
BATCH_DELAY_US = 2000
"""How long a network's request may wait for others to share a batch with."""


@dataclass(frozen=True)
class NetworkTensor:
    """One input or output of an ONNX file; an extent of -1 is free."""

    name: str
    dtype: str
    shape: tuple[int, ...]


def config_pbtxt(card: ModelCard, *, kind: Kind, instances: int, environment: str = "") -> str:
    """Return the configuration of the Python part of a model.

    Parameters
    ----------
    card
        The model.
    kind
        `python` if the network runs inside, `bls` if it is a Triton model of its own.
    instances
        Model processes, each of which computes one tile at a time.
    environment
        Path of an unpacked Python environment for a foreign Triton (`EXECUTION_ENV_PATH`).
    """
    inputs = [
        _tensor(tensor_name(spec.name, dtype), TRITON_TYPE[dtype], len(spec.axes), optional=True)
        for spec in card.inputs
        for dtype in spec.dtypes
    ]
    words = _tensor(WORDS, "TYPE_STRING", 1, optional=True)
    outputs = [_tensor(spec.name, TRITON_TYPE[spec.dtype], _rank(spec)) for spec in card.outputs]
    parts = [
        f'name: "{triton_name(card.id, card.version)}"',
        'backend: "python"',
        "max_batch_size: 0",
        _block("input", [*inputs, words]),
        _block("output", outputs),
        f"instance_group [{{ count: {instances} kind: KIND_CPU }}]",
        _parameter("hmz_digest", card.digest),
        _parameter(KIND, kind),
    ]
    if environment:
        parts.append(_parameter("EXECUTION_ENV_PATH", environment))
    return "\n".join(parts) + "\n"


def network_pbtxt(
    name: str,
    inputs: Sequence[NetworkTensor],
    outputs: Sequence[NetworkTensor],
    *,
    batch: int,
    instances: int = 1,
) -> str:
    """Return the configuration of a network on Triton's onnxruntime backend, batched if it can be.

    Parameters
    ----------
    name
        The Triton model.
    inputs, outputs
        As in the ONNX file, batch axis first.
    batch
        The most tiles in one batch; a network with a fixed batch axis is not batched.
    instances
        Copies of the network on each GPU.
    """
    can_batch = batch > 1 and all(tensor.shape[0] == -1 for tensor in (*inputs, *outputs))
    first = 1 if can_batch else 0
    parts = [
        f'name: "{name}"',
        'backend: "onnxruntime"',
        f"max_batch_size: {batch if can_batch else 0}",
        _block("input", [_network_tensor(tensor, first) for tensor in inputs]),
        _block("output", [_network_tensor(tensor, first) for tensor in outputs]),
        f"instance_group [{{ count: {instances} kind: KIND_GPU }}]",
    ]
    if can_batch:
        parts.append(f"dynamic_batching {{ max_queue_delay_microseconds: {BATCH_DELAY_US} }}")
    return "\n".join(parts) + "\n"


def _network_tensor(tensor: NetworkTensor, first: int) -> str:
    dims = ", ".join(str(extent) for extent in tensor.shape[first:])
    return f'{{ name: "{tensor.name}" data_type: {TRITON_TYPE[tensor.dtype]} dims: [{dims}] }}'


def _tensor(name: str, data_type: str, rank: int, *, optional: bool = False) -> str:
    dims = ", ".join(["-1"] * rank)
    ending = " optional: true" if optional else ""
    return f'{{ name: "{name}" data_type: {data_type} dims: [{dims}]{ending} }}'


def _rank(spec: OutputSpec) -> int:
    return len(ROWS) if spec.kind in TABLE_KINDS else len(spec.axes)


def _block(name: str, entries: Sequence[str]) -> str:
    return f"{name} [\n  " + ",\n  ".join(entries) + "\n]"


def _parameter(key: str, value: str) -> str:
    return f'parameters: {{ key: "{key}" value: {{ string_value: "{value}" }} }}'
