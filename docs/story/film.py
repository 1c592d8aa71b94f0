"""A short animated picture, made from frames of the canvas."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageChops

WIDTH_PX = 420
COLOURS = 64
FRAME_MS = 280
LAST_MS = 2500
MOST_FRAMES = 40


def write_film(frames: Sequence[Image.Image], path: Path) -> None:
    """Write frames as a GIF that runs for ever, in the colours of the last one.

    Frames like the one before are left out, of many only some are taken, and what is black in all
    of them is cut off.
    """
    seen = [frame.crop(_lit(frames)) for frame in frames]
    chosen = _spread(_different([_small(frame) for frame in seen]))
    palette = chosen[-1].quantize(COLOURS)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in chosen]
    lasting = [FRAME_MS] * (len(drawn) - 1) + [LAST_MS]
    drawn[0].save(
        path, save_all=True, append_images=drawn[1:], duration=lasting, loop=0, optimize=True
    )


def _lit(frames: Sequence[Image.Image]) -> tuple[int, int, int, int]:
    """Return the box outside of which all frames are black."""
    brightest = frames[0]
    for frame in frames[1:]:
        brightest = ImageChops.lighter(brightest, frame)
    return brightest.getbbox() or (0, 0, *brightest.size)


def _small(frame: Image.Image) -> Image.Image:
    height = round(frame.height * WIDTH_PX / frame.width)
    return frame.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)


def _different(frames: Sequence[Image.Image]) -> list[Image.Image]:
    kept = list(frames[:1])
    for frame in frames[1:]:
        if frame.tobytes() != kept[-1].tobytes():
            kept.append(frame)
    return kept


def _spread(frames: list[Image.Image]) -> list[Image.Image]:
    """Return at most so many of the frames, evenly spread, the last one among them."""
    if len(frames) <= MOST_FRAMES:
        return frames
    step = (len(frames) - 1) / (MOST_FRAMES - 1)
    return [frames[round(place * step)] for place in range(MOST_FRAMES)]
