"""A diameter in voxels is held against what it measures, where the voxel size is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hmz.physical import doubts, far_sizes_um, in_plane_um, likely, sizes_um
from napari_hmz.schema import AxisName, InputSpec, ParameterSpec, PhysicalLength

NUCLEI = PhysicalLength(of="nuclei", typical_um=12, smallest_um=4, largest_um=30)
DIAMETER = ParameterSpec(
    type="number", default=30.0, minimum=5, maximum=300, unit="px", physical=NUCLEI
)
PLAIN = ParameterSpec(type="number", default=30.0)


def said(diameter: float | None, sizes: dict[AxisName, float]) -> list[str]:
    specs = {"diameter": DIAMETER, "threshold": PLAIN}
    return list(doubts(specs, {"diameter": diameter, "threshold": 9.0}, sizes))


def test_a_nucleus_of_three_micrometres_is_doubted_and_a_likely_one_proposed() -> None:
    (doubt,) = said(30, {"y": 0.1, "x": 0.1})
    assert doubt == (
        "A diameter of 30 px is 3 µm in this image; nuclei have 4 to 30 µm. "
        "Try 120, or correct the voxel size."
    )


@pytest.mark.parametrize(
    ("diameter", "sizes"),
    [
        (30, {"y": 0.26, "x": 0.26}),
        (50, {"z": 0.29, "y": 0.26, "x": 0.26}),
        (30, {}),
        (30, {"z": 0.001}),
        (None, {"y": 0.1, "x": 0.1}),
    ],
)
def test_what_is_likely_or_not_known_is_not_doubted(
    diameter: float | None, sizes: dict[AxisName, float]
) -> None:
    assert said(diameter, sizes) == []


def test_long_voxels_are_told_of() -> None:
    (doubt,) = said(40, {"z": 1.5, "y": 0.3, "x": 0.3})
    assert "5 times as long along z as along y" in doubt
    assert said(40, {"z": 0.5, "y": 0.3, "x": 0.3}) == []


@given(st.floats(0.001, 1000))
def test_what_is_proposed_is_allowed_and_not_doubted_unless_it_cannot_be(pixel_um: float) -> None:
    value = likely(DIAMETER, pixel_um)
    assert value is not None
    assert 5 <= value <= 300
    if 12 / 300 < pixel_um < 12 / 5:
        assert said(value, {"y": pixel_um, "x": pixel_um}) == []


def test_units_count() -> None:
    sizes = sizes_um({"y": 260, "x": 0.26}, {"y": "nm", "x": "micrometer"}, ("z", "y", "x"))
    assert sizes == pytest.approx({"y": 0.26, "x": 0.26})
    assert in_plane_um(sizes) == pytest.approx(0.26)
    assert sizes_um({"y": 1.0}, {"y": "pixel"}, ("y",)) == {}
    assert in_plane_um({}) is None


def test_other_parameters_propose_nothing() -> None:
    assert likely(PLAIN, 0.2) is None


@given(factor=st.floats(0.01, 100), tolerance=st.floats(1.0, 10.0))
def test_a_size_is_far_where_it_is_more_than_the_tolerance_too_large_or_too_small(
    factor: float, tolerance: float
) -> None:
    spec = InputSpec(
        name="image",
        axes=("y", "x"),
        voxel_size_um={"y": 0.5, "x": 0.5},
        voxel_size_tolerance=tolerance,
    )
    far = far_sizes_um(spec, {"y": 0.5 * factor, "z": 99.0})
    if max(factor, 1 / factor) > tolerance * 1.001:
        assert far == {"y": (0.5 * factor, 0.5)}
    if max(factor, 1 / factor) <= tolerance:
        assert far == {}


def test_an_endless_size_is_far_from_any() -> None:
    spec = InputSpec(name="image", axes=("x",), voxel_size_um={"x": 0.5})
    assert far_sizes_um(spec, {"x": float("inf")}) == {"x": (float("inf"), 0.5)}
