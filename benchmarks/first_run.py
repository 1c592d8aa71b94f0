"""Must-show 1 of the window: from the start of napari to the first labels, as somebody new does it.

The story of the documentation (`docs/story`) is played in an X server of its own: a fresh napari,
the sample volume, a backend of this machine that is started from the dock, a model that has never
been used. It says when the first labels were there.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.figure import Figure
from benchmarks.stall import SCREEN

BAR_S = 60.0
SAID = re.compile(r"(?P<seconds>[\d.]+) s after the start of napari")


def figures() -> Iterator[Figure]:
    """Yield the time in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*SCREEN, sys.executable, "-m", "docs.story", folder, "--short"]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = SAID.search(said)
    if found is None:
        raise RuntimeError("the story has not said when the first labels were there")
    yield Figure(
        "seconds from the start of napari to the first labels", float(found["seconds"]), BAR_S,
        "below", "(with the start of the backend, pictures taken on the way, a model never used)",
    )  # fmt: skip # what matters stands first
