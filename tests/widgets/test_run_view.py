"""At the end of a run, what memory could not hold is shown from the store that was written."""

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from hmz_widgets import reader, run_view
from hmz_widgets.bridge import Bridge
from hmz_widgets.layers import picture
from hmz_widgets.run_view import RunView
from hmz_widgets.status import StatusView
from napari_hmz.live import Advanced, Begun, Ended, Filled, blank
from napari_hmz.results import OutputWriter
from napari_hmz.schema import OutputArray, Run, Sizes, full_region
from napari_hmz.standing import Gauge, Standing
from napari_hmz.testing.fake_client import FakeRun
from napari_hmz.testing.fake_run import fake_run
from napari_hmz.transfer import Traffic

Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""
SHAPE: Sizes = {"y": 300, "x": 400}
LABELS = OutputArray(
    name="cells",
    kind="instance-labels",
    axes=("y", "x"),
    shape=SHAPE,
    chunks={"y": 128, "x": 128},
    dtype="uint32",
)


class Shown:
    """A run in a viewer whose results are in a temporary file and in a store."""

    def __init__(self, path: Path, *, in_file: bool, passing: bool = False) -> None:
        self.viewer, self.bridge, self.status = ViewerModel(), Bridge(), StatusView()
        layer = self.viewer.add_image(np.zeros((300, 400), np.uint8), name="i", rotate=30)
        self.run: Run = fake_run(LABELS, region={"y": (0, 300), "x": (0, 400)})
        canvas = blank(LABELS, memory_cap_bytes=0 if in_file else 2**30)
        canvas.array[...] = values = np.arange(300 * 400, dtype=np.uint32).reshape(300, 400)
        writer = OutputWriter.prepare(path, self.run)
        writer.write_chunk("cells", full_region(LABELS.shape), values)
        writer.finish(self.run)
        self.path = path
        self.view = RunView(
            self.viewer, picture(layer, ("y", "x")), self.bridge, self.status, passing=passing
        )
        standing = Gauge(Traffic()).standing()
        handle = FakeRun.__new__(FakeRun)  # nothing is asked of it
        self.view.take(Begun(handle, self.run, {"cells": canvas}, standing))
        self.view.take(Filled("cells", full_region(LABELS.shape)))
        self.before = self.viewer.layers[-1]

    def end(self, qtbot: QtBot) -> Untyped:
        self.view.take(Ended(self.run, self.path))
        qtbot.waitUntil(lambda: not self.bridge.busy)
        self.view.close()
        self.bridge.close()
        return self.viewer.layers[-1]


@pytest.fixture(autouse=True)
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "IN_MEMORY_BYTES", 1000)


def test_the_store_takes_the_place_of_the_temporary_file(qtbot: QtBot, tmp_path: Path) -> None:
    shown = Shown(tmp_path / "o.ome.zarr", in_file=True)
    shown.viewer.add_points(np.zeros((1, 2)), name="mine")
    shown.viewer.layers.move(2, 1)  # the person has put something below
    layer = shown.end(qtbot)
    assert [each.name for each in shown.viewer.layers] == ["i", "mine", "i cells (m)"]
    assert layer.multiscale
    assert isinstance(layer.data[0], da.Array)
    assert int(layer.data[0][299, 399]) == 300 * 400 - 1
    np.testing.assert_allclose(layer.data_to_world((7, 9)), shown.before.data_to_world((7, 9)))
    assert layer.metadata["hmz"]["model"] == "m"


def test_what_fits_into_memory_stays_editable(qtbot: QtBot, tmp_path: Path) -> None:
    shown = Shown(tmp_path / "o.ome.zarr", in_file=False)
    assert shown.end(qtbot) is shown.before
    assert shown.before.editable


def test_what_the_person_has_painted_stays(qtbot: QtBot, tmp_path: Path) -> None:
    shown = Shown(tmp_path / "o.ome.zarr", in_file=True)
    shown.before.paint((5, 5), 7)
    assert shown.end(qtbot) is shown.before


def test_a_removed_layer_does_not_come_back(qtbot: QtBot, tmp_path: Path) -> None:
    shown = Shown(tmp_path / "o.ome.zarr", in_file=True)
    shown.viewer.layers.remove(shown.before)
    shown.end(qtbot)
    assert [each.name for each in shown.viewer.layers] == ["i"]


def test_a_store_that_is_gone_is_told(qtbot: QtBot, tmp_path: Path) -> None:
    shown = Shown(tmp_path / "o.ome.zarr", in_file=True)
    shown.path = tmp_path / "elsewhere"
    assert shown.end(qtbot) is shown.before
    assert "was not written" in shown.status.message


def test_the_table_of_its_objects_is_a_click_away(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Untyped] = []
    monkeypatch.setattr(run_view, "open_table", lambda _, layer: opened.append(layer))
    shown = Shown(tmp_path / "o.ome.zarr", in_file=True)
    qtbot.addWidget(shown.status.native)
    assert shown.status.next_button.isHidden()
    layer = shown.end(qtbot)
    assert shown.status.next_button.text() == "Object table"
    shown.status.next_button.click()
    assert opened == [layer]
    shown.viewer.layers.remove(layer)
    shown.status.next_button.click()
    assert opened == [layer]
    assert shown.status.next_button.isHidden()


def test_nothing_is_offered_to_do_with_a_preview(qtbot: QtBot, tmp_path: Path) -> None:
    shown = Shown(tmp_path / "o.ome.zarr", in_file=False, passing=True)
    qtbot.addWidget(shown.status.native)
    shown.end(qtbot)
    assert shown.status.next_button.isHidden()


def test_who_cannot_send_the_image_is_told_while_it_is_awaited(
    qtbot: QtBot, tmp_path: Path
) -> None:
    shown = Shown(tmp_path / "o.ome.zarr", in_file=False)
    shown.view.take(Advanced(Standing("image", lack="The image is not here.")))
    assert "The image is not here." in shown.status.message
    shown.view.take(Advanced(Standing("computing")))  # another machine has sent it
    assert not shown.status.message
    shown.end(qtbot)


@pytest.mark.parametrize(
    ("standing", "sends"),
    [
        (Standing("queue", position=3), True),
        (Standing("queue", position=1), False),  # a model that loads looks like this too
        (Standing("engine"), False),
    ],
)
def test_more_of_the_image_is_sent_while_others_go_first(
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    standing: Standing,
    sends: bool,
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(FakeRun, "seen", lambda _, *, shows=True: seen.append(shows))
    shown = Shown(tmp_path / "o.ome.zarr", in_file=False)
    shown.view.take(Advanced(standing))
    assert seen == ([True] if sends else [])
    shown.end(qtbot)
