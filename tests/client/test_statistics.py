from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from napari_hmz.errors import NonFiniteData
from napari_hmz.schema import AxisName, Region, VolumeStatistics
from napari_hmz.statistics import LEVELS, volume_statistics
from napari_hmz.testing.fake_source import FakeSource


def measured(
    array: NDArray[Any],
    axes: tuple[AxisName, ...] = ("z", "y", "x"),
    **how: Any,  # noqa: ANN401 # the options under test
) -> VolumeStatistics:
    source = FakeSource(array, axes, chunks={"z": 2, "y": 8, "x": 8} if "z" in axes else {})
    return volume_statistics(source.read, source.request, **how)


@settings(deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int64]),
        st.tuples(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20)),
        elements={"min_value": 0, "max_value": 1},
    )
    | hnp.arrays(np.uint16, (3, 9, 17))
    | hnp.arrays(np.int16, (3, 9, 17))
    | hnp.arrays(np.int32, (3, 9, 17), elements=st.integers(-(10**6), 10**6))
)
def test_integers_are_measured_exactly(array: NDArray[Any]) -> None:
    channel = measured(array).channels[0]
    values = array.astype(np.float64)
    assert channel.minimum == values.min()
    assert channel.maximum == values.max()
    assert channel.mean == pytest.approx(values.mean(), rel=1e-12)
    assert channel.std == pytest.approx(values.std(), rel=1e-9, abs=1e-9)
    assert channel.levels == LEVELS
    np.testing.assert_allclose(channel.quantiles, np.percentile(values, LEVELS), rtol=1e-12)


@settings(deadline=None)
@given(
    hnp.arrays(
        np.float32,
        (3, 9, 17),
        elements=st.floats(-1000, 1000, width=32) | st.sampled_from([np.nan, np.inf, -np.inf]),
    )
)
def test_floats_are_measured_without_what_is_not_finite(array: NDArray[Any]) -> None:
    values = array[np.isfinite(array)].astype(np.float64)
    if not values.size:
        with pytest.raises(NonFiniteData):
            measured(array)
        return
    channel = measured(array).channels[0]
    assert channel.minimum == values.min()
    assert channel.maximum == values.max()
    assert channel.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-9)
    assert channel.std == pytest.approx(values.std(), rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(
        channel.quantiles, np.percentile(values, LEVELS), rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_the_threshold_is_that_of_scikit_image(dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(40, 5, 3000), rng.normal(90, 10, 1000)])
    array = values.reshape(4, 10, 100).astype(dtype)
    assert measured(array).channels[0].otsu == pytest.approx(threshold_otsu(array), rel=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "bool"])
def test_a_constant_channel_has_no_threshold(dtype: str) -> None:
    channel = measured(np.ones((3, 9, 17), dtype)).channels[0]
    assert channel.otsu is None
    assert channel.std == 0
    assert set(channel.quantiles) == {1.0}


def test_what_is_not_finite_is_refused_where_that_is_asked() -> None:
    array = np.ones((3, 9, 17), np.float32)
    measured(array, require_finite=True)
    array[2, 8, 16] = np.nan
    assert measured(array).sampled_voxels == array.size - 1
    with pytest.raises(NonFiniteData):
        measured(array, require_finite=True)


def test_channels_are_measured_apart() -> None:
    array = np.stack([np.full((4, 6), value, "u1") for value in (3, 7, 250)])
    statistics = measured(array, ("c", "y", "x"))
    assert [channel.mean for channel in statistics.channels] == [3, 7, 250]
    assert statistics.sampled_voxels == array.size


def test_large_volumes_are_sampled_by_seed() -> None:
    array = np.random.default_rng(0).integers(0, 1000, (64, 64, 64)).astype("u2")
    first = measured(array, budget_voxels=20_000)
    assert first.method == "sample"
    assert 10_000 < first.sampled_voxels <= 20_000
    assert measured(array, budget_voxels=20_000) == first
    assert measured(array, budget_voxels=20_000, seed=1) != first
    exact = measured(array)
    assert exact.method == "exact"
    assert exact.sampled_voxels == array.size
    assert first.channels[0].mean == pytest.approx(exact.channels[0].mean, rel=0.02)
    assert first.channels[0].quantiles == pytest.approx(exact.channels[0].quantiles, rel=0.1, abs=5)


def test_only_what_is_sampled_is_read() -> None:
    array = np.zeros((64, 64, 64), "u1")
    source = FakeSource(array, ("z", "y", "x"), chunks={"z": 2, "y": 8, "x": 8})
    read = 0

    def counted(region: Region) -> NDArray[Any]:
        nonlocal read
        values = source.read(region)
        read += values.size
        return values

    volume_statistics(counted, source.request, budget_voxels=1000)
    assert 0 < read <= 1000


def test_one_chunk_is_read_at_least() -> None:
    array = np.arange(64**2, dtype="u2").reshape(1, 64, 64)
    statistics = volume_statistics(
        FakeSource(array, ("z", "y", "x")).read,
        FakeSource(array, ("z", "y", "x")).request,
        budget_voxels=10,
    )
    assert statistics.sampled_voxels == array.size
