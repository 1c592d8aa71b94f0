"""Tiles of any size and scale come back as they were, and lie on one grid."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.serving import ServedModel, TileRejected
from hmz_backend.serving.rescale import Stretch, resample, zoom_of
from hmz_backend.serving.sizes import accepted
from hmz_backend.testing.packages import TinyPackage

from .conftest import FLOAT, image


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


def test_only_the_part_that_is_used_is_given(tmp_path: Path) -> None:
    model = ServedModel.load(TinyPackage(pre=[FLOAT]).write(tmp_path / "p"))
    tile = image((1, 20, 30))
    whole = model.run_tile({"image": tile}, {})["result"]
    used = {"result": {"y": [4, 16, 20], "x": [5, 30, 30]}}
    part = model.run_tile({"image": tile}, {}, used=used)["result"]
    np.testing.assert_array_equal(part, whole[:, 4:16, 5:])
    assert part.flags.c_contiguous


def test_a_result_that_is_not_as_expected_is_given_whole(tmp_path: Path) -> None:
    model = ServedModel.load(TinyPackage(pre=[FLOAT]).write(tmp_path / "p"))
    used = {"result": {"y": [4, 16, 21], "x": [5, 30, 30]}}
    found = model.run_tile({"image": image((1, 20, 30))}, {}, used=used)["result"]
    assert found.shape == (1, 20, 30)
