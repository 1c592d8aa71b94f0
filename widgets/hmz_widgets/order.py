"""What a person has asked for, and how the client is asked for it.

The functions run in a worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

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
    others
        What fills the model's other inputs, by their names.
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
    others: Mapping[str, Picture] = field(default_factory=dict)

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
    source, inputs = _opened(open_picture, order)
    watched = order.urgency == "batch"  # of what somebody waits for, all is in view
    return client.run(
        order.card.id, source, inputs=inputs, focus=order.focus, watched=watched, **order.wishes
    )


def foresee(client: Client, open_picture: OpenPicture, order: Order) -> Forecast:
    """Ask what the run would take."""
    source, inputs = _opened(open_picture, order)
    try:
        return client.plan(order.card.id, source, inputs=inputs, **order.wishes)
    finally:
        for each in (source, *inputs.values()):
            each.close()


def _opened(open_picture: OpenPicture, order: Order) -> tuple[Any, dict[str, Any]]:
    """Open the image of the first input, and those of the others."""
    first, *specs = order.card.inputs
    source = open_picture(order.image, first.dtypes)
    inputs = {
        spec.name: open_picture(order.others[spec.name], spec.dtypes)
        for spec in specs
        if spec.name in order.others
    }
    return source, inputs
