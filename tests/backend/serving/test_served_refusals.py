"""What cannot be computed, or trusted, is refused, and said why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from numpy.typing import NDArray

from hmz_backend.serving import PackageBroken, ServedModel, ServingError, TileRejected
from hmz_backend.testing.packages import TinyPackage

from .conftest import ADD, FLOAT, custom, image


@pytest.mark.parametrize(
    ("inputs", "tensor", "message"),
    [
        ({}, "image", "missing"),
        ({"other": image()}, "other", "no such input"),
        ({"image": image((21, 34))}, "image", "21x34"),
        ({"image": image().astype(complex)}, "image", "complex128"),
        ({"image": image((1, 0, 4))}, "image", "no voxels"),
    ],
)
def test_unfit_tiles_are_refused_by_name(
    tmp_path: Path, inputs: Mapping[str, NDArray[Any]], tensor: str, message: str
) -> None:
    model = ServedModel.load(TinyPackage(pre=[FLOAT]).write(tmp_path / "p"))
    with pytest.raises(TileRejected, match=message) as failure:
        model.run_tile(inputs, {})
    assert failure.value.tensor == tensor


def test_failing_networks_and_steps_say_why_in_one_line(tmp_path: Path) -> None:
    model = ServedModel.load(TinyPackage(network="mean", pre=[FLOAT]).write(tmp_path / "a"))
    with pytest.raises(ServingError, match="the network failed") as failure:
        model.run_tile({"image": image((2, 8, 8))}, {})
    assert "\n" not in failure.value.cause
    code = "def fail():\n    def run(x):\n        raise KeyError('no\\nsuch')\n    return run\n"
    model = ServedModel.load(TinyPackage(**custom(code, "fail")).write(tmp_path / "b"))
    with pytest.raises(ServingError, match="KeyError") as failure:
        model.run_tile({"image": image()}, {})
    assert failure.value.tensor == "result"


def test_packages_that_cannot_be_trusted_are_not_loaded(tmp_path: Path) -> None:
    good = TinyPackage(**custom(ADD, "add"))
    changed = good.write(tmp_path / "changed")
    (changed / "step.py").write_text(ADD + "# changed\n")
    unsigned = good.write(tmp_path / "unsigned")
    document = yaml.safe_load((unsigned / "rdf.yaml").read_text())
    del document["outputs"][0]["postprocessing"][0]["sha256"]
    (unsigned / "rdf.yaml").write_text(yaml.safe_dump(document))
    missing = good.write(tmp_path / "missing")
    (missing / "step.py").unlink()
    weightless = good.write(tmp_path / "weightless")
    (weightless / "weights.onnx").unlink()
    garbled = good.write(tmp_path / "garbled")
    (garbled / "weights.onnx").write_bytes(b"no network")
    for folder, message in (
        (changed, "not the one"),
        (unsigned, "sha256"),
        (missing, "missing"),
        (weightless, "weights"),
        (garbled, "does not load"),
        (tmp_path / "nothing", "rdf.yaml"),
    ):
        with pytest.raises(PackageBroken, match=message):
            ServedModel.load(folder)
