"""TorchScript to ONNX; the only module that needs torch."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hmz.errors import PackageInvalid

LARGEST_DIFFERENCE = 1e-2
"""Between ONNX and torch, in values that lie in 0..1."""


def export_network(weights: Path, example: NDArray[np.float32], *, opset: int) -> bytes:
    """Return a TorchScript network of volumes as ONNX, with free sizes, and checked.

    Parameters
    ----------
    weights
        The TorchScript file; it holds code, so it must be trusted.
    example
        An input (b, c, and three spatial axes).
    opset
        The version of the ONNX operator set.

    Returns
    -------
    network
        Its input is called `image`, its output `classes`.

    Raises
    ------
    ModuleNotFoundError
        If torch or onnx is not installed.
    PackageInvalid
        If the ONNX network computes something else.
    """
    import onnx  # noqa: F401 # torch needs it to export, and says so less clearly
    import torch

    network = torch.jit.load(str(weights), map_location="cpu").eval()
    image = torch.from_numpy(example)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        _export(network, image, path, opset)
        data = path.read_bytes()
    with torch.no_grad():
        _compare(data, example, network(image).numpy())
    return data


def _export(network: Any, image: Any, path: Path, opset: int) -> None:  # noqa: ANN401 # of torch
    import torch

    sizes = {0: "b", 2: "first", 3: "second", 4: "third"}
    with warnings.catch_warnings():
        # The exporter that takes TorchScript is an old one, and its warnings tell us just that.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (image,),
            str(path),
            dynamo=False,
            opset_version=opset,
            input_names=["image"],
            output_names=["classes"],
            dynamic_axes={"image": sizes, "classes": sizes},
        )


def _compare(data: bytes, image: NDArray[np.float32], expected: NDArray[Any]) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(None, {"image": image})[0])
    difference = float(np.abs(found - expected).max())
    if not difference < LARGEST_DIFFERENCE:
        raise PackageInvalid(f"The exported network differs from torch's by {difference:.3g}.")
