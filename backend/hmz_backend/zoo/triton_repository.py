"""Write model packages as a Triton model repository, so that a reader never sees half a model.

Each model version is a folder of its own that does not change once it is there; it is made under a
temporary name outside the repository and then renamed.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from hmz_backend import serving
from hmz_backend.engines.triton_name import network_name, triton_name
from hmz_backend.serving.description import read_description
from hmz_backend.serving.network import ONNX_DTYPE, onnx_weights
from hmz_backend.zoo.triton_config import (
    Kind,
    NetworkTensor,
    config_pbtxt,
    network_pbtxt,
)
from napari_hmz.errors import PackageInvalid
from napari_hmz.schema import ModelCard

MODEL_PY = '''"""Written by napari-hmz: the entry that Triton's Python backend looks for."""

from hmz_serving.triton_model import TritonPythonModel

__all__ = ["TritonPythonModel"]
'''
INSTANCES = 2
LEFT_OUT = ("__pycache__", "*.pyc", ".*")


class Deployable(Protocol):
    """What is needed of a package: `zoo.Package` has it."""

    @property
    def folder(self) -> Path:
        """Where its files are."""

    @property
    def card(self) -> ModelCard:
        """What it says of itself."""


def write_triton_repository(
    packages: Iterable[Deployable],
    folder: Path,
    *,
    kind: Kind = "python",
    instances: int = INSTANCES,
    environment: str = "",
) -> None:
    """Make `folder` the repository of exactly these packages.

    Parameters
    ----------
    packages
        Checked packages.
    folder
        The repository; made if it is not there. Models in it that are none of `packages` go.
    kind
        `python`: network and processing in one Python model (any Triton). `bls`: the network as an
        onnxruntime model with dynamic batching, called by the Python part (a Triton with that
        backend).
    instances
        Processes of each Python part.
    environment
        Python environment on the machine of a foreign Triton.

    Raises
    ------
    PackageInvalid
        If `kind` is `bls` and a package has no ONNX network.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as made:
        building, leaving = Path(made) / "new", Path(made) / "old"
        building.mkdir()
        leaving.mkdir()
        for package in packages:
            name = triton_name(package.card.id, package.card.version)
            text = config_pbtxt(
                package.card, kind=kind, instances=instances, environment=environment
            )
            _write_python_part(package, building / name, text)
            if kind == "bls":
                _write_network(package, building)
        _exchange(building, folder, leaving)


def _exchange(building: Path, folder: Path, leaving: Path) -> None:
    fresh = {path.name for path in building.iterdir()}
    for path in list(folder.iterdir()):
        if path.is_dir() and path.name not in fresh:
            path.rename(leaving / path.name)
    for name in sorted(fresh, key=lambda word: not word.endswith("-network")):  # callees first
        target = folder / name
        if target.exists():
            target.rename(leaving / name)
        (building / name).rename(target)


def _write_python_part(package: Deployable, folder: Path, config: str) -> None:
    version = folder / "1"
    version.mkdir(parents=True)
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(Path(serving.__path__[0]), version / "hmz_serving", ignore=ignored)
    shutil.copytree(package.folder, version / "package", ignore=ignored)
    (version / "model.py").write_text(MODEL_PY)
    (folder / "config.pbtxt").write_text(config)


def _write_network(package: Deployable, building: Path) -> None:
    description = read_description(package.folder)
    if description.config.get("pipeline"):
        return  # the contributor's class is the network
    weights = onnx_weights(description)
    if weights is None:
        raise PackageInvalid(f"{package.card.id} has no ONNX network to deploy on its own.")
    inputs, outputs = network_tensors(weights)
    name = network_name(triton_name(package.card.id, package.card.version))
    folder = building / name
    (folder / "1").mkdir(parents=True)
    shutil.copy2(weights, folder / "1" / "model.onnx")
    text = network_pbtxt(name, inputs, outputs, batch=package.card.tile.batch)
    (folder / "config.pbtxt").write_text(text)
    document = {
        "model": name,
        "inputs": [{"name": tensor.name, "dtype": tensor.dtype} for tensor in inputs],
        "outputs": [{"name": tensor.name, "dtype": tensor.dtype} for tensor in outputs],
    }
    python_part = building / triton_name(package.card.id, package.card.version)
    (python_part / "1" / "network.json").write_text(json.dumps(document, indent=2))


def network_tensors(weights: Path) -> tuple[list[NetworkTensor], list[NetworkTensor]]:
    """Return inputs and outputs of an ONNX file, in its order."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    inputs, outputs = (
        [
            NetworkTensor(
                name=tensor.name,
                dtype=ONNX_DTYPE[tensor.type],
                shape=tuple(e if isinstance(e, int) and e > 0 else -1 for e in tensor.shape),
            )
            for tensor in tensors
        ]
        for tensors in (session.get_inputs(), session.get_outputs())
    )
    return inputs, outputs
