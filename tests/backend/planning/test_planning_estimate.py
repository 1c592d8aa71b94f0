"""Memory and time follow the scale at which a network sees the image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmz_backend.planning.estimate import rescaled, work_share
from hmz_backend.testing.planned import a_model, a_plan, an_image
from napari_hmz.schema import ModelCard, ParameterSpec, RescaleRule, TileSpec

RULE = RescaleRule(parameter="diameter", reference=30.0, axes=("y", "x"))


def nuclei() -> ModelCard:
    tile = TileSpec(memory_bytes_per_voxel=400, seconds_per_megavoxel=2, rescale=RULE)
    diameter = ParameterSpec(type="number", default=30.0, minimum=5, maximum=300)
    return a_model(("y", "x")).model_copy(
        update={"tile": tile, "parameters": {"diameter": diameter}}
    )


@pytest.mark.parametrize(("diameter", "measured"), [(30, 352), (15, 1097)])
def test_memory_is_as_was_measured_with_nuclei_2d(diameter: float, measured: float) -> None:
    per_voxel = rescaled(nuclei(), {"diameter": diameter}).tile.memory_bytes_per_voxel
    assert measured / 2 < per_voxel < 2 * measured


def test_memory_is_as_was_measured_with_nuclei_3d() -> None:
    rule = RescaleRule(parameter="diameter", reference=20.0, axes=("z", "y", "x"))
    tile = TileSpec(memory_bytes_per_voxel=300, rescale=rule)
    for diameter, measured in ((50, 108), (20, 257)):
        per_voxel = 300 * work_share(tile, {"diameter": diameter})
        assert measured / 2 < per_voxel < 2 * measured


@given(st.floats(5, 300))
def test_smaller_nuclei_never_take_less(diameter: float) -> None:
    tile = nuclei().tile
    assert work_share(tile, {"diameter": diameter}) <= work_share(tile, {"diameter": diameter / 2})


def test_a_plan_follows_the_diameter_whatever_tells_the_pace() -> None:
    volume = an_image({"y": 400, "x": 400})
    plans = [a_plan(nuclei(), volume, parameters={"diameter": size}) for size in (30, 15)]
    assert plans[1].memory_bytes == pytest.approx(2.8 * plans[0].memory_bytes)
    assert plans[0].seconds is not None
    assert plans[1].seconds == pytest.approx(2.8 * plans[0].seconds)


def test_without_a_rule_nothing_changes() -> None:
    assert work_share(TileSpec(), {"diameter": 3}) == 1
    assert work_share(TileSpec(rescale=RULE), {}) == 1
