"""Whether a run is so heavy that a person should see its plan before it starts.

A run that is over within a minute is better started than talked about. One that sends gigabytes,
takes long, or fills this machine is not: it is shown, and starts when the person agrees.
"""

import math

import numpy as np

from napari_hmz.forecast import Forecast
from napari_hmz.quantities import count_text, size_text, time_text
from napari_hmz.schema import OutputArray

SLOW_S = 60.0
LARGE_UP_BYTES = 2**30
LARGE_RESULT_BYTES = 2 * 2**30
"""Beyond it, results lie in a temporary file while they are looked at."""
LARGE_VOXELS = 2**28
"""Where nobody knows how fast the model is, this many are many."""


def burdens(found: Forecast) -> tuple[str, ...]:
    """Return what makes a run heavy, a sentence for each; none if it can start at once."""
    told = []
    seconds = found.seconds_likely
    if seconds is not None and seconds > SLOW_S:
        told.append(f"It takes about {time_text(seconds)}.")
    if seconds is None and found.voxels > LARGE_VOXELS:
        told.append(f"It has {count_text(found.voxels)} voxels, and nobody knows how fast it goes.")
    if found.bytes_up_likely > LARGE_UP_BYTES:
        told.append(f"It sends about {size_text(found.bytes_up_likely)}.")
    if sum(map(_size, found.outputs)) > LARGE_RESULT_BYTES:
        told.append("Its results are larger than memory should hold: they lie in a file.")
    free = found.disk_free_bytes
    if free is not None and free < found.disk_bytes:
        told.append(f"It may need {size_text(found.disk_bytes)}; {size_text(free)} are free.")
    return tuple(told)


def _size(output: OutputArray) -> int:
    return math.prod(output.shape.values()) * np.dtype(output.dtype).itemsize
