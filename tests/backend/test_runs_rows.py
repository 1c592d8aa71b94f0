"""Points, boxes and tables: each row once, in the coordinates of the volume, in raster order."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from hmz_backend.testing.user import User
from napari_hmz.schema import RowsDone, wire


def noise(shape: tuple[int, ...], seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def bright(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return what the models `bright` find in a whole image: raster order comes by itself."""
    return np.stack([*np.nonzero(image > 250), image[image > 250]], axis=1).astype(float)


@pytest.mark.parametrize(
    "block", [{}, {"z": 8, "y": 12, "x": 8}, {"z": 4, "y": 4, "x": 40}, {"z": 20, "y": 50}]
)
def test_every_point_is_found_once_in_raster_order(user: User, block: dict[str, int]) -> None:
    user.array = noise((20, 50, 44))
    user.announce()
    run = user.start("bright", block=block)
    done = user.finish(run.id)
    assert done.state == "done", done.error
    expected = bright(user.array)
    np.testing.assert_array_equal(user.output(run.id, "found"), expected)
    assert done.results[0].objects == len(expected)


def test_points_of_a_region_have_the_coordinates_of_the_volume(user: User) -> None:
    user.array = noise((20, 50, 44))
    user.announce()
    region = {"z": (3, 19), "y": (7, 50), "x": (0, 31)}
    run = user.start("bright", region=region, block={"z": 8, "y": 12, "x": 12})
    user.finish(run.id)
    expected = bright(user.array[3:19, 7:50, :31]) + np.array([3, 7, 0, 0])
    np.testing.assert_array_equal(user.output(run.id, "found"), expected)


def test_a_model_of_planes_gives_points_a_place_along_all_axes(user: User) -> None:
    user.array, user.chunks = noise((2, 2, 3, 40, 36)), (1, 1, 2, 16, 16)
    user.announce()
    run = user.start("bright-2d", block={"y": 16, "x": 16})
    done = user.finish(run.id)
    assert done.plan.tables[0].columns == ("t", "c", "z", "y", "x", "value")
    np.testing.assert_array_equal(user.output(run.id, "found"), bright(user.array))


def test_boxes_belong_to_the_block_in_which_their_centres_lie(user: User) -> None:
    smooth = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(60, 60)), 1)
    user.array = np.where(smooth > 2.1 * smooth.std(), 255, 0).astype(np.uint8)
    user.chunks, user.more = (16, 16), {"axes": ("y", "x")}
    user.announce()
    run = user.start("boxes-2d", block={"y": 12, "x": 12}, halo={"y": 8, "x": 8})
    done = user.finish(run.id)
    assert done.state == "done", done.error
    table = done.plan.tables[0]
    assert table.columns == ("y_start", "y_stop", "x_start", "x_stop", "voxels")
    whole, _ = ndimage.label(user.array)
    expected = {(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(whole)}
    found = user.output(run.id, "found")
    assert len(expected) > 10
    assert {tuple(map(int, row[:4])) for row in found} == expected
    assert len(found) == len(expected)


def test_rows_without_a_place_get_that_of_their_block(user: User) -> None:
    user.array = np.full((20, 50, 44), 7, np.uint8)
    user.announce()
    run = user.start("means", block={"z": 20, "y": 50, "x": 24})
    user.finish(run.id)
    expected = [[9.5, 24.5, 11.5, 7], [9.5, 24.5, 33.5, 7]]
    np.testing.assert_array_equal(user.output(run.id, "found"), expected)


def test_rows_are_told_of_while_the_run_goes(user: User) -> None:
    user.array = noise((20, 50, 44))
    user.array[:, 12:24] = 0
    user.announce()
    run = user.start("bright", block={"z": 20, "y": 12, "x": 44})
    with user.feeding():
        told = [event for event in user.events(run.id) if isinstance(event, RowsDone)]
    parts = [user.http.get(wire.output(run.id, "found", each.key)).content for each in told]
    rows: list[NDArray[Any]] = [np.frombuffer(part, "<f8").reshape(-1, 4) for part in parts]
    assert [len(part) for part in rows] == [each.rows for each in told]
    assert len(told) == run.plan.blocks - 1  # nothing is told of a block without rows
    assert sum(map(len, rows)) == len(bright(user.array))


def test_an_image_without_points_gives_an_empty_table(user: User) -> None:
    user.array = np.zeros((20, 50, 44), np.uint8)
    user.announce()
    run = user.start("bright")
    done = user.finish(run.id)
    assert done.results[0].objects == 0
    assert user.output(run.id, "found").shape == (0, 4)
