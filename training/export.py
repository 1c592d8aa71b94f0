"""Write a trained torch network as ONNX and check that both compute the same."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.export import Dim


class MismatchError(RuntimeError):
    """The exported network does not compute what the trained one does."""


def to_onnx(
    network: nn.Module,
    path: Path,
    *,
    axes: str,
    multiple: int,
    smallest_px: int,
    output: str = "fields",
) -> float:
    """Export `network` (b, 1, spatial...) with free sizes; give the largest difference to torch.

    Sizes are multiples of `multiple`, the input is named `image`.
    Raises MismatchError where onnxruntime differs from torch.
    """
    network = network.eval().to(memory_format=torch.contiguous_format)
    sizes = [smallest_px + multiple * step for step in range(len(axes))]
    example = torch.randn(2, 1, *sizes)
    # torch.export wants each free size as a multiple of a base, so that pooling divides evenly.
    free = {2 + place: multiple * Dim(axis, min=1, max=512) for place, axis in enumerate(axes)}
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        input_names=["image"],
        output_names=[output],
        dynamic_shapes=({0: Dim("b", min=1, max=64), **free},),
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise MismatchError("the exporter gave no program")
    partial = path.with_suffix(".partial")
    program.save(str(partial), external_data=False)
    _strip(partial)
    onnx.checker.check_model(onnx.load(partial))
    difference = compare(network, partial, [1, *(size + multiple for size in reversed(sizes))])
    if difference > 1e-3:
        raise MismatchError(f"{path.name} differs by {difference}")
    partial.replace(path)
    return difference


def _strip(path: Path) -> None:
    """Remove what the exporter notes of the machine it ran on: stack traces with paths."""
    network = onnx.load(path)
    for node in network.graph.node:
        del node.metadata_props[:]
    onnx.save(network, path)


def compare(network: nn.Module, path: Path, shape: list[int]) -> float:
    """Give the largest difference between torch and onnxruntime on one random image."""
    image = torch.rand(shape[0], 1, *shape[1:], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(image).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (actual,) = session.run(None, {"image": image.numpy()})
    return float(np.abs(np.asarray(actual) - expected).max())
