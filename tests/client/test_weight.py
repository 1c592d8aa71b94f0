"""Which runs are shown before they start: those that are slow, large, or may not fit."""

from typing import Any

import pytest

from napari_hmz.forecast import Forecast
from napari_hmz.schema import OutputArray
from napari_hmz.testing.fake_run import fake_run
from napari_hmz.weight import LARGE_VOXELS, burdens


def forecast(shape: int = 8, **changes: Any) -> Forecast:  # noqa: ANN401 # fields of any type
    output = OutputArray(
        name="labels",
        kind="instance-labels",
        axes=("y", "x"),
        shape={"y": shape, "x": shape},
        chunks={"y": 8, "x": 8},
        dtype="uint32",
    )
    return Forecast(**(dict(fake_run(output).plan) | changes))


def test_a_light_run_has_no_burden() -> None:
    assert burdens(forecast(seconds=3.0, bytes_up_likely=10)) == ()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (forecast(seconds=600.0), "10 min"),
        (forecast(seconds=1.0, link_seconds=300.0), "5 min"),
        (forecast(voxels=LARGE_VOXELS + 1), "nobody knows"),
        (forecast(bytes_up_likely=5 * 2**30), "sends"),
        (forecast(shape=2**16), "memory"),
        (forecast(disk_bytes=2**30, disk_free_bytes=2**20), "free"),
    ],
)
def test_each_burden_is_said(found: Forecast, words: str) -> None:
    (burden,) = burdens(found)
    assert words in burden
