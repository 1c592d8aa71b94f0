"""What a run will take of this machine and of the link, beside what the backend plans.

Called in the caller's thread. A few chunks of the image are read, to see how small they become.
"""

import math
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from napari_hmz.errors import DiskFull
from napari_hmz.quantities import count_text, size_text, sizes_text, time_text
from napari_hmz.schema import OutputArray, Plan, extents
from napari_hmz.sources import Source
from napari_hmz.sources.keys import grid_of, key_of

SAMPLED_CHUNKS = 5
SAMPLED_S = 2.0
_LABELS_SHARE = 0.03
"""What zstd leaves of labels; 0.005 to 0.02 was measured on nuclei."""
_VALUES_SHARE = 0.9
"""What it leaves of float32 images and probabilities, as measured on the sample of nuclei."""
_IMAGE_SHARE = 0.3
"""What it leaves of a quiet uint16 image, as measured on the same sample."""
_LEVELS = 4 / 3
"""An output and its coarser levels, which halve at least two axes each."""


class Forecast(Plan):
    """A plan, and what it means for this machine and its link to the backend."""

    bytes_up_likely: int = 0
    """Encoded, as a sample of the image's chunks has it."""
    bytes_down_likely: int = 0
    """Encoded, as outputs of this kind usually are."""
    link_bytes_per_s: float | None = None
    """What the link has carried before; none if that was not measured."""
    link_seconds: float | None = None
    """How long sending takes at that rate."""
    wall: Literal["", "link", "engine"] = ""
    """Which of the two takes longer; empty if one of them is not known."""
    memory_here_bytes: int = 0
    """What this process holds at most of image and results."""
    disk_likely_bytes: int = 0
    """What the output will take where it is written."""
    disk_bytes: int = 0
    """The same at the worst: nothing can be packed."""
    disk_free_bytes: int | None = None
    """What is free there; none if there is no such place."""

    @property
    def seconds_likely(self) -> float | None:
        """How long the run takes at the slower wall; none if nothing is known of the engine."""
        if self.seconds is None:
            return None
        return max(self.seconds, self.link_seconds or 0.0)


def forecast(
    plan: Plan,
    source: Source,
    *,
    place: Path | None,
    memory_bytes: int,
    link_bytes_per_s: float | None,
    with_image: bool = False,
    sampled: bool = True,
) -> Forecast:
    """Return a plan with what it takes here.

    Parameters
    ----------
    plan, source
        What the backend has planned for which image.
    place
        Where the output goes; None: nowhere.
    memory_bytes
        What this process may hold.
    link_bytes_per_s
        What the link to the backend has carried before.
    with_image
        Whether the image is written beside the results.
    sampled
        Whether chunks of the image may be read to see how small they become; else they are taken
        for as small as they can well be, so that nothing is refused that would fit.
    """
    is_needed = plan.bytes_up > 0 or with_image
    share = packed_share(plan, source) if sampled and is_needed else _IMAGE_SHARE
    up = round(plan.bytes_up * share)
    link_s = None if link_bytes_per_s is None else up / link_bytes_per_s
    image = _image_bytes(plan, source) if with_image else 0
    likely = _LEVELS * (sum(map(_packed, plan.outputs)) + image * share)
    most = _LEVELS * (plan.bytes_down + image)
    free = None if place is None else _free_bytes(place)
    return Forecast(
        **dict(plan),
        bytes_up_likely=up,
        bytes_down_likely=round(sum(map(_packed, plan.outputs))),
        link_bytes_per_s=link_bytes_per_s,
        link_seconds=link_s,
        wall=_wall(plan.seconds, link_s),
        memory_here_bytes=memory_bytes,
        disk_likely_bytes=0 if place is None else math.ceil(likely),
        disk_bytes=0 if place is None else math.ceil(most),
        disk_free_bytes=free,
    )


def check_disk(found: Forecast) -> None:
    """Refuse a run whose output will not fit where it is to be written.

    Raises
    ------
    DiskFull
        Before anything is sent.
    """
    free = found.disk_free_bytes
    if free is not None and free < found.disk_likely_bytes:
        raise DiskFull(
            f"The output needs about {size_text(found.disk_likely_bytes)} and at most "
            f"{size_text(found.disk_bytes)}; {size_text(free)} are free there.",
            remedy="Free some space, write the output elsewhere, or take a smaller region.",
        )


def packed_share(plan: Plan, source: Source) -> float:
    """Return what encoding leaves of the image's chunks, by a few of them; absent ones are 0."""
    decoded = math.prod(source.request.chunks.values()) * np.dtype(source.request.dtype).itemsize
    began_s, sizes = time.monotonic(), []
    for key in _sampled_keys(plan, source):
        chunk = source.chunk(key)
        sizes.append(0 if chunk is None else len(chunk))
        if time.monotonic() - began_s > SAMPLED_S:
            break
    return min(1.0, sum(sizes) / (len(sizes) * max(1, decoded)))


def rows(found: Forecast) -> dict[str, str]:
    """Return a forecast as people read it: a name and a sentence for each figure."""
    region = ", ".join(f"{axis} {start}:{stop}" for axis, (start, stop) in found.region.items())
    told = {
        "model": f"{found.model} {found.version}",
        "region": f"{region} ({count_text(found.voxels)} voxels)",
        "blocks": f"{found.blocks} of {sizes_text(found.block)}",
        "halo": sizes_text(found.halo),
        "tile": sizes_text(found.tile),
        "to send": _up_text(found),
        "to fetch": f"about {size_text(found.bytes_down_likely)},"
        f" at most {size_text(found.bytes_down)}",
        "memory": f"{size_text(found.memory_bytes)} at the backend,"
        f" at most {size_text(found.memory_here_bytes)} here",
    }
    if found.disk_free_bytes is not None:
        told["disk"] = (
            f"about {size_text(found.disk_likely_bytes)}, at most {size_text(found.disk_bytes)};"
            f" {size_text(found.disk_free_bytes)} are free"
        )
    told["time"] = _time_text(found)
    if found.position:
        told["queue"] = _queue_text(found)
    return told


def _queue_text(found: Forecast) -> str:
    when = "" if found.wait_s is None else f", begins in about {time_text(found.wait_s)}"
    return f"place {found.position}: as many of your runs go as may go at a time{when}"


def _up_text(found: Forecast) -> str:
    if not found.chunks_needed:
        return "nothing: the backend has all that is needed of the image"
    return (
        f"about {size_text(found.bytes_up_likely)} in {found.chunks_needed} chunks,"
        f" at most {size_text(found.bytes_up)}"
    )


def _time_text(found: Forecast) -> str:
    where = "as measured here" if found.measured else "by the model's card; not yet measured here"
    engine = "unknown" if found.seconds is None else f"{time_text(found.seconds)} ({where})"
    if not found.chunks_needed:
        return f"computing {engine}"
    rate = found.link_bytes_per_s
    link = "unknown: the link has not been measured yet"
    if rate is not None and found.link_seconds is not None:
        link = f"{time_text(found.link_seconds)} at {size_text(rate)}/s"
    wall = f"; the {found.wall} is the wall" if found.wall else ""
    return f"computing {engine}, sending {link}{wall}"


def _wall(engine_s: float | None, link_s: float | None) -> Literal["", "link", "engine"]:
    if engine_s is None or link_s is None:
        return ""
    return "link" if link_s > engine_s else "engine"


def _sampled_keys(plan: Plan, source: Source) -> Iterator[str]:
    """Yield keys of chunks that lie evenly along the diagonal of the region."""
    request = source.request
    grid = dict(zip(request.axes, grid_of(request), strict=True))
    for step in range(SAMPLED_CHUNKS):
        share = (step + 0.5) / SAMPLED_CHUNKS
        places = {}
        for axis in request.axes:
            start, stop = plan.region.get(axis, (0, request.shape[axis]))
            at = int(start + share * (stop - start)) // request.chunks[axis]
            places[axis] = min(at, grid[axis] - 1)
        yield key_of(request, [places[axis] for axis in request.axes])


def _image_bytes(plan: Plan, source: Source) -> int:
    region = extents(plan.region) or source.request.shape
    return math.prod(region.values()) * np.dtype(source.request.dtype).itemsize


def _packed(output: OutputArray) -> float:
    itemsize = np.dtype(output.dtype).itemsize
    is_labels = output.kind in {"instance-labels", "semantic-labels"}
    share = _LABELS_SHARE if is_labels else _VALUES_SHARE
    return math.prod(output.shape.values()) * itemsize * share


def _free_bytes(place: Path) -> int | None:
    for folder in _upwards(place.absolute()):
        if folder.is_dir():
            return shutil.disk_usage(folder).free
    return None


def _upwards(place: Path) -> Iterable[Path]:
    return (place, *place.parents)
