"""Tiles of one value throughout: computed once, and known from then on.

A model declares (`tile.skip_empty`) that it finds nothing in a tile without content. That is not
taken on trust, since a threshold below the fill value makes all of it foreground: the first such
tile of a run is computed. Only if it gives zeros alone, the same tile again is not sent to the
engine. So results are the same, whatever the parameters. A tile of which no chunk was sent is then
known by its outline alone, and not even cut. Threads: called from many at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmz_backend.engines.protocol import TileRequest
from napari_hmz.schema import AxisName, VolumeStatistics

Arrays = Mapping[str, NDArray[Any]]
Content = tuple[tuple[str, tuple[int, ...], str, bytes], ...]
"""Name, shape, dtype and value of each input."""
Used = tuple[tuple[str, AxisName, tuple[int, int, int]], ...]
"""Which part of each output is of use: another part may have other extents."""
Outline = tuple[tuple[str, int, int], ...]
"""Which part of a tile is read, axis by axis: all that tells tiles of absent chunks apart."""


@dataclass(frozen=True, slots=True)
class Blank:
    """A tile of one value; parameters are the same all through a run."""

    content: Content
    used: Used
    statistics: VolumeStatistics | None


@dataclass
class Blanks:
    """What one run knows of its blank tiles.

    Parameters
    ----------
    declared
        Whether the model says that it finds nothing in them.
    """

    declared: bool
    _empty: dict[tuple[Content, Used], list[tuple[VolumeStatistics | None, Arrays]]] = field(
        default_factory=dict
    )
    _absent: dict[Outline, Arrays] = field(default_factory=dict)

    def recognise(self, request: TileRequest) -> Blank | None:
        """Return what a tile is if it has one value throughout, and the model declares so."""
        if not self.declared or not all(map(_is_uniform, request.inputs.values())):
            return None
        content = tuple(
            (name, array.shape, array.dtype.str, array.flat[0].tobytes())
            for name, array in request.inputs.items()
        )
        used = tuple(
            (name, axis, place)
            for name, part in request.used.items()
            for axis, place in part.items()
        )
        return Blank(content, used, request.statistics)

    def learn(self, blank: Blank, results: Arrays) -> None:
        """Note what the engine has given for a blank tile, if it is zeros alone."""
        if not any(array.any() for array in results.values()):
            # One zero, seen as a whole array: it takes no memory.
            empty = {
                name: np.broadcast_to(np.zeros((), array.dtype), array.shape)
                for name, array in results.items()
            }
            known = self._empty.setdefault((blank.content, blank.used), [])
            known.append((blank.statistics, empty))

    def learn_outline(self, outline: Outline, blank: Blank) -> None:
        """Note that tiles of absent chunks with this outline are all this one."""
        if (results := self.results(blank)) is not None:
            self._absent[outline] = results

    def of_outline(self, outline: Outline) -> Arrays | None:
        """Return what a tile of absent chunks gives, if that is known to be zeros alone."""
        return self._absent.get(outline)

    def results(self, blank: Blank) -> Arrays | None:
        """Return what the engine would give, if that is known to be zeros alone."""
        for statistics, empty in self._empty.get((blank.content, blank.used), ()):
            if statistics == blank.statistics:
                return empty
        return None


def _is_uniform(array: NDArray[Any]) -> bool:
    first = array.flat[0]
    return bool(first == array.flat[-1] and (array == first).all())
