"""A part that is drawn by itself looks as if all had been drawn."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap, label_colormap
from pytestqt.qtbot import QtBot

from hmz_widgets.patches import patch, patchable

Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""
COLOURS = {colours: label_colormap(colours) for colours in (3, 49, 254, 255, 256, 300)}


@given(
    arrays.arrays(np.dtype(np.uint32), (3, 4), elements=st.integers(0, 2**32 - 1)),
    st.sampled_from(sorted(COLOURS)),
)
@settings(max_examples=60, deadline=None)
def test_each_label_keeps_its_colour(values: Untyped, colours: int) -> None:
    layer = Labels(values, colormap=COLOURS[colours])
    sent: list[Any] = []
    layer.events.labels_update.connect(lambda event: sent.append(event.data))
    patch(layer, [(slice(0, 3), slice(0, 4))], {})
    own = np.asarray(layer.colormap.colors)[sent[0]] * (sent[0] != 0)[..., None]
    np.testing.assert_allclose(own, layer.colormap.map(values))


@pytest.mark.gui
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("ndisplay", [2, 3])
def test_the_window_shows_the_same_as_after_a_refresh(
    make_napari_viewer_proxy: Untyped, qtbot: QtBot, dtype: Untyped, ndisplay: int
) -> None:
    viewer = make_napari_viewer_proxy(show=True, ndisplay=ndisplay)
    labels = np.zeros((4, 40, 60), dtype)
    layer = viewer.add_labels(labels)
    viewer.dims.set_current_step(0, 1)
    empty = viewer.screenshot(flash=False)
    labels[:, 5:25, 10:40] = np.arange(30) // 5 + 40
    hidden = {0: 1} if ndisplay == 2 else {}
    assert patchable(layer)
    patch(layer, [(slice(0, 4), slice(0, 20), slice(5, 50))], hidden)
    patch(layer, [(slice(0, 4), slice(20, 40), slice(0, 60))], hidden)
    parts = viewer.screenshot(flash=False)
    layer.refresh()
    whole = viewer.screenshot(flash=False)
    np.testing.assert_array_equal(parts, whole)
    assert (parts != empty).any()


@pytest.mark.parametrize(
    "change",
    [
        {"contour": 2},
        {"show_selected_label": True},
        {"visible": True, "colormap": DirectLabelColormap(color_dict={None: "red", 1: "blue"})},
    ],
)
def test_what_looks_at_more_than_the_part_is_refreshed(change: dict[str, Any]) -> None:
    layer = Labels(np.zeros((4, 4), np.uint32))
    assert patchable(layer)
    for name, value in change.items():
        setattr(layer, name, value)
    assert not patchable(layer)


def test_classes_are_in_the_texture_as_they_are() -> None:
    colours = DirectLabelColormap(color_dict={None: "red", 1: "blue"})
    assert patchable(Labels(np.zeros((4, 4), np.uint8), colormap=colours))


def test_a_napari_without_the_event_is_refreshed(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Labels(np.zeros((4, 4), np.uint32))
    monkeypatch.delitem(layer.events._emitters, "labels_update")
    monkeypatch.delattr(layer.events, "labels_update")
    assert not patchable(layer)
