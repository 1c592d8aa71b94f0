"""The channels of an image, given again one by one, are the image that was announced."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz.errors import AxesMismatch, Conflict
from napari_hmz.schema import Axes, AxisName, Run
from napari_hmz.sources import ChannelPart, Source, open_parts, open_source, open_stacked
from napari_hmz.sources.parts import place_of_channels
from napari_hmz.testing.fake_run import fake_run
from napari_hmz.unfinished import given_image

PIECES_BYTES = 2**20
SIZES: dict[AxisName, float] = {"y": 0.5, "x": 0.5}
NUCLEI = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
BOTH = np.stack([NUCLEI + 1, NUCLEI + 2])
"""c, y, x"""


def announced() -> Source:
    """What the dock opens: one layer, and the second channel of another."""
    openings = [
        partial(opened, NUCLEI, ("y", "x")),
        partial(opened, BOTH, ("c", "y", "x"), channel=1),
    ]
    return open_stacked(openings, ("nuclei", "cells"))


def opened(array: NDArray[Any], axes: Axes, channel: int | None = None) -> Source:
    return open_source(
        array, axes=axes, channel=channel, voxel_size=SIZES, name="i", dtypes=("uint16",)
    )


def a_run(source: Source) -> Run:
    run = fake_run()
    told = {"source_fingerprint": source.request.fingerprint, "source_name": "i"}
    return run.model_copy(update={"provenance": run.provenance.model_copy(update=told)})


def test_they_have_the_fingerprint_and_the_voxels_of_the_image() -> None:
    source = announced()
    parts = (ChannelPart(NUCLEI.copy()), ChannelPart(BOTH.copy(), 1))
    again = given_image(parts, None, a_run(source), source.request, PIECES_BYTES)
    assert again.request == source.request
    np.testing.assert_array_equal(again.read({}), np.stack([NUCLEI, BOTH[1]]))
    again.close()


def test_of_a_pyramid_the_level_that_was_worked_on_is_taken() -> None:
    source = announced()
    pyramid = [np.zeros((40, 60), np.uint8), NUCLEI]
    with_channels = [np.zeros((2, 40, 60), np.uint8), BOTH]
    parts = (ChannelPart(pyramid), ChannelPart(with_channels, 1))
    again = open_parts(parts, source.request, PIECES_BYTES)
    assert again.request.fingerprint == source.request.fingerprint
    again.close()


@pytest.mark.parametrize(
    "parts",
    [
        (ChannelPart(BOTH, 1), ChannelPart(NUCLEI)),  # the other way round
        (ChannelPart(NUCLEI), ChannelPart(BOTH, 0)),
        (ChannelPart(NUCLEI),),
    ],
)
def test_other_channels_are_another_image(parts: tuple[ChannelPart, ...]) -> None:
    source = announced()
    with pytest.raises(Conflict, match="is not 'i' as it was"):
        given_image(parts, None, a_run(source), source.request, PIECES_BYTES)


def test_other_extents_are_refused() -> None:
    source = announced()
    with pytest.raises(AxesMismatch, match="20 x 30 voxels"):
        open_parts([ChannelPart(NUCLEI[1:]), ChannelPart(BOTH, 1)], source.request, PIECES_BYTES)
    with pytest.raises(AxesMismatch, match="20 x 30 voxels"):
        open_parts([ChannelPart(BOTH), ChannelPart(BOTH, 1)], source.request, PIECES_BYTES)


@pytest.mark.parametrize(
    ("shape", "place"), [((2, 20, 30), 0), ((20, 2, 30), 1), ((20, 30, 3), 2), ((20, 31, 3), None)]
)
def test_the_axis_of_channels_is_the_one_too_many(shape: tuple[int, ...], place: int) -> None:
    assert place_of_channels(shape, (20, 30)) == place
