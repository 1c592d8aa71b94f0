"""Play the story of a first run, and write a picture of every step.

`xvfb-run -a -s "-screen 0 1400x900x24" python -m docs.story [FOLDER]`: a model is chosen, previewed
and run; napari is closed in the middle; another napari takes the run up, shows its objects and
exports them. It says how long it took from the start of napari to the first labels. The backend is
one of its own, started as a person would and ended with the story; nothing of the user's is read
or written. On a desktop, leave out `xvfb-run` and keep off the window.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docs.story.words import CLOSED, FIRST_LABELS, say
from napari_hmz.connection import local_folder
from napari_hmz.local import Handshake
from napari_hmz.settings import ClientSettings

IMAGES = Path(__file__).parents[1] / "images"
READY = "ready"
"""A file that says that the second napari has opened its window."""


def main() -> int:
    """Play the whole story, or one act of it."""
    parser = argparse.ArgumentParser(prog="python -m docs.story", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES, help="for the pictures")
    parser.add_argument("--short", action="store_true", help="without the film")
    parser.add_argument("--act", choices=("first", "second", "film"), help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.act == "first":
        _first(asked.folder, asked.began, asked.home / READY)
    elif asked.act == "second":
        _second(asked.folder, asked.home)
    elif asked.act == "film":
        _film(asked.folder)
    else:
        with tempfile.TemporaryDirectory(prefix="hmz-story-") as home:
            return perform(Stage(asked.folder.absolute(), Path(home), asked.short))
    return 0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where pictures go, where everything else lives, and whether the story is a short one."""

    pictures: Path
    home: Path
    short: bool


def perform(stage: Stage) -> int:
    """Play each act in a process of its own, and end the backend whatever happens."""
    try:
        first = _process("first", stage)
        second = _heard(first, stage)
        if second is None:
            return first.wait() or 1
        if first.wait():
            second.kill()  # it waits for a cue that does not come
            return first.returncode
        if second.wait() or stage.short:
            return second.returncode
        return _process("film", stage).wait()
    finally:
        _end_backend(stage.home)


def _heard(first: "subprocess.Popen[str]", stage: Stage) -> "subprocess.Popen[str] | None":
    """Pass on what the first act says, and have the second napari wait in the wings meanwhile.

    It opens its window before the run is started, which would be over before it is taken up.
    """
    second = None
    for line in first.stdout or ():
        print(line, end="", flush=True)  # noqa: T201 # a script's own word
        if line.startswith(FIRST_LABELS):
            second = _process("second", stage)
        if line.startswith(CLOSED) and second is not None and second.stdin is not None:
            second.stdin.write("\n")  # its cue
            second.stdin.flush()
    return second


def _process(act: str, stage: Stage) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "docs.story", str(stage.pictures), "--act", act]
    said = subprocess.PIPE if act == "first" else None
    return subprocess.Popen(  # noqa: S603 # our own interpreter
        [*words, "--began", str(time.time()), "--home", str(stage.home)],
        env={**os.environ, **_fresh(stage.home)},
        stdin=subprocess.PIPE,
        stdout=said,
        text=True,
    )


def _first(pictures: Path, began_s: float, ready: Path) -> None:
    from docs.story.first_act import leave
    from docs.story.window import Window

    window = Window(pictures)
    leave(window, began_s, ready)
    window.close()
    say(CLOSED)
    window.develop()


def _second(pictures: Path, home: Path) -> None:
    from docs.story.second_act import get_ready, take_up
    from docs.story.window import Window

    window = Window(pictures)
    zoo = get_ready(window)
    (home / READY).touch()
    sys.stdin.readline()  # the cue
    take_up(window, zoo, home)
    window.close()
    window.develop()


def _film(pictures: Path) -> None:
    from docs.story.film_act import SIZE_PX, film
    from docs.story.window import Window

    window = Window(pictures, SIZE_PX)
    film(window, pictures / "growing.gif")
    window.close()


def _fresh(home: Path) -> Mapping[str, str]:
    """Return the variables of somebody who has never used any of this.

    Tiles are computed one at a time: else the run would be over before it is taken up.
    """
    return {
        "HMZ_BACKEND_WORKERS": "1",
        "HMZ_BACKEND_TILES_IN_FLIGHT": "1",
        "HMZ_CONFIG": str(home / "client.toml"),
        "HMZ_STATE_DIR": str(home / "state"),
        "HMZ_DATA_DIR": str(home / "data"),
        "NAPARI_CONFIG": str(home / "napari.yaml"),
    }


def _end_backend(home: Path) -> None:
    settings = ClientSettings(state_dir=home / "state", data_dir=home / "data")
    with contextlib.suppress(OSError):  # it may never have been started
        written = local_folder(settings).handshake.read_bytes()
        os.kill(Handshake.model_validate_json(written).pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
