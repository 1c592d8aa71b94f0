"""The test tensors of a package: that they fit its description, and that the model gives them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.serving import ServedModel
from hmz_backend.serving.axes import axis_ids
from hmz_backend.serving.errors import ServingError
from hmz_backend.serving.reference import TensorDescription
from hmz_backend.zoo.arrays import read_array
from hmz_backend.zoo.package import Package
from napari_hmz.errors import NotReproduced, PackageInvalid
from napari_hmz.schema import resolve_parameters

Arrays = Mapping[str, NDArray[Any]]
RunTile = Callable[[Arrays, Mapping[str, object]], Arrays]
"""Inputs in card axes and parameters -> outputs in card axes, by whatever engine."""


@dataclass(frozen=True)
class Tolerance:
    """How far a result may be from the test tensor; bioimage.io's defaults.

    Parameters
    ----------
    relative, absolute
        A voxel agrees if `|found - expected| <= absolute + relative * |expected|`.
    mismatched_per_million
        How many voxels of a million need not agree.
    """

    relative: float = 1e-3
    absolute: float = 1e-3
    mismatched_per_million: float = 100.0


def tensor_file(package: Package, tensor: TensorDescription) -> Path | None:
    """Return the path of a tensor's test array, if it has one."""
    if tensor.test_tensor is None:
        return None
    source = tensor.test_tensor.source
    return package.folder / str(getattr(source, "path", source))


def tensors_of(package: Package) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return the test inputs and test outputs of a package, with their batch axes.

    Raises
    ------
    PackageInvalid
        If an input or output has none.
    """
    arrays: dict[str, NDArray[Any]] = {}
    description = package.description
    for name, tensor in {**description.inputs, **description.outputs}.items():
        path = tensor_file(package, tensor)
        if path is None:
            raise PackageInvalid(f"{package.folder.name}: '{name}' has no test tensor.")
        arrays[name] = read_array(path)
    return (
        {name: arrays[name] for name in description.inputs},
        {name: arrays[name] for name in description.outputs},
    )


def check_tensors(package: Package) -> str:
    """Check shapes and dtypes of the test tensors against the description; say what was seen.

    Raises
    ------
    PackageInvalid
        If one is missing, or of an axis, extent or dtype that the description excludes.
    """
    from bioimageio.spec.model.v0_5 import validate_tensors

    inputs, outputs = tensors_of(package)
    arrays = {**inputs, **outputs}
    model = package.description.model
    try:
        validate_tensors(
            {
                tensor.id: (tensor, arrays[str(tensor.id)])
                for tensor in [*model.inputs, *model.outputs]
            },
            tensor_origin="test_tensor",
            pad_inputs="allow",
            crop_outputs="allow",
        )
    except ValueError as error:
        raise PackageInvalid(f"{package.folder.name}: {error}.") from error
    return "test tensors fit the description"


def served(package: Package) -> RunTile:
    """Load the package in this process and return what computes a tile of it.

    Raises
    ------
    PackageInvalid
        If it does not load.
    """
    try:
        model = ServedModel.load(package.folder)
    except ServingError as error:
        raise PackageInvalid(f"{package.folder.name} does not load: {error.cause}.") from error
    return lambda inputs, parameters: model.run_tile(inputs, parameters, None)


def reproduce(package: Package, run: RunTile | None = None) -> str:
    """Compute the test inputs and compare with the test outputs; say how far they agree.

    Parameters
    ----------
    package
        The package.
    run
        What computes; the package loaded in this process if it is not given.

    Raises
    ------
    NotReproduced
        If a result differs by more than the package's own tolerance, or the model fails.
    PackageInvalid
        If the package does not load.
    """
    inputs, expected = tensors_of(package)
    parameters, _ = resolve_parameters(package.config.parameters, package.config.test.parameters)
    found = _compute(package, run or served(package), inputs, parameters)
    worst = [_compare(package, name, found[name], expected[name]) for name in expected]
    return f"test tensors are reproduced ({max(worst):.0f} of a million voxels differ)"


def _compute(
    package: Package, run: RunTile, inputs: Arrays, parameters: Mapping[str, object]
) -> dict[str, list[NDArray[Any]]]:
    description = package.description
    batches = {name: _items(description.inputs[name], array) for name, array in inputs.items()}
    count = max(len(items) for items in batches.values())
    results: dict[str, list[NDArray[Any]]] = {name: [] for name in description.outputs}
    for index in range(count):
        tile = {name: items[min(index, len(items) - 1)] for name, items in batches.items()}
        try:
            outputs = run(tile, parameters)
        except ServingError as error:
            raise NotReproduced(
                f"{package.folder.name} fails on its test tensors: {error}."
            ) from error
        for name, found in results.items():
            found.append(outputs[name])
    return results


def _items(tensor: TensorDescription, array: NDArray[Any]) -> list[NDArray[Any]]:
    ids = axis_ids(tensor)
    return list(np.moveaxis(array, ids.index("batch"), 0)) if "batch" in ids else [array]


def _compare(
    package: Package, name: str, found: list[NDArray[Any]], expected: NDArray[Any]
) -> float:
    tensor = package.description.outputs[name]
    wanted = _items(tensor, expected)
    if "channel" in axis_ids(tensor) and package.description.is_labels(name):
        place = [axis for axis in axis_ids(tensor) if axis != "batch"].index("channel")
        wanted = [item.take(0, axis=place) for item in wanted]
    if [item.shape for item in found] != [item.shape for item in wanted]:
        shapes = f"{found[0].shape}, not {wanted[0].shape}"
        raise NotReproduced(f"{package.folder.name}: output '{name}' has the shape {shapes}.")
    tolerance = tolerance_of(package, name)
    share = mismatch(np.stack(found), np.stack(wanted), tolerance)
    if share > tolerance.mismatched_per_million:
        raise NotReproduced(
            f"{package.folder.name}: output '{name}' differs from its test tensor "
            f"in {share:.0f} of a million voxels."
        )
    return share


def mismatch(found: NDArray[Any], expected: NDArray[Any], tolerance: Tolerance) -> float:
    """Return how many voxels of a million differ by more than `tolerance`; both of one shape."""
    close = np.isclose(
        found.astype(np.float64),
        expected.astype(np.float64),
        rtol=tolerance.relative,
        atol=tolerance.absolute,
        equal_nan=True,
    )
    return float(np.count_nonzero(~close)) * 1e6 / max(1, close.size)


def tolerance_of(package: Package, output: str) -> Tolerance:
    """Return the tolerance that a package states for one of its outputs."""
    for entry in package.description.model.config.bioimageio.reproducibility_tolerance:
        if not entry.output_ids or output in {str(name) for name in entry.output_ids}:
            return Tolerance(
                float(entry.relative_tolerance),
                float(entry.absolute_tolerance),
                float(entry.mismatched_elements_per_million),
            )
    return Tolerance()
