"""From the words of a command to an open image and the options of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from napari_hmz.cli import words
from napari_hmz.run_options import RunOptions
from napari_hmz.schema import AxisName, ModelCard
from napari_hmz.settings import load_settings
from napari_hmz.sources import Source, open_source, open_stacked


@dataclass(frozen=True, slots=True)
class ImageWords:
    """How the image is to be opened, as it was typed."""

    source: str
    axes: str | None
    level: int
    channel: str | None
    time: int | None
    voxel_size: str | None
    beside: Sequence[str] | None = None

    def open(self, card: ModelCard, together: int = 1) -> Source:
        """Open the image in a data type that the model takes, with what stands beside it.

        Parameters
        ----------
        together
            How many such images are open at the same time, and share the memory.
        """
        if not self.beside:
            return self._open_one(self.source, card, together)
        files = [self.source, *self.beside]
        together *= len(files)
        return open_stacked([partial(self._open_one, file, card, together) for file in files])

    def _open_one(self, source: str, card: ModelCard, together: int) -> Source:
        sizes = words.by_axis(self.voxel_size, float, "--voxel-size")
        units: dict[AxisName, str] = dict.fromkeys(sizes, "micrometer")
        return open_source(
            source if "://" in source else Path(source),
            axes=self.axes,
            level=self.level,
            channel=words.channel(self.channel),
            time=self.time,
            voxel_size=sizes or None,
            units=units or None,
            dtypes=card.inputs[0].dtypes,
            pieces_bytes=load_settings().memory.pieces_bytes // together,
        )


@dataclass(frozen=True, slots=True)
class RunWords:
    """What is asked of the run, as it was typed."""

    parameters: Sequence[str] | None
    region: str | None
    channels: str | None
    outputs: Sequence[str] | None
    join_planes: bool
    block: str | None
    halo: str | None
    any_voxel_size: bool
    stream: bool
    sensitive: bool = False
    urgent: bool = False

    def options(self, card: ModelCard) -> RunOptions:
        """Return the options of `Client.run`; the words are read by the card's parameters."""
        return RunOptions(
            version=card.version,
            parameters=words.parameters(self.parameters, card.parameters),
            region=words.by_axis(self.region, words.interval, "--region"),
            channels=words.indices(self.channels, "--channels"),
            outputs=tuple(self.outputs or ()),
            join_planes=self.join_planes,
            block=words.by_axis(self.block, int, "--block"),
            halo=words.by_axis(self.halo, int, "--halo"),
            ignore_voxel_size=self.any_voxel_size,
            stream=self.stream,
            sensitive=self.sensitive,
            urgency="interactive" if self.urgent else "batch",
        )
