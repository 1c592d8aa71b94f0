"""Every processing step behaves as in bioimageio.core: same package, same tile, same numbers."""

import gc
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from bioimageio.core import create_prediction_pipeline
from bioimageio.core.digest_spec import create_sample_for_model
from bioimageio.spec import load_model_description
from numpy.typing import NDArray

from hmz_backend.serving import ServedModel
from hmz_backend.testing.packages import TinyPackage

FLOAT = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}
ALONG = {"axis": "channel"}
STEPS: dict[str, dict[str, Any]] = {
    "binarize": {"id": "binarize", "kwargs": {"threshold": 90}},
    "clip": {"id": "clip", "kwargs": {"min": 40.0, "max": 160.0}},
    "clip to percentiles": {
        "id": "clip",
        "kwargs": {"min_percentile": 5, "max_percentile": 90, "axes": ["channel", "y", "x"]},
    },
    "ensure_dtype": {"id": "ensure_dtype", "kwargs": {"dtype": "int16"}},
    "scale_linear": {"id": "scale_linear", "kwargs": {"gain": 0.25, "offset": -3.0}},
    "scale_linear along": {
        "id": "scale_linear",
        "kwargs": {"gain": [0.5, 2.0], "offset": [1.0, -1.0], **ALONG},
    },
    "scale_range": {
        "id": "scale_range",
        "kwargs": {"min_percentile": 1, "max_percentile": 99.8, "axes": ["channel", "y", "x"]},
    },
    "scale_range per channel": {
        "id": "scale_range",
        "kwargs": {"min_percentile": 1, "max_percentile": 99.8, "axes": ["y", "x"]},
    },
    "scale_range of a dataset": {
        "id": "scale_range",
        "kwargs": {"axes": ["batch", "channel", "y", "x"]},
    },
    "sigmoid": {"id": "sigmoid"},
    "softmax": {"id": "softmax", "kwargs": {"axis": "channel"}},
    "zero_mean_unit_variance": {
        "id": "zero_mean_unit_variance",
        "kwargs": {"axes": ["channel", "y", "x"]},
    },
    "zero_mean_unit_variance per channel": {
        "id": "zero_mean_unit_variance",
        "kwargs": {"axes": ["y", "x"]},
    },
    "fixed_zero_mean_unit_variance": {
        "id": "fixed_zero_mean_unit_variance",
        "kwargs": {"mean": 80.0, "std": 12.5},
    },
    "fixed_zero_mean_unit_variance along": {
        "id": "fixed_zero_mean_unit_variance",
        "kwargs": {"mean": [80.0, 90.0], "std": [12.5, 20.0], **ALONG},
    },
    "custom": {
        "id": "custom",
        "source": "steps.py",
        "sha256": "SHA256:steps.py",
        "callable": "Powered",
        "kwargs": {"exponent": 1.5},
    },
}
CODE = """
class Powered:
    def __init__(self, exponent=1.0):
        self.exponent = exponent

    def __call__(self, image):
        return image.astype("float32") ** self.exponent
"""
ONLY_AFTER = ("custom",)
MEASURED = ("clip to", "scale_range", "zero_mean_unit_variance")
"""Steps that the reference cannot run after the network: it takes no measures of outputs."""
BEFORE = {name: step for name, step in STEPS.items() if name not in ONLY_AFTER}
AFTER = {name: step for name, step in STEPS.items() if not name.startswith(MEASURED)}


def tile(dtype: str = "uint16") -> NDArray[Any]:
    values = np.random.default_rng(5).gamma(4.0, 25.0, (2, 17, 23))
    return np.clip(values, 0, 255).astype(dtype)


def reference(folder: Path, image: NDArray[Any]) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the reference leaves its files open
        warnings.simplefilter("ignore", UserWarning)  # and warns that one tile is a small data set
        model = load_model_description(folder / "rdf.yaml", perform_io_checks=False)
        pipeline = create_prediction_pipeline(model)
        sample = create_sample_for_model(model, inputs={"image": image[None]})
        result = pipeline.predict_sample_without_blocking(sample)
        array: NDArray[Any] = result.members["result"].to_numpy()[0]
        gc.collect()
    return array


def served(folder: Path, image: NDArray[Any]) -> NDArray[Any]:
    return ServedModel.load(folder).run_tile({"image": image}, {})["result"]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("name", BEFORE)
def test_preprocessing_is_that_of_the_reference(tmp_path: Path, name: str, dtype: str) -> None:
    package = TinyPackage(channels=2, pre=[BEFORE[name], FLOAT], files={"steps.py": CODE})
    folder = package.write(tmp_path / "package")
    image = tile(dtype)
    expected = reference(folder, image)
    assert expected.std() > 0
    np.testing.assert_allclose(served(folder, image), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", AFTER)
def test_postprocessing_is_that_of_the_reference(tmp_path: Path, name: str) -> None:
    shrink = {"id": "scale_linear", "kwargs": {"gain": 1.0, "offset": -80.0}}
    before = [] if name in ("binarize", "custom") else [shrink]
    package = TinyPackage(
        channels=2, pre=[*before, FLOAT], post=[AFTER[name], FLOAT], files={"steps.py": CODE}
    )
    folder = package.write(tmp_path / "package")
    expected = reference(folder, tile())
    assert expected.std() > 0
    np.testing.assert_allclose(served(folder, tile()), expected, rtol=2e-6, atol=2e-6)


def test_outputs_are_measured_where_a_step_after_the_network_asks(tmp_path: Path) -> None:
    step = {
        "id": "scale_mean_variance",
        "kwargs": {"reference_tensor": "image", "axes": ["channel", "y", "x"], "eps": 1e-9},
    }
    halve = {"id": "scale_linear", "kwargs": {"gain": 0.5, "offset": 7.0}}
    package = TinyPackage(channels=2, pre=[halve, FLOAT], post=[step, FLOAT])
    folder = package.write(tmp_path / "package")
    np.testing.assert_allclose(served(folder, tile()), tile(), rtol=1e-5)


def stardist_package(folder: Path) -> Path:
    grid, rays = (1, 1), 32
    step = {
        "id": "stardist_postprocessing",
        "kwargs": {
            "grid": list(grid),
            "prob_threshold": 0.5,
            "nms_threshold": 0.4,
            "n_rays": rays,
            "b": 2,
        },
    }
    hmz = {
        "outputs": {"result": {"kind": "instance-labels"}},
        "bindings": {
            "probability": {"tensor": "result", "step": 0, "kwarg": "prob_threshold"},
        },
    }
    return TinyPackage(channels=rays + 1, pre=[FLOAT], post=[step], hmz=hmz).write(folder)


def discs() -> NDArray[np.float32]:
    """Return what a StarDist network would give for two discs: probability, then 32 distances."""
    y, x = np.mgrid[:48, :64].astype(np.float32)
    field = np.zeros((33, 48, 64), dtype=np.float32)
    angles = np.arange(32) * 2 * np.pi / 32
    for centre, radius, probability in (((16, 18), 9, 0.9), ((30, 45), 7, 0.7)):
        v, u = y - centre[0], x - centre[1]
        inside = v**2 + u**2 < radius**2
        for ray, angle in enumerate(angles):
            along = v * np.sin(angle) + u * np.cos(angle)
            reach = -along + np.sqrt(np.maximum(radius**2 - (v**2 + u**2) + along**2, 0))
            field[ray + 1][inside] = reach[inside]
        field[0][inside] = probability * (1 - np.hypot(v, u)[inside] / (4 * radius))
    return field


def test_stardist_decoding_is_that_of_the_reference(tmp_path: Path) -> None:
    folder = stardist_package(tmp_path / "package")
    labels = ServedModel.load(folder).run_tile({"image": discs()}, {})["result"]
    assert labels.dtype == np.uint32
    assert labels.max() == 2
    np.testing.assert_array_equal(labels, reference(folder, discs())[..., 0])


def test_a_bound_parameter_reaches_the_stardist_decoder(tmp_path: Path) -> None:
    model = ServedModel.load(stardist_package(tmp_path / "package"))
    assert model.run_tile({"image": discs()}, {"probability": 0.8})["result"].max() == 1


def test_cellpose_decoding_is_routed_to_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cellpose itself needs torch, too heavy here: a stand-in is called where it would be."""
    step = {
        "id": "cellpose_flow_dynamics",
        "kwargs": {"cellprob_threshold": 0.25, "flow_threshold": 0.4, "do_3D": False},
    }
    hmz = {"outputs": {"result": {"kind": "instance-labels"}}}
    folder = TinyPackage(channels=3, pre=[FLOAT], post=[step], hmz=hmz).write(tmp_path / "package")
    calls: list[dict[str, object]] = []

    def compute_masks(
        flows: NDArray[Any], probability: NDArray[Any], **kwargs: object
    ) -> NDArray[Any]:
        calls.append({"flows": flows.shape, **kwargs})
        return (probability > kwargs["cellprob_threshold"]).astype(np.uint16)

    dynamics, utils = ModuleType("cellpose.dynamics"), ModuleType("cellpose.utils")
    dynamics.compute_masks = compute_masks  # type: ignore[attr-defined] # a stand-in module
    utils.fill_holes_and_remove_small_masks = (  # type: ignore[attr-defined] # a stand-in module
        lambda mask, min_size: mask
    )
    for module in (ModuleType("cellpose"), dynamics, utils):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    image = np.random.default_rng(0).random((3, 20, 22)).astype(np.float32)
    labels = ServedModel.load(folder).run_tile({"image": image}, {})["result"]
    np.testing.assert_array_equal(labels, image[2] > 0.25)
    expected = {"cellprob_threshold": 0.25, "flow_threshold": 0.4, "do_3D": False}
    assert calls == [{"flows": (2, 20, 22), **expected}]
