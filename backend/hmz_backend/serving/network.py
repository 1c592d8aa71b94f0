"""The network itself, without any processing: arrays in, arrays out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .description import Description
from .errors import PackageBroken, ServingError, cause_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONNX_DTYPE = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


class Network(Protocol):
    """What computes; the inputs and outputs stand in the order of the package's description."""

    def __call__(self, inputs: "Sequence[NDArray[Any]]") -> "Sequence[NDArray[Any]]":
        """Map input arrays (with batch axis) to output arrays.

        Raises
        ------
        ServingError
            If the network fails on these inputs.
        """


class OnnxNetwork:
    """A network in onnxruntime; with one thread its results do not depend on the machine's load.

    Parameters
    ----------
    weights
        The ONNX file.
    threads
        Threads inside one operator.
    """

    def __init__(self, weights: Path, *, threads: int = 1) -> None:
        import onnxruntime as runtime

        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = (
            3  # errors only: warnings name optimisations, for no reader of ours
        )
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in runtime.get_available_providers()]
        try:
            self._session = runtime.InferenceSession(
                str(weights), sess_options=options, providers=providers
            )
        except Exception as error:  # onnxruntime's exceptions share no base of their own
            raise PackageBroken(f"{weights.name} does not load: {cause_of(error)}") from error
        self._inputs = [
            (tensor.name, ONNX_DTYPE.get(tensor.type)) for tensor in self._session.get_inputs()
        ]

    def __call__(self, inputs: "Sequence[NDArray[Any]]") -> "Sequence[NDArray[Any]]":
        """Map input arrays (with batch axis) to output arrays, in the network's own dtypes."""
        feeds = {
            name: np.ascontiguousarray(array, dtype=dtype or array.dtype)
            for (name, dtype), array in zip(self._inputs, inputs, strict=True)
        }
        try:
            outputs: list[NDArray[Any]] = self._session.run(None, feeds)
        except Exception as error:  # onnxruntime's exceptions share no base of their own
            raise ServingError(f"the network failed: {cause_of(error)}") from error
        return outputs


class AdaptedNetwork:
    """A network in any other weights format, through the reference's model adapters.

    Parameters
    ----------
    description
        The package; its weights' format decides the framework, which must be installed.
    """

    def __init__(self, description: Description) -> None:
        from bioimageio.core import create_model_adapter

        self._inputs = list(description.inputs.values())
        self._outputs = list(description.outputs)
        try:
            self._adapter = create_model_adapter(description.model)
        except Exception as error:  # each framework raises its own
            raise PackageBroken(f"the weights do not load: {cause_of(error)}") from error

    def __call__(self, inputs: "Sequence[NDArray[Any]]") -> "Sequence[NDArray[Any]]":
        """Map input arrays (with batch axis) to output arrays."""
        from bioimageio.core import Tensor

        members = {
            tensor.id: Tensor(array, dims=[axis.id for axis in tensor.axes])
            for tensor, array in zip(self._inputs, inputs, strict=True)
        }
        try:
            results = self._adapter.forward(members)
        except Exception as error:  # each framework raises its own
            raise ServingError(f"the network failed: {cause_of(error)}") from error
        named = {str(name): tensor for name, tensor in results.items()}
        return [named[name].to_numpy() for name in self._outputs]


def onnx_weights(description: Description) -> Path | None:
    """Return the path of the package's ONNX weights, if it has some.

    Raises
    ------
    PackageBroken
        If the description names a file that is not there.
    """
    entry = description.model.weights.onnx
    if entry is None:
        return None
    path = description.folder / str(getattr(entry.source, "path", entry.source))
    if not path.is_file():
        raise PackageBroken(f"the weights {path.name} are missing")
    return path


def load_network(description: Description, *, threads: int) -> Network:
    """Load the package's network: ONNX in onnxruntime if there is one, else by the reference."""
    weights = onnx_weights(description)
    return OnnxNetwork(weights, threads=threads) if weights else AdaptedNetwork(description)
