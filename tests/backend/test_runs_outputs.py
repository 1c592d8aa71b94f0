from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from hmz_backend.testing.user import User
from napari_hmz.schema import ChunkDone, LabelsMerged

FULL = np.ones((3, 3, 3))
PLANE = np.ones((3, 3))


def balls(seed: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, [0] * (len(shape) - 3) + [1.5] * 3)
    return np.asarray(np.where(smooth > 0.6 * smooth.std(), 255, 0), np.uint8)


@pytest.mark.parametrize(
    "block", [{}, {"z": 8, "y": 12, "x": 8}, {"z": 4, "y": 4, "x": 40}, {"z": 20, "y": 50}]
)
def test_tiled_components_are_those_of_the_whole(user: User, block: dict[str, int]) -> None:
    user.array = balls(1, (20, 50, 44))
    user.announce()
    run = user.start("components", block=block)
    done = user.finish(run.id)
    assert done.state == "done", done.error
    expected, count = ndimage.label(user.array > 230, FULL)
    assert count > 5
    np.testing.assert_array_equal(user.output(run.id, "labels"), expected)
    assert done.results[0].objects == count


def test_a_worm_through_all_blocks_is_one_object(user: User) -> None:
    array = np.zeros((20, 50, 44), np.uint8)
    for step in range(0, 50, 4):
        array[10, step, 1:43] = 255
        array[10, step : step + 5, 1 if step % 8 else 42] = 255
    user.array = array
    user.announce()
    run = user.start("components", block={"z": 8, "y": 8, "x": 8})
    done = user.finish(run.id)
    assert done.results[0].objects == 1
    np.testing.assert_array_equal(user.output(run.id, "labels"), array > 0)


def test_a_region_is_labelled_as_if_nothing_lay_outside(user: User) -> None:
    user.array = balls(2, (20, 50, 44))
    user.announce()
    region = {"z": (3, 19), "y": (7, 50), "x": (0, 31)}
    run = user.start("components", region=region, block={"z": 8, "y": 12, "x": 12})
    user.finish(run.id)
    cut = user.array[3:19, 7:50, 0:31]
    expected, _ = ndimage.label(cut > 230, FULL)
    np.testing.assert_array_equal(user.output(run.id, "labels"), expected)


def test_a_region_is_copied_from_its_place(user: User) -> None:
    user.announce()
    region = {"z": (5, 13), "x": (9, 40)}
    run = user.start("copy", region=region)
    user.finish(run.id)
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array[5:13, :, 9:40])


def test_blended_copies_are_the_image_itself(user: User) -> None:
    user.announce()
    run = user.start("blended", block={"z": 8, "y": 12, "x": 16})
    done = user.finish(run.id)
    assert done.state == "done", done.error
    assert done.plan.blocks > 20
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array)


def planes_of(array: NDArray[Any]) -> tuple[NDArray[Any], int]:
    out, count = np.zeros(array.shape, np.int64), 0
    for index in np.ndindex(*array.shape[:-2]):
        labels, more = ndimage.label(array[index] > 230, PLANE)
        out[index] = np.where(labels, labels + count, 0)
        count += more
    return out, count


def test_a_model_of_planes_runs_over_all_other_axes(user: User) -> None:
    user.array = balls(3, (2, 2, 3, 40, 36))
    user.chunks = (1, 1, 2, 16, 16)
    user.announce()
    run = user.start("components-2d", block={"y": 16, "x": 16})
    done = user.finish(run.id)
    assert done.state == "done", done.error
    expected, count = planes_of(user.array)
    np.testing.assert_array_equal(user.output(run.id, "labels"), expected)
    assert done.results[0].objects == count


def test_one_channel_can_be_chosen(user: User) -> None:
    user.array = np.random.default_rng(1).integers(0, 99, (3, 30, 30)).astype("uint8")
    user.chunks, user.more = (1, 16, 16), {"axes": ("c", "y", "x")}
    user.announce()
    run = user.start("copy-2d", channels=[2])
    done = user.finish(run.id)
    assert done.state == "done", done.error
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array[2])
    assert all(key.startswith("c/2/") for key in user.sent)


def test_planes_can_be_joined(user: User) -> None:
    array = np.zeros((6, 40, 40), np.uint8)
    array[0:3, 5:30, 5:30] = 255
    array[3:6, 6:31, 4:29] = 255
    array[2:5, 34:38, 2:6] = 255
    user.array = array
    user.announce()
    run = user.start("components-2d", join_planes=True, block={"y": 16, "x": 16})
    done = user.finish(run.id)
    assert done.results[0].objects == 2
    expected, _ = ndimage.label(array > 0, FULL)
    np.testing.assert_array_equal(user.output(run.id, "labels"), expected)


def test_provisional_ids_and_merges_lead_to_the_final_objects(user: User) -> None:
    user.array = balls(4, (20, 50, 44))
    user.announce()
    run = user.start("components", block={"z": 8, "y": 8, "x": 8})
    merges: dict[int, int] = {}
    shown = 0
    with user.feeding():
        for event in user.events(run.id):
            if isinstance(event, LabelsMerged):
                assert all(one not in merges for one, _ in event.pairs)
                merges.update(event.pairs)
            if isinstance(event, ChunkDone):
                shown += not event.final
    assert shown == run.plan.blocks
    assert merges
    _, count = ndimage.label(user.array > 230, FULL)
    done = user.get(run.id)
    assert done.results[0].objects == count
