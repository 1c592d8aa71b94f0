"""Contributed classes in place of network and steps."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from hmz_backend.serving import PackageBroken, ServedModel, ServingError
from hmz_backend.testing.packages import TinyPackage

from .conftest import image, statistics

PIPELINE = """
import numpy as np

class Pipeline:
    def __init__(self, folder, threads):
        self.name = folder.name

    def predict(self, inputs, parameters, statistics):
        if parameters["gain"] < 0:
            raise ValueError("gain must not be negative")
        return {"result": inputs["image"] * parameters["gain"] + statistics["channels"][0]["mean"]}
"""


def pipeline_package(folder: Path) -> Path:
    entry = {
        "source": "pipeline.py",
        "sha256": hashlib.sha256(PIPELINE.encode()).hexdigest(),
        "callable": "Pipeline",
    }
    hmz = {"pipeline": entry, "parameters": {"gain": {"type": "number", "default": 2}}}
    return TinyPackage(files={"pipeline.py": PIPELINE}, hmz=hmz).write(folder)


def test_a_contributed_class_replaces_network_and_steps(tmp_path: Path) -> None:
    model = ServedModel.load(pipeline_package(tmp_path / "p"))
    known = statistics(image())
    result = model.run_tile({"image": image()}, {}, known)["result"]
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, image() * 2.0 + image().mean(), rtol=1e-6)
    with pytest.raises(ServingError, match="gain must not be negative"):
        model.run_tile({"image": image()}, {"gain": -1}, known)


def test_a_changed_contributed_class_is_not_run(tmp_path: Path) -> None:
    folder = pipeline_package(tmp_path / "p")
    (folder / "pipeline.py").write_text(PIPELINE + "raise SystemExit\n")
    with pytest.raises(PackageBroken, match="not the one"):
        ServedModel.load(folder)
