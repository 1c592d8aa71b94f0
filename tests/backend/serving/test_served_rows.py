"""Rows as outputs: as many as a model finds, in its own columns; and the shipped model of spots."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max

from hmz_backend.serving import ServedModel
from hmz_backend.serving.errors import ServingError
from hmz_backend.testing.packages import TinyPackage
from hmz_backend.zoo.shipped import shipped_models

PIPELINE = """
import numpy as np


class Bright:
    def __init__(self, folder, threads):
        pass

    def predict(self, inputs, parameters, statistics):
        image = inputs["image"]
        places = np.nonzero(image > 100)
        columns = places if parameters["narrow"] else [*places, image[places]]
        return {"found": np.stack(columns, axis=1)}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    entry = {"source": "bright.py", "sha256": "SHA256:bright.py", "callable": "Bright"}
    folder = TinyPackage(
        axes="yx",
        output="found",
        rows=("y", "x", "value"),
        files={"bright.py": PIPELINE},
        hmz={"pipeline": entry, "parameters": {"narrow": {"type": "boolean", "default": False}}},
    ).write(tmp_path_factory.mktemp("rows") / "tiny")
    return ServedModel.load(folder)


def test_a_tile_gives_as_many_rows_as_the_model_finds(served: ServedModel) -> None:
    image = np.zeros((5, 7), np.uint8)
    assert served.run_tile({"image": image}, {})["found"].shape == (0, 3)
    image[1, 2], image[4, 6] = 200, 150
    rows = served.run_tile({"image": image}, {})["found"]
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, [[1, 2, 200], [4, 6, 150]])


def test_rows_of_other_columns_than_declared_fail(served: ServedModel) -> None:
    with pytest.raises(ServingError, match="the rows have 2"):
        served.run_tile({"image": np.full((2, 2), 200, np.uint8)}, {"narrow": True})


def test_a_network_may_give_rows_itself(tmp_path: Path) -> None:
    package = TinyPackage(axes="yx", output="found", rows=("y", "x"))
    model = ServedModel.load(package.write(tmp_path / "tiny"))  # it gives back what it gets
    image = np.array([[3, 4], [5, 6], [7, 8]], np.float32)
    np.testing.assert_array_equal(model.run_tile({"image": image}, {})["found"], image)


def peaks(image: NDArray[Any], sigma: float, least: float) -> NDArray[np.intp]:
    smooth = ndimage.gaussian_laplace(image.astype(np.float32), sigma, output=np.float32)
    found = peak_local_max(
        -(sigma**2) * smooth,
        min_distance=int(np.ceil(sigma)),
        threshold_abs=least,
        exclude_border=False,
    )
    return np.asarray(found[np.lexsort(found.T[::-1])])


@pytest.mark.parametrize("name", ["spots", "spots-2d"])
@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.01])
def test_spots_are_the_peaks_that_skimage_finds(name: str, sigma: float) -> None:
    folder = shipped_models() / name
    image = np.load(folder / "test_input.npy")[0]
    values: Mapping[str, object] = {"sigma": sigma, "threshold": 40.0}
    rows = ServedModel.load(folder).run_tile({"image": image}, values)["spots"]
    expected = peaks(image, sigma, 40.0)
    assert len(expected) > 5
    np.testing.assert_array_equal(rows[:, :-1], expected)


def test_without_a_threshold_the_deviation_of_the_whole_image_counts() -> None:
    folder = shipped_models() / "spots-2d"
    image = np.load(folder / "test_input.npy")[0]
    model = ServedModel.load(folder)
    with_figure = model.run_tile({"image": image}, {}, {"channels": [{"std": 60.0}]})["spots"]
    np.testing.assert_array_equal(with_figure[:, :-1], peaks(image, 2.0, 60.0))
    own = model.run_tile({"image": image}, {})["spots"]
    np.testing.assert_array_equal(own[:, :-1], peaks(image, 2.0, float(image.std())))
