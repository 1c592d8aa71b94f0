"""The short film: a run from its start to its end, seen from the side."""

from pathlib import Path

from docs.story.film import write_film
from docs.story.first_act import MODEL
from docs.story.window import Window

SIZE_PX = (1120, 540)
"""Leaves little to the canvas: the smaller it is, the more often it is drawn."""


def film(window: Window, path: Path) -> None:
    """Run the model on the sample, and write what was seen."""
    window.open_sample()
    page = window.open_zoo().model_page
    window.until(lambda: page.models.card() is not None, "the models")
    page.models.choose(MODEL)
    page.options.join_planes.setChecked(True)
    window.turn()
    frames = [window.frame()]
    window.press(page.desk.run_button)

    def over() -> bool:
        frames.append(window.frame())
        return not page.desk.running and window.labels()

    window.until(over, "the end of the run")
    write_film([*frames, window.frame()], path)
