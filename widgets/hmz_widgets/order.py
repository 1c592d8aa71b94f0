"""What a person has asked for, and how the client is asked for it.

The functions run in a worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

from hmz_widgets.layers import Picture
from hmz_widgets.options import Options
from hmz_widgets.service import Client, OpenPicture
from napari_hmz.forecast import Forecast
from napari_hmz.live import WatchedRun
from napari_hmz.schema import ModelCard, ParameterValue, Region, Urgency


@dataclass(frozen=True, eq=False)
class Order:
    """A model on an image.

    Parameters
    ----------
    region
        The part of the image; empty: all of it.
    output
        Where the results are written, beside being shown; None: nowhere.
    channels
        Which channel of the image feeds each channel of the model; empty: as they come.
    urgency
        Whether somebody waits for it.
    focus
        What is looked at, and so done first; empty: nothing in particular.
    """

    card: ModelCard
    image: Picture
    parameters: Mapping[str, ParameterValue]
    options: Options
    region: Region
    output: Path | None = None
    channels: tuple[int, ...] = ()
    urgency: Urgency = "batch"
    focus: Region = field(default_factory=dict)

    @property
    def wishes(self) -> "Wishes":
        """What is asked of the client, beside model and image."""
        return {
            "version": self.card.version,
            "parameters": self.parameters,
            "channels": self.channels,
            "region": self.region,
            "output": self.output,
            "join_planes": self.options.join_planes,
            "ignore_voxel_size": self.options.ignore_voxel_size,
            "urgency": self.urgency,
        }

    def preview(self, region: Region) -> "Order":
        """Return the same for what a person looks at and waits for, written nowhere."""
        return replace(self, region=region, focus={}, output=None, urgency="interactive")


class Wishes(TypedDict):
    """The arguments of `Client.run` and `Client.plan`."""

    version: str
    parameters: Mapping[str, ParameterValue]
    channels: tuple[int, ...]
    region: Region
    output: Path | None
    join_planes: bool
    ignore_voxel_size: bool
    urgency: Urgency


def begin(client: Client, open_picture: OpenPicture, order: Order) -> WatchedRun:
    """Open the image and start the run.

    The source stays open: the client may send its chunks for a later run of the same image.
    """
    source = open_picture(order.image, order.card.inputs[0].dtypes)
    return client.run(order.card.id, source, focus=order.focus, **order.wishes)


def foresee(client: Client, open_picture: OpenPicture, order: Order) -> Forecast:
    """Ask what the run would take."""
    source = open_picture(order.image, order.card.inputs[0].dtypes)
    try:
        return client.plan(order.card.id, source, **order.wishes)
    finally:
        source.close()
