"""Must-show 2 of the window: how long it stands still while the results of a run stream in.

A real napari window in an X server of its own, with software OpenGL. A run is played back into it
(`playback`): first over a plane of 64 x 2048², whose labels take 1 GiB, then over a volume of 256³.
Then a model is run on such an image, on a backend of this machine whose engine takes all cores.
What napari takes by itself is measured in the same window and stands beside: to draw the window
with nothing new in it, which nobody can go below, and one plain refresh of the layer.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.memory import started
from benchmarks.window import MODEL, Asked, Seen

BAR_MS = 50.0
BESIDE_BAR_MS = 75.0
"""Software draws the window on the same cores, which takes most of `BAR_MS` by itself: an engine
that fills them may make that half as long again. With a graphics card, or an engine elsewhere,
`BAR_MS` counts."""
PLANE = Asked(2, (64, 2048, 2048), (64, 128, 128), per_s=25.0)
COMPUTED = Asked(2, (64, 2048, 2048), (1, 512, 512), per_s=0.0)
VOLUME = Asked(3, (256, 256, 256), (64, 64, 64), per_s=8.0, zoom=0.2)
"""Seen from afar: software draws each pixel of a volume slowly."""
ADDING = 3.0
SCREEN = ("xvfb-run", "-a", "-s", "-screen 0 1400x900x24")


def figures() -> Iterator[Figure]:
    """Yield the longest stalls in milliseconds, and how often a volume is drawn anew."""
    plane = seen(PLANE)
    yield Figure(
        "2-D, 64 x 2048²: longest stall while labels of 1 GiB stream in, ms",
        plane.stalls_ms[0], BAR_MS, "below",
        f"({plane.drawn} drawings in {plane.seconds:.0f} s; napari by itself: {alone(plane)})",
    )  # fmt: skip # what matters stands first
    yield Figure(
        "2-D: adding the layer of 1 GiB / adding one of 4 x 4 x 4 by hand",
        plane.adding_ms / plane.small_ms, ADDING, "below",
        f"({plane.adding_ms:.0f} / {plane.small_ms:.0f} ms)",
    )  # fmt: skip # what matters stands first
    volume = seen(VOLUME)
    yield Figure(
        "3-D, 256³: most drawings of the layer in a throttle period",
        volume.most_in_a_period, 1, "below",
        f"({volume.drawn} in {volume.seconds:.0f} s, periods of 0.5 s or more; "
        f"longest stall {volume.stalls_ms[0]:.0f} ms; napari by itself: {alone(volume)})",
    )  # fmt: skip # what matters stands first


def computed() -> Iterator[Figure]:
    """Yield the longest stall while the engine computes on the cores that draw the window."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backend = started(folder, [])
        try:
            state = str(folder / "state")
            plane = seen(replace(COMPUTED, url=backend.url, token=backend.token, state=state))
        finally:
            backend.stop()
    yield Figure(
        f"2-D, 64 x 2048²: longest stall while {MODEL} computes on the same cores, ms",
        plane.stalls_ms[0], BESIDE_BAR_MS, "below",
        f"({plane.drawn} drawings in {plane.seconds:.0f} s; the ten longest "
        f"{', '.join(f'{ms:.0f}' for ms in plane.stalls_ms[:10])}; "
        f"napari by itself: {alone(plane)})",
    )  # fmt: skip # what matters stands first


def alone(found: Seen) -> str:
    """Return what napari takes by itself, in words."""
    return (
        f"{found.redraw_ms[0]:.0f} ms to draw the window again, "
        f"{found.refresh_ms[0]:.0f} ms to refresh the layer"
    )


def seen(asked: Asked) -> Seen:
    """Measure in a process and an X server of their own."""
    command = [*SCREEN, sys.executable, "-m", "benchmarks.window", json.dumps(asdict(asked))]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Seen(**json.loads(said.splitlines()[-1]))
