"""Several inputs: tiles of all are cut at the same places, and each chunk is sent once."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import wait_until
from hmz_backend.testing.user import User
from napari_hmz.schema import Run, wire

BLOCK = {"z": 8, "y": 12, "x": 16}


def other(user: User, array: NDArray[Any], chunks: tuple[int, ...], **more: object) -> User:
    """Announce a second image, in chunks of its own."""
    found = replace(user, array=array, chunks=chunks, more=dict(more), sent=[])
    found.announce()
    return found


def finished(users: list[User], run: Run) -> Run:
    with ExitStack() as stack:
        for each in users:
            stack.enter_context(each.feeding())
        list(users[0].events(run.id))
    return users[0].get(run.id)


@pytest.fixture
def pair(user: User) -> tuple[User, User]:
    user.array = np.random.default_rng(1).integers(100, 200, (20, 50, 44)).astype("uint8")
    user.announce()
    dark = np.random.default_rng(2).integers(0, 100, (20, 50, 44)).astype("uint8")
    return user, other(user, dark, (20, 8, 44))


def test_two_images_are_subtracted_tile_by_tile(pair: tuple[User, User]) -> None:
    user, dark = pair
    run = user.start("difference", inputs={"dark": dark.volume}, block=BLOCK)
    done = finished([user, dark], run)
    assert done.state == "done", done.error
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array - dark.array)
    for each in pair:
        assert len(each.sent) == len(set(each.sent))
    assert len(user.sent) + len(dark.sent) == run.plan.chunks_needed
    assert done.provenance.inputs["dark"].fingerprint


def test_the_plan_counts_the_memory_of_every_input(pair: tuple[User, User]) -> None:
    user, dark = pair
    wide = other(user, np.ones((20, 50, 44), np.float32), (8, 16, 16))
    asked = [{}, {"dark": dark.volume}, {"dark": wide.volume}]
    runs = [user.start("difference", inputs=inputs, block=BLOCK) for inputs in asked]
    one, two, two_wide = (run.plan.memory_bytes for run in runs)
    assert two_wide - one == 4 * (two - one) > 0


def test_a_region_of_labels_and_image(user: User) -> None:
    user.array = np.random.default_rng(1).integers(1, 200, (20, 50, 44)).astype("uint8")
    user.announce()
    labels = np.zeros((20, 50, 44), np.uint32)
    labels[4:12, 10:40, 5:30] = 70_000
    cells = other(user, labels, (8, 16, 16))
    region = {"z": (3, 19), "y": (7, 50), "x": (0, 31)}
    run = user.start("masked", inputs={"cells": cells.volume}, region=region, block=BLOCK)
    done = finished([user, cells], run)
    assert done.state == "done", done.error
    expected = np.where(labels > 0, user.array, 0)[3:19, 7:50, :31]
    np.testing.assert_array_equal(user.output(run.id, "out"), expected)


def test_the_same_volume_may_feed_two_inputs(user: User) -> None:
    user.announce()
    run = user.start("difference", inputs={"dark": user.volume}, block=BLOCK)
    done = finished([user], run)
    assert done.state == "done", done.error
    assert not user.output(run.id, "out").any()


def test_an_optional_input_may_be_left_out(user: User) -> None:
    user.announce()
    run = user.start("difference", block=BLOCK)
    done = user.finish(run.id)
    assert done.state == "done", done.error
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array)


def test_what_is_held_is_not_counted_again(pair: tuple[User, User]) -> None:
    user, dark = pair
    first = user.start("difference", inputs={"dark": dark.volume}, block=BLOCK)
    finished([user, dark], first)
    before = len(user.sent) + len(dark.sent)
    again = user.start("difference", inputs={"dark": dark.volume})
    assert (again.plan.chunks_needed, again.plan.bytes_up) == (0, 0)
    finished([user, dark], again)
    assert len(user.sent) + len(dark.sent) == before


def refusal(user: User, **request: Any) -> dict[str, Any]:  # noqa: ANN401 # fields of a request
    body = {"volume": user.volume, **request}
    answer = user.http.post(wire.PLANS, json=body)
    assert answer.status_code >= 400
    problem: dict[str, Any] = answer.json()
    return problem


def test_inputs_that_do_not_fit_are_refused_with_the_reason(user: User) -> None:
    user.announce()
    smaller = other(user, np.zeros((20, 50, 40), np.uint32), (20, 50, 40))
    problem = refusal(user, model="masked", inputs={"cells": smaller.volume})
    assert problem["code"] == "axes-mismatch"
    assert "cells has z 20 x y 50 x x 40, the first one z 20 x y 50 x x 44" in problem["detail"]
    flat = other(user, np.zeros((50, 44), np.uint32), (50, 44), axes=("y", "x"))
    assert (
        "works on the axes"
        in refusal(user, model="masked", inputs={"cells": flat.volume})["detail"]
    )
    wide = other(user, np.zeros((20, 50, 44), np.float64), (20, 50, 44))
    problem = refusal(user, model="masked", inputs={"cells": wide.volume})
    assert problem["code"] == "dtype-unsuitable"
    assert "also takes cells" in refusal(user, model="masked")["detail"]
    problem = refusal(user, model="copy", inputs={"cells": smaller.volume})
    assert "no further input cells" in problem["detail"]
    assert refusal(user, model="masked", inputs={"cells": "nobody's"})["code"] == "not-found"


def test_a_run_of_two_images_goes_on_after_it_was_stopped(
    pair: tuple[User, User], engine: FakeEngine
) -> None:
    user, dark = pair
    engine._delay_s = 0.02
    run = user.start("difference", inputs={"dark": dark.volume}, block=BLOCK)
    with user.feeding(), dark.feeding():
        wait_until(lambda: user.get(run.id).progress.blocks_done > 5)
        user.post(wire.cancel(run.id), None)
    engine._delay_s = 0.0
    user.post(wire.resume(run.id), None, 200)
    done = finished([user, dark], run)
    assert done.state == "done", done.error
    np.testing.assert_array_equal(user.output(run.id, "out"), user.array - dark.array)


def test_both_images_may_pass_through_as_streams(
    pair: tuple[User, User],
) -> None:
    user, dark = pair
    streams = []
    for each, chunks in ((user, (8, 8, 8)), (dark, (4, 8, 44))):
        moved = (each.array + 1).astype("uint8")
        streams.append(other(user, moved, chunks, mode="stream"))
    image, less = streams
    run = image.start("difference", inputs={"dark": less.volume}, block=BLOCK)
    done = finished(streams, run)
    assert done.state == "done", done.error
    np.testing.assert_array_equal(user.output(run.id, "out"), image.array - less.array)
    for each in streams:
        found = each.http.get(wire.volume(each.volume)).json()
        assert found["bytes_held"] == 0
