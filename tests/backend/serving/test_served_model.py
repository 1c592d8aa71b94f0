import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from hmz_backend.serving import PackageBroken, ServedModel, ServingError, TileRejected
from hmz_backend.serving.measures import quantile
from hmz_backend.serving.rescale import Stretch, resample, zoom_of
from hmz_backend.serving.sizes import accepted
from hmz_backend.testing.packages import TinyPackage

FLOAT = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}
NORMALISE = {
    "id": "scale_range",
    "kwargs": {"min_percentile": 1, "max_percentile": 99, "axes": ["channel", "y", "x"]},
}


def image(shape: tuple[int, ...] = (1, 21, 34), dtype: str = "uint16") -> NDArray[Any]:
    return np.random.default_rng(3).integers(0, 250, shape).astype(dtype)


def statistics(*arrays: NDArray[Any]) -> dict[str, Any]:
    levels = np.linspace(0, 100, 2001)
    return {
        "channels": [
            {
                "minimum": float(array.min()),
                "maximum": float(array.max()),
                "mean": float(array.mean()),
                "std": float(array.std()),
                "levels": levels.tolist(),
                "quantiles": np.percentile(array, levels).tolist(),
                "otsu": 120.0,
            }
            for array in arrays
        ]
    }


def custom(code: str, name: str, **kwargs: object) -> dict[str, Any]:
    return {
        "pre": [FLOAT],
        "post": [
            {
                "id": "custom",
                "source": "step.py",
                "sha256": "SHA256:step.py",
                "callable": name,
                "kwargs": kwargs,
            }
        ],
        "files": {"step.py": code},
    }


ADD = "def add(amount=0.0, otsu=0.0):\n    return lambda x: x + amount + (otsu or 0.0)\n"


# Statistics


def test_tiles_with_the_volumes_statistics_do_not_depend_on_the_cut(tmp_path: Path) -> None:
    model = ServedModel.load(TinyPackage(pre=[NORMALISE, FLOAT]).write(tmp_path / "p"))
    whole = image()
    known = statistics(whole)
    full = model.run_tile({"image": whole}, {}, known)["result"]
    part = model.run_tile({"image": whole[:, 4:15, 9:]}, {}, known)["result"]
    np.testing.assert_array_equal(part, full[:, 4:15, 9:])
    low, high = np.percentile(whole, [1, 99])
    np.testing.assert_allclose(full, (whole - low) / (high - low), rtol=1e-5, atol=1e-6)
    alone = model.run_tile({"image": whole[:, 4:15, 9:]}, {})["result"]
    assert not np.array_equal(alone, part)


@pytest.mark.parametrize("axes", [["y", "x"], ["batch", "y", "x"]])
def test_statistics_stand_per_channel(tmp_path: Path, axes: list[str]) -> None:
    step = {"id": "zero_mean_unit_variance", "kwargs": {"axes": axes}}
    package = TinyPackage(channels=2, pre=[step, FLOAT]).write(tmp_path / "p")
    whole = image((2, 20, 20)) * np.array([1, 3], np.uint16)[:, None, None]
    result = ServedModel.load(package).run_tile({"image": whole}, {}, statistics(*whole))["result"]
    expected = [(plane - plane.mean()) / plane.std() for plane in whole.astype(float)]
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_statistics_of_joined_channels(tmp_path: Path) -> None:
    step = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}}
    package = TinyPackage(channels=2, pre=[step, FLOAT]).write(tmp_path / "p")
    whole = image((2, 20, 20)) * np.array([1, 3], np.uint16)[:, None, None]
    result = ServedModel.load(package).run_tile({"image": whole}, {}, statistics(*whole))["result"]
    np.testing.assert_allclose(result, (whole - whole.mean()) / whole.std(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("q", [0.0, 0.05, 0.5, 0.998, 1.0])
def test_quantiles_of_joined_channels_are_those_of_all_voxels(q: float) -> None:
    rng = np.random.default_rng(1)
    channels = [rng.normal(100, 5, 4000), rng.normal(200, 30, 4000)]
    joined = quantile(statistics(*channels)["channels"], q)
    assert joined == pytest.approx(np.quantile(np.concatenate(channels), q), abs=1.5)


def test_statistics_of_another_number_of_channels_are_refused(tmp_path: Path) -> None:
    model = ServedModel.load(TinyPackage(pre=[NORMALISE, FLOAT]).write(tmp_path / "p"))
    with pytest.raises(TileRejected, match="2 channels came with 1") as failure:
        model.run_tile({"image": image()}, {}, statistics(image(), image()))
    assert failure.value.tensor == "image"


# Parameters


def test_parameters_and_figures_reach_the_steps_they_are_bound_to(tmp_path: Path) -> None:
    hmz = {
        "parameters": {"amount": {"type": "number", "default": 5.0}},
        "bindings": {"amount": {"tensor": "result", "step": 0, "kwarg": "amount"}},
        "statistics_bindings": {"otsu": {"tensor": "result", "step": 0, "kwarg": "otsu"}},
    }
    package = TinyPackage(**custom(ADD, "add", amount=1.0), hmz=hmz).write(tmp_path / "p")
    model, zeros = ServedModel.load(package), np.zeros((1, 4, 4), np.uint8)

    def value(given: dict[str, object], known: dict[str, Any] | None = None) -> float:
        return float(model.run_tile({"image": zeros}, given, known)["result"][0, 0, 0])

    assert value({}) == 5
    assert value({"amount": 7.5}) == 7.5
    assert value({"amount": 7.5}, statistics(image())) == 127.5
    without = statistics(image())
    without["channels"][0]["otsu"] = None
    assert value({"amount": 2}, without) == 2


def test_parameters_of_standard_steps_can_be_bound(tmp_path: Path) -> None:
    step = {"id": "binarize", "kwargs": {"threshold": 10.0}}
    hmz = {"bindings": {"level": {"tensor": "result", "step": 0, "kwarg": "threshold"}}}
    package = TinyPackage(pre=[FLOAT], post=[step], hmz=hmz)
    model = ServedModel.load(package.write(tmp_path / "p"))
    result = model.run_tile({"image": image()}, {"level": 100})["result"]
    np.testing.assert_array_equal(result, image() > 100)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"tensor": "result", "step": 4, "kwarg": "amount"}, "not there"),
        ({"tensor": "result", "step": 0, "kwarg": "nothing"}, "cannot be made"),
    ],
)
def test_wrong_bindings_break_the_package_when_it_is_loaded(
    tmp_path: Path, place: dict[str, object], message: str
) -> None:
    hmz = {"bindings": {"a": place}, "parameters": {"a": {"type": "number", "default": 1}}}
    package = TinyPackage(**custom(ADD, "add"), hmz=hmz).write(tmp_path / "p")
    with pytest.raises(PackageBroken, match=message):
        ServedModel.load(package)


# Scale and size


@pytest.mark.parametrize("diameter", [10.0, 40.0, 27.0])
def test_tiles_are_brought_to_scale_and_back(tmp_path: Path, diameter: float) -> None:
    hmz = {"rescale": {"parameter": "diameter", "reference": 20, "axes": ["y", "x"]}}
    package = TinyPackage(pre=[FLOAT], hmz=hmz, size={"min": 16, "step": 16})
    model = ServedModel.load(package.write(tmp_path / "p"))
    y, x = np.mgrid[:50, :70]
    smooth = (100 + 60 * np.sin(y / 12) * np.cos(x / 14))[None].astype(np.float32)
    result = model.run_tile({"image": smooth}, {"diameter": diameter})["result"]
    assert result.shape == smooth.shape
    assert np.abs(result - smooth)[:, 3:-3, 3:-3].max() < 3
    assert not np.array_equal(result, smooth)
    same = model.run_tile({"image": smooth}, {"diameter": 20})["result"]
    np.testing.assert_array_equal(same, smooth)


@pytest.mark.parametrize("diameter", [0, -3, 0.001, 1e9])
def test_zooms_out_of_reason_are_refused(diameter: float) -> None:
    rule = {"parameter": "diameter", "reference": 20, "axes": ["y", "x"]}
    with pytest.raises(TileRejected, match="diameter"):
        zoom_of(rule, {"diameter": diameter})


@given(
    extents=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    origin=st.integers(-5, 40),
    step=st.integers(1, 8),
    factor=st.floats(0.2, 4.0),
)
def test_resampling_keeps_constants_and_gives_the_wanted_shape(
    extents: list[int], origin: int, step: int, factor: float
) -> None:
    along = [Stretch.over(factor, origin, extent, step) for extent in extents]
    shape, places = tuple(one.length for one in along), [one.into for one in along]
    constant = np.full(extents, 7, np.uint8)
    result = resample(constant, shape, places)
    assert result.shape == shape
    np.testing.assert_allclose(result, 7, rtol=1e-6)
    labels = resample(constant, shape, places, linear=False)
    assert labels.dtype == np.uint8
    back = resample(result, tuple(extents), [one.back for one in along])
    np.testing.assert_allclose(back, 7, rtol=1e-6)


@given(
    origin=st.integers(-20, 200),
    extent=st.integers(1, 100),
    step=st.integers(1, 16),
    factor=st.floats(0.1, 8.0),
)
def test_a_stretch_covers_its_tile_and_begins_at_a_step(
    origin: int, extent: int, step: int, factor: float
) -> None:
    found = Stretch.over(factor, origin, extent, step)
    if factor == 1.0:
        assert (found.first, found.length) == (origin, extent)
        return
    assert found.first % step == 0
    assert found.first <= origin * factor + 1e-6
    assert found.first + found.length >= (origin + extent) * factor - 1e-6
    assert found.length < (extent * factor) + step + 1 + 1e-6


@pytest.mark.parametrize("diameter", [10.0, 40.0, 27.0])
def test_rescaled_tiles_that_say_where_they_begin_lie_on_one_grid(
    tmp_path: Path, diameter: float
) -> None:
    hmz = {"rescale": {"parameter": "diameter", "reference": 20, "axes": ["y", "x"]}}
    package = TinyPackage(pre=[FLOAT], hmz=hmz, size={"min": 8, "step": 8})
    model = ServedModel.load(package.write(tmp_path / "p"))
    noise = np.random.default_rng(1).normal(size=(1, 90, 90)).astype(np.float32)
    values = {"diameter": diameter}
    whole = model.run_tile({"image": noise}, values)["result"]
    tile = np.ascontiguousarray(noise[:, 33:, 20:])
    placed = model.run_tile({"image": tile}, values, None, {"y": 33, "x": 20})["result"]
    inner = (slice(None), slice(15, -15), slice(15, -15))  # the rim sees what is mirrored
    np.testing.assert_allclose(placed[inner], whole[:, 33:, 20:][inner], atol=1e-4)
    elsewhere = model.run_tile({"image": tile}, values, None, {"y": 34, "x": 20})["result"]
    if diameter != 10.0:  # at twice its size, every voxel begins at a voxel of the grid
        assert np.abs(elsewhere[inner] - whole[:, 33:, 20:][inner]).max() > 0.01


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 16, 16), (1, 17, 33), (1, 5, 40)])
@pytest.mark.parametrize(
    "pad", [None, {"mode": "reflect"}, {"mode": "edge"}, {"mode": "constant", "value": 3}]
)
def test_tiles_of_any_size_come_back_in_their_own(
    tmp_path: Path, shape: tuple[int, ...], pad: dict[str, Any] | None
) -> None:
    package = TinyPackage(size={"min": 16, "step": 8}, pre=[FLOAT], pad=pad)
    model = ServedModel.load(package.write(tmp_path / "p"))
    result = model.run_tile({"image": image(shape)}, {})["result"]
    np.testing.assert_array_equal(result, image(shape))


def test_padding_is_what_the_network_sees(tmp_path: Path) -> None:
    package = TinyPackage(
        network="mean", size={"min": 8, "step": 8}, pre=[FLOAT], pad={"mode": "edge"}
    )
    model = ServedModel.load(package.write(tmp_path / "p"))
    result = model.run_tile({"image": np.full((1, 13, 11), 9, np.uint8)}, {})["result"]
    assert result[0, 12, 10] == pytest.approx(9)  # its neighbours beyond the tile are 9 as well
    assert result[0, 0, 0] == pytest.approx(4)  # here the network's own zeros begin


@given(minimum=st.integers(1, 64), step=st.integers(1, 32), extent=st.integers(1, 300))
def test_accepted_extents_obey_the_rule_and_hold_the_tile(
    minimum: int, step: int, extent: int
) -> None:
    class Rule:
        min = minimum

    Rule.step = step  # type: ignore[attr-defined] # stands for `ParameterizedSize`
    size = accepted(Rule, extent)
    assert size >= max(extent, minimum)
    assert (size - minimum) % step == 0
    assert size - extent < step or size == minimum


def test_tiles_larger_than_a_fixed_size_are_refused(tmp_path: Path) -> None:
    model = ServedModel.load(TinyPackage(size=16, pre=[FLOAT]).write(tmp_path / "p"))
    assert model.run_tile({"image": image((1, 9, 16))}, {})["result"].shape == (1, 9, 16)
    with pytest.raises(TileRejected, match="17 is larger than the network's 16") as failure:
        model.run_tile({"image": image((1, 17, 16))}, {})
    assert failure.value.tensor == "image"


# Outputs


def test_labels_lose_their_channel_axis_and_become_uint32(tmp_path: Path) -> None:
    code = """
import numpy as np
from scipy import ndimage
def decode():
    def run(fields):
        labels = np.zeros_like(fields)
        labels[0, 0] = ndimage.label(fields[0, 0] > fields[0, 1])[0]
        return labels
    return run
"""
    hmz = {"outputs": {"result": {"kind": "instance-labels"}}}
    package = TinyPackage(channels=2, **custom(code, "decode"), hmz=hmz).write(tmp_path / "p")
    given_image = image((2, 21, 34))
    result = ServedModel.load(package).run_tile({"image": given_image}, {})["result"]
    assert result.dtype == np.uint32
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, ndimage.label(given_image[0] > given_image[1])[0])


def test_integer_images_are_rounded_and_clipped_not_wrapped(tmp_path: Path) -> None:
    hmz = {"outputs": {"result": {"kind": "image", "dtype": "uint8"}}}
    package = TinyPackage(**custom(ADD, "add", amount=-10.4), hmz=hmz).write(tmp_path / "p")
    values = np.array([[[0, 10, 11, 400]]], np.uint16)
    result = ServedModel.load(package).run_tile({"image": values}, {})["result"]
    assert result.tolist() == [[[0, 0, 1, 255]]]


# Refusals


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


# Contributed pipelines

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
