"""What Triton's Python backend runs: one process per model instance, one tile per request.

A deployed model is a folder with `model.py` (which imports `TritonPythonModel` from here), this
package as `hmz_serving`, the model package as `package`, and, if the network is a Triton model of
its own, `network.json` with its name and tensors. A failed tile becomes an error of that request
alone, as `FAILED` and JSON.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import triton_python_backend_utils as backend

from .errors import ServingError, TileRejected, cause_of
from .model import ServedModel
from .network import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORDS = "hmz_request"
FAILED = "hmz-tile-failed:"
Request: TypeAlias = Any
Response: TypeAlias = Any


class TritonPythonModel:
    """The entry that Triton looks for by this name."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the model package; an exception here is what Triton reports as the reason."""
        folder = Path(args["model_repository"]) / args["model_version"]
        config = json.loads(args["model_config"])
        self._typed = typed_inputs(entry["name"] for entry in config["input"])
        document = folder / "network.json"
        network = ServedNetwork(json.loads(document.read_text())) if document.is_file() else None
        self._model = ServedModel.load(folder / "package", network=network)

    def execute(self, requests: Sequence[Request]) -> list[Response]:
        """Answer each request; one that was cancelled while it waited is not computed."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Response:
        if request.is_cancelled():
            error = backend.TritonError("cancelled", backend.TritonError.CANCELLED)
            return backend.InferenceResponse(error=error)
        try:
            words = read_words(request)
            outputs = self._model.run_tile(
                self._inputs(request),
                words.get("parameters") or {},
                words.get("statistics"),
                words.get("origin"),
                words.get("used"),
            )
        except TileRejected as error:
            return refused(error, backend.TritonError.INVALID_ARG)
        except ServingError as error:
            return refused(error, backend.TritonError.INTERNAL)
        except Exception as error:  # noqa: BLE001 # contributed code may raise anything; the process lives on
            return refused(ServingError(cause_of(error)), backend.TritonError.INTERNAL)
        return backend.InferenceResponse(
            [backend.Tensor(name, array) for name, array in outputs.items()]
        )

    def _inputs(self, request: Request) -> "dict[str, NDArray[Any]]":
        inputs: dict[str, NDArray[Any]] = {}
        for tensor, name in self._typed.items():
            given = backend.get_input_tensor_by_name(request, tensor)
            if given is not None and name in inputs:
                raise TileRejected("it was given in two dtypes", tensor=name)
            if given is not None:
                inputs[name] = given.as_numpy()
        return inputs


class ServedNetwork(Network):
    """The network as a Triton model of its own, called within the server so that it can batch.

    Parameters
    ----------
    document
        `model`, `inputs` and `outputs`: names in the network's order, inputs with their dtypes.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._model = str(document["model"])
        self._inputs = [(entry["name"], entry["dtype"]) for entry in document["inputs"]]
        self._outputs = [str(entry["name"]) for entry in document["outputs"]]

    def __call__(self, inputs: "Sequence[NDArray[Any]]") -> "list[NDArray[Any]]":
        """Map input arrays (with batch axis) to output arrays."""
        tensors = [
            backend.Tensor(name, np.ascontiguousarray(array, dtype=dtype))
            for (name, dtype), array in zip(self._inputs, inputs, strict=True)
        ]
        response = backend.InferenceRequest(
            model_name=self._model, requested_output_names=self._outputs, inputs=tensors
        ).exec()
        if response.has_error():
            raise ServingError(f"the network failed: {response.error().message()}")
        return [
            backend.get_output_tensor_by_name(response, name).as_numpy() for name in self._outputs
        ]


def read_words(request: Request) -> Mapping[str, Any]:
    """Return what travels beside the pixels of a tile."""
    given = backend.get_input_tensor_by_name(request, WORDS)
    return {} if given is None else json.loads(bytes(given.as_numpy().ravel()[0]))


def typed_inputs(names: Iterable[str]) -> dict[str, str]:
    """Return Triton input -> input of the model: each stands once for every dtype that it takes."""
    return {name: name.rpartition("_")[0] for name in names if name != WORDS}


def refused(error: ServingError, code: int) -> Response:
    """Make the response of a tile that was not computed."""
    words = json.dumps({"tensor": error.tensor, "cause": error.cause})
    return backend.InferenceResponse(error=backend.TritonError(f"{FAILED}{words}", code))
