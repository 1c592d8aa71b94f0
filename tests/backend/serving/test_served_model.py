"""Statistics and parameters reach the steps of a model, and outputs have their kinds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from hmz_backend.serving import PackageBroken, ServedModel, TileRejected
from hmz_backend.serving.measures import quantile
from hmz_backend.testing.packages import TinyPackage

from .conftest import ADD, FLOAT, custom, image, statistics

NORMALISE = {
    "id": "scale_range",
    "kwargs": {"min_percentile": 1, "max_percentile": 99, "axes": ["channel", "y", "x"]},
}


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
