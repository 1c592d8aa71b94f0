"""The first act: a model is chosen, previewed and run, and napari is closed in the middle."""

import time
from pathlib import Path

from docs.story.window import Trouble, Window
from docs.story.words import FIRST_LABELS, say
from hmz_widgets.dock import ModelZoo
from napari_hmz.schema import ENDED, Run

MODEL = "nuclei-2d"
"""Works plane by plane, so that there is something to see while it runs."""


def leave(window: Window, began_s: float, ready: Path) -> None:
    """Play it, until the run can do without napari.

    Parameters
    ----------
    began_s
        When this napari was started, in seconds since 1970.
    ready
        The run begins once there is this file.
    """
    window.open_sample()
    zoo = window.open_zoo()
    page = zoo.model_page
    window.until(lambda: zoo.header.state in ("Running", "Not started"), "the backend's state")
    window.shoot("1-sample")
    if zoo.header.state == "Not started":
        window.press(zoo.header.start_button)
    window.until(lambda: page.models.card() is not None, "the models")
    _choose(window, zoo)
    window.press(page.desk.preview_button)
    window.until(window.labels, FIRST_LABELS)
    say(f"{FIRST_LABELS} {time.time() - began_s:.1f} s after the start of napari")
    window.until(page.desk.run_button.isEnabled, "the end of the preview")
    window.shoot("3-preview")
    window.until(ready.exists, "the other napari")
    _run(window, zoo)
    window.shoot("4-running")


def _choose(window: Window, zoo: ModelZoo) -> None:
    models = zoo.model_page.models
    window.press(models.chosen.face)
    models.catalogue.search.line.setText("nuclei")
    models.catalogue.entries.look_at(MODEL)
    window.settle(0.5)  # thumbnails come by and by
    window.shoot("2-catalogue")
    window.press(models.catalogue.details.use_button)
    card = models.card()
    if card is None or card.id != MODEL:
        raise Trouble(f"{MODEL} was not chosen.")


def _run(window: Window, zoo: ModelZoo) -> None:
    """Start the run, and wait until there is something to see and all is sent."""
    page = zoo.model_page
    page.options.join_planes.setChecked(True)
    before = {run.id for run in _runs(zoo)}
    window.press(page.desk.run_button)
    window.until(lambda: len(_runs(zoo)) > len(before), "the run")
    (run,) = (run for run in _runs(zoo) if run.id not in before)
    window.until(lambda: _is_sent(zoo, run.id) and window.labels(), "labels of the run")


def _runs(zoo: ModelZoo) -> list[Run]:
    client = zoo.backend.client
    return [] if client is None else list(client.runs())


def _is_sent(zoo: ModelZoo, run_id: str) -> bool:
    """Return whether the backend has the whole image: nobody could send the rest."""
    (run,) = (run for run in _runs(zoo) if run.id == run_id)
    if run.state in ENDED:
        raise Trouble("The run was over before napari could be closed.")
    return 0 < run.progress.chunks_needed == run.progress.chunks_held
