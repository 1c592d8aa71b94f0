from collections.abc import Iterator
from pathlib import Path

import pytest

from hmz_backend.engines.bundled import RunningTriton, install, start
from hmz_backend.testing.engine_contract import MODEL, contract_package
from hmz_backend.testing.packages import TinyPackage
from hmz_backend.zoo.package import load_package
from hmz_backend.zoo.triton_repository import write_triton_repository

WATERSHED = """
import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed


class Decode:
    '''Smooth, find peaks, grow them: much arithmetic for a difference to show in.'''

    def __init__(self, level=0.5):
        self.level = level

    def __call__(self, fields):
        labels = np.zeros(fields.shape, np.float32)
        for index, field in enumerate(fields[:, 0]):
            smooth = ndimage.gaussian_filter(field, 1.5)
            peaks = (smooth == ndimage.maximum_filter(smooth, 5)) & (smooth > self.level)
            labels[index, 0] = watershed(-smooth, ndimage.label(peaks)[0], mask=field > self.level)
        return labels
"""


def grains_package(folder: Path) -> Path:
    """A package with scaling, a convolution and a watershed."""
    axes = ["channel", "y", "x"]
    hmz = {
        "task": "instance-segmentation",
        "outputs": {"labels": {"kind": "instance-labels", "dtype": "uint32"}},
        "parameters": {
            "level": {"type": "number", "default": 0.5, "minimum": 0, "maximum": 1},
            "diameter": {"type": "number", "default": 9, "minimum": 1, "maximum": 90},
        },
        "bindings": {"level": {"tensor": "labels", "step": 1, "kwarg": "level"}},
        "rescale": {"parameter": "diameter", "reference": 9, "axes": ["y", "x"]},
    }
    decode = {
        "id": "custom",
        "source": "decode.py",
        "sha256": "SHA256:decode.py",
        "callable": "Decode",
        "kwargs": {"level": 0.5},
    }
    ranges = {"min_percentile": 1, "max_percentile": 99.8, "axes": axes}
    return TinyPackage(
        id="grains",
        network="mean",
        output="labels",
        output_dtype="uint32",
        size={"min": 32, "step": 16},
        pre=[
            {"id": "scale_range", "kwargs": ranges},
            {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
        ],
        post=[{"id": "scale_linear", "kwargs": {"gain": 1.01, "offset": 0.003}}, decode],
        files={"decode.py": WATERSHED},
        hmz=hmz,
    ).write(folder)


def broken_package(folder: Path) -> Path:
    """A package whose weights are no network."""
    TinyPackage(id="broken").write(folder)
    (folder / "weights.onnx").write_bytes(b"no network")
    text = (folder / "rdf.yaml").read_text()
    lines = [line for line in text.splitlines() if "sha256" not in line]
    (folder / "rdf.yaml").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    contract_package(folder / MODEL)
    grains_package(folder / "grains")
    broken_package(folder / "broken")
    return folder


@pytest.fixture(scope="session")
def repository(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    install()
    folder = tmp_path_factory.mktemp("triton") / "repository"
    loaded = [load_package(path) for path in sorted(packages.iterdir())]
    write_triton_repository(loaded, folder, instances=1)
    return folder


@pytest.fixture(scope="session")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    """One server for all tests that leave it as it was."""
    log = tmp_path_factory.mktemp("server") / "triton.log"
    with start(repository, log=log) as running:
        yield running


@pytest.fixture
def mortal(repository: Path, tmp_path: Path) -> Iterator[RunningTriton]:
    """A server of the test's own, which may be killed."""
    with start(repository, log=tmp_path / "triton.log") as running:
        yield running
