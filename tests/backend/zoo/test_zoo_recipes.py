"""The deepbet recipe, with a tiny network in place of the third party's."""

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hmz_backend.zoo.check import check_package
from hmz_backend.zoo.recipes import RECIPES, deepbet, recipe
from napari_hmz.errors import NotFound, PackageDigestWrong, PackageFileMissing, PackageInvalid


def two_classes() -> bytes:
    """A network like deepbet's: `image` (b, 1, x, y, z) -> `classes` (b, 2, x, y, z)."""
    kernel = np.array([-4.0, 4.0], dtype=np.float32).reshape(2, 1, 1, 1, 1)
    bias = np.array([2.8, -2.8], dtype=np.float32)
    sizes = ["b", 1, "x", "y", "z"]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel", "bias"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["classes"], axis=1),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["b", 2, "x", "y", "z"])],
        initializer=[
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    imports = [helper.make_opsetid("", deepbet.OPSET)]
    return bytes(helper.make_model(graph, ir_version=8, opset_imports=imports).SerializeToString())


def test_the_recipe_makes_a_whole_package(tmp_path: Path) -> None:
    asked: list[Path] = []

    def export(weights: Path) -> bytes:
        asked.append(weights)
        return deepbet.turned(two_classes())

    folder = deepbet.build(tmp_path / "deepbet", weights=tmp_path / "w.pt", export=export)
    report = check_package(folder)
    assert report.ok, report.findings
    assert asked == [tmp_path / "w.pt"]
    assert report.package is not None
    card = report.package.card
    assert (card.id, card.version, card.licence) == ("deepbet", "1.0.2", "MIT")
    assert card.inputs[0].axes == ("c", "z", "y", "x")
    assert card.outputs[0].axes == ("z", "y", "x")
    assert (card.outputs[0].kind, card.outputs[0].dtype) == ("semantic-labels", "uint8")
    assert [entry.name for entry in card.outputs[0].classes] == ["background", "brain"]
    share = np.load(folder / "test_output.npy").mean()
    assert 0.1 < share < 0.9  # a test tensor of one value would test nothing


def test_the_network_is_turned_to_our_axes() -> None:
    import onnxruntime

    data = deepbet.turned(two_classes())
    onnx.checker.check_model(onnx.load_model_from_string(data))
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).normal(size=(1, 1, 3, 4, 5)).astype(np.float32)
    (brain,) = session.run(None, {"turned": image})
    np.testing.assert_allclose(brain, 1 / (1 + np.exp(5.6 - 8 * image)), rtol=1e-4)


class _Installed:
    """What `importlib.metadata` says of an installed package."""

    def __init__(self, folder: Path, version: str = deepbet.VERSION) -> None:
        self.folder, self.version = folder, version

    def locate_file(self, name: str) -> Path:
        return self.folder / name


def install(monkeypatch: pytest.MonkeyPatch, package: _Installed) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: package)


def test_without_deepbet_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(PackageFileMissing, match="pip install --no-deps deepbet") as caught:
        recipe("deepbet").build(tmp_path / "deepbet")
    assert "torch" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, _Installed(tmp_path, "2.0"))
    with pytest.raises(PackageInvalid, match=r"2\.0"):
        deepbet.installed_weights()


def test_lost_and_changed_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, _Installed(tmp_path))
    with pytest.raises(PackageFileMissing, match=r"model\.pt"):
        deepbet.installed_weights()
    path = tmp_path / deepbet.WEIGHTS
    path.parent.mkdir(parents=True)
    path.write_bytes(b"code of somebody else")
    with pytest.raises(PackageDigestWrong):
        deepbet.installed_weights()


def test_without_torch_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails from now on
    with pytest.raises(PackageFileMissing, match="torch is needed") as caught:
        deepbet.export_with_torch(tmp_path / "model.pt")
    assert "pip install" in caught.value.remedy


def test_unknown_recipes_name_the_known_ones() -> None:
    with pytest.raises(NotFound, match="deepbet"):
        recipe("cake")
    assert all(entry.name == name for name, entry in RECIPES.items())
