"""Chunks of a volume: their zarr keys, and which of them a region or a block needs."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hmz_backend.planning.blocks import Block, blocks_reading, reading_range, tile_part
from napari_hmz.errors import ChunkRejected
from napari_hmz.schema import AxisName, Interval, Plan, Region, VolumeRequest

_LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class KeyStyle:
    """How the keys of a zarr array are written: `c/0/1`, `0.1` or `0/1`."""

    prefix: str
    separator: str

    def write(self, numbers: tuple[int, ...]) -> str:
        """Return the key of the chunk with these numbers, one per axis."""
        return self.prefix + self.separator.join(str(number) for number in numbers)

    def read(self, key: str) -> tuple[int, ...] | None:
        """Return the numbers in a key, or None if it is not written in this style."""
        number = "(?:0|[1-9][0-9]*)"
        pattern = f"{re.escape(self.prefix)}({number}(?:{re.escape(self.separator)}{number})*)"
        found = re.fullmatch(pattern, key, re.ASCII) if len(key) <= _LONGEST_KEY else None
        return tuple(int(part) for part in found[1].split(self.separator)) if found else None


def key_style(volume: VolumeRequest) -> KeyStyle:
    """Return how the array that a volume announces names its chunks."""
    document = volume.array.document
    if volume.array.zarr_format == 2:  # noqa: PLR2004 # the version's name
        return KeyStyle("", str(document.get("dimension_separator") or "."))
    encoding = document.get("chunk_key_encoding") or {}
    if not isinstance(encoding, Mapping):
        encoding = {"name": str(encoding)}
    settings = encoding.get("configuration") or {}
    if encoding.get("name", "default") == "v2":
        return KeyStyle("", str(settings.get("separator", ".")))
    separator = str(settings.get("separator", "/"))
    return KeyStyle("c" + separator, separator)


def chunks_touching(volume: VolumeRequest, region: Region) -> list[str]:
    """Return the keys of the chunks that hold a voxel of `region`, in raster order.

    What lies outside the volume is left out; axes that `region` does not name are taken whole.
    """
    style = key_style(volume)
    ranges = [_chunk_range(volume, axis, region.get(axis)) for axis in volume.axes]
    return [style.write(numbers) for numbers in itertools.product(*ranges)]


def count_chunks(volume: VolumeRequest, region: Region) -> int:
    """Return how many chunks hold a voxel of `region`, without naming them."""
    return math.prod(len(_chunk_range(volume, axis, region.get(axis))) for axis in volume.axes)


def _chunk_range(volume: VolumeRequest, axis: AxisName, interval: Interval | None) -> range:
    extent, length = volume.shape[axis], volume.chunks[axis]
    start, stop = interval or (0, extent)
    start, stop = max(0, start), min(stop, extent)
    return range(start // length, -(-stop // length)) if stop > start else range(0)


def chunk_region(volume: VolumeRequest, key: str) -> Region:
    """Return the voxels that a chunk holds, clipped to the volume.

    Raises
    ------
    ChunkRejected
        If the volume has no chunk of this key.
    """
    numbers = key_style(volume).read(key)
    if numbers is None or len(numbers) != len(volume.axes):
        raise ChunkRejected(f"{key[:_LONGEST_KEY]!r} is no chunk key of this volume.")
    region: Region = {}
    for axis, number in zip(volume.axes, numbers, strict=True):
        length, extent = volume.chunks[axis], volume.shape[axis]
        if number * length >= extent:
            raise ChunkRejected(f"Chunk {key!r} lies outside the volume.")
        region[axis] = (number * length, min((number + 1) * length, extent))
    return region


def channel_parts(plan: Plan, region: Region) -> list[Region]:
    """Split `region` by the channels that the model takes; as it is where it takes none."""
    if not plan.channels:
        return [region]
    return [{**region, "c": (channel, channel + 1)} for channel in sorted(set(plan.channels))]


def block_chunks(plan: Plan, volume: VolumeRequest, block: Block) -> list[str]:
    """Return the keys of the chunks that a block's tile reads."""
    parts = channel_parts(plan, tile_part(plan, block))
    keys = itertools.chain.from_iterable(chunks_touching(volume, part) for part in parts)
    return list(dict.fromkeys(keys))


def chunk_blocks(plan: Plan, volume: VolumeRequest, key: str) -> list[int]:
    """Return the blocks whose tiles read a chunk, ascending: the inverse of `block_chunks`."""
    region = chunk_region(volume, key)
    if plan.channels and not any(
        low <= channel < high
        for channel, (low, high) in ((channel, region["c"]) for channel in plan.channels)
    ):
        return []
    return blocks_reading(plan, region)


def plan_parts(plan: Plan) -> list[Region]:
    """Return what all tiles of a plan read together, one box per channel that the model takes."""
    return channel_parts(plan, plan.context or plan.region)


def plan_chunks(plan: Plan, volume: VolumeRequest) -> Iterator[str]:
    """Yield the key of every chunk that a plan needs, once, lazily."""
    seen: set[tuple[int, int]] = set()
    for part in plan_parts(plan):
        if "c" in part:
            chunk = _chunk_range(volume, "c", part["c"])
            if (chunk.start, chunk.stop) in seen:
                continue
            seen.add((chunk.start, chunk.stop))
        style = key_style(volume)
        ranges = [_chunk_range(volume, axis, part.get(axis)) for axis in volume.axes]
        yield from (style.write(numbers) for numbers in itertools.product(*ranges))


def count_plan_chunks(plan: Plan, volume: VolumeRequest) -> int:
    """Return how many chunks a plan needs."""
    spans: dict[tuple[int, int], int] = {}
    for part in plan_parts(plan):
        chunk = _chunk_range(volume, "c", part["c"]) if "c" in part else range(1)
        spans[(chunk.start, chunk.stop)] = count_chunks(volume, part)
    return sum(spans.values())


def chunk_readers(plan: Plan, volume: VolumeRequest, axis: AxisName) -> list[range]:
    """Return, for each chunk along one axis, which blocks along that axis read it."""
    extent, length = volume.shape[axis], volume.chunks[axis]
    spans = [(low, min(low + length, extent)) for low in range(0, extent, length)]
    if axis == "c" and plan.channels:  # every tile reads the channels that the model takes
        taken = {channel // length for channel in plan.channels}
        return [range(plan.grid[axis] if number in taken else 0) for number in range(len(spans))]
    return [reading_range(plan, axis, span) for span in spans]


def largest_chunk_set(plan: Plan, volume: VolumeRequest) -> int:
    """Return how many chunks the most demanding tile reads."""
    most = 1
    for axis in volume.axes:
        read = np.zeros(plan.grid[axis] + 1, np.int64)
        for blocks in chunk_readers(plan, volume, axis):
            read[blocks.start] += 1
            read[blocks.stop] -= 1
        most *= int(np.cumsum(read).max())
    return most
