"""Points: an image in, spots out, the same as if there were no tiles; in Python and in a shell."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from typer.testing import CliRunner

from napari_hmz.cli import app
from napari_hmz.client import Client
from napari_hmz.schema import AxisName
from napari_hmz.sources import open_source
from napari_hmz.testing.backend_process import BackendProcess

MakeBlobs = Callable[..., NDArray[Any]]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""
SPOTS = {"sigma": 1.5, "threshold": 3000.0}
UM: Mapping[AxisName, str] = dict.fromkeys(("z", "y", "x"), "micrometer")


def peaks(image: NDArray[Any]) -> NDArray[np.intp]:
    """Return what skimage finds in the whole image, in raster order."""
    smooth = ndimage.gaussian_laplace(image.astype(np.float32), 1.5, output=np.float32)
    found = peak_local_max(
        -(1.5**2) * smooth, min_distance=2, threshold_abs=3000.0, exclude_border=False
    )
    return np.asarray(found[np.lexsort(found.T[::-1])])


@pytest.mark.parametrize("block", [{"z": 16, "y": 24, "x": 24}, {"z": 40, "y": 20, "x": 17}, {}])
def test_spots_of_tiles_are_those_of_the_whole(
    client: Client, blobs: MakeBlobs, block: Mapping[AxisName, int]
) -> None:
    image = blobs()
    expected = peaks(image)
    assert len(expected) > 50
    run = client.run("spots", image, parameters=SPOTS, block=block)
    assert run.wait(120).results[0].objects == len(expected)
    rows = np.asarray(run.array("spots")[...])
    np.testing.assert_array_equal(rows[:, :3], expected)


@pytest.mark.gui
def test_spots_are_points_over_the_image_in_napari(
    make_napari_viewer: Untyped, open_page: Untyped, run_it: Untyped, blobs: MakeBlobs
) -> None:
    image, viewer = blobs(), make_napari_viewer()
    viewer.add_image(image, name="raw", scale=(2, 1, 1))
    page = open_page(viewer, "spots")
    page.form.show(SPOTS)
    spots = run_it(viewer, page)
    np.testing.assert_array_equal(spots.data, peaks(image))
    np.testing.assert_allclose(spots.scale, (2, 1, 1))
    assert len(spots.features) == len(spots.data)
    assert f"{len(spots.data)} " in page.status.line


def test_a_table_is_written_beside_the_arrays(
    client: Client, blobs: MakeBlobs, tmp_path: Path
) -> None:
    image, output = blobs(24, 40, 40), tmp_path / "spots.ome.zarr"
    sizes: Mapping[AxisName, float] = {"z": 2.0, "y": 0.5, "x": 0.5}
    source = open_source(image, axes="zyx", voxel_size=sizes, units=UM)
    run = client.run("spots", source, parameters=SPOTS, output=output, region={"y": (8, 40)})
    run.wait(120)
    with (output / "tables/spots.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = run.table("spots")
    assert len(rows) == len(found) > 5
    assert [row["id"] for row in rows] == [str(number + 1) for number in range(len(rows))]
    assert [float(row["y_index"]) for row in rows] == found.column("y_index").values.tolist()
    for row in rows:
        assert float(row["z_um"]) == 2.0 * float(row["z_index"])
        assert float(row["y_um"]) == 0.5 * float(row["y_index"])
        assert float(row["y_index"]) >= 8
        assert float(row["response"]) > 3000
    own = json.loads((output / "zarr.json").read_text())["attributes"]["napari-hmz"]
    assert own["complete"]
    assert own["tables"][0]["path"] == "tables/spots.csv"


def test_the_command_tells_how_many_points_there_are(
    backend: BackendProcess,
    state: Path,
    blobs: MakeBlobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HMZ_TOKEN", str(backend.token))
    monkeypatch.setenv("HMZ_STATE_DIR", str(state))
    image = blobs(64, 72)
    np.save(tmp_path / "image.npy", image)
    words = ["run", "spots-2d", str(tmp_path / "image.npy"), str(tmp_path / "out.ome.zarr")]
    words += ["--url", backend.url, "--set", "sigma=1.5", "--set", "threshold=3000"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert f"found    {len(peaks(image))} points (spots)" in told.output
    with (tmp_path / "out.ome.zarr/tables/spots.csv").open() as file:
        assert len(list(csv.reader(file))) == len(peaks(image)) + 1
