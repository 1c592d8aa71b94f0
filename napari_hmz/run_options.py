"""What a run may be asked for beside model and image, and the request that it becomes."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from pydantic import ValidationError

from napari_hmz.errors import RequestError
from napari_hmz.schema import (
    AxisName,
    Interval,
    ModelCard,
    ParameterValue,
    RunRequest,
    Starter,
    Urgency,
    VolumeRequest,
)
from napari_hmz.sources.protocol import Source

HELD_S = 60.0
"""So long a model may take to load before the rest of a watched run's image is sent."""


class RunOptions(TypedDict, total=False):
    """What a run or a plan may be asked for, beside model and source."""

    version: str | None
    """None: the newest."""
    region: Mapping[AxisName, Interval] | None
    """Axes that are not named are taken whole."""
    parameters: Mapping[str, ParameterValue] | None
    """Those that are not named keep the model's defaults."""
    channels: Sequence[int] | None
    """Which channel of the image feeds each channel of the model."""
    outputs: Sequence[str] | None
    """Names of the outputs wanted; None: all."""
    join_planes: bool
    """Join what a 2-D model finds in neighbouring planes, where it overlaps."""
    block: Mapping[AxisName, int] | None
    halo: Mapping[AxisName, int] | None
    ignore_voxel_size: bool
    """Run even though the voxel size is far from what the model was made for."""
    urgency: Urgency
    """`interactive`: somebody waits for it; it goes before other work, within a cap."""
    focus: Mapping[AxisName, Interval] | None
    """The part of the image that is sent and computed first; it changes nothing else."""
    watched: bool
    """Somebody looks at the results as they come: the rest of the image is sent once `Run.seen`
    says that the first of them are on show, at the latest after `HELD_S` seconds."""
    stream: bool
    """Keep no more of the image on the backend than is worked on; another run sends it again."""
    sensitive: bool
    """Declare the image sensitive: refused where it may not go, and not kept after the run."""


def held_s(options: RunOptions) -> float:
    """Return for how long, at most, what the first results do not need is held back."""
    return HELD_S if options.get("watched", False) else 0.0


def announcement(source: Source, options: RunOptions) -> VolumeRequest:
    """Return what the backend is told of an image."""
    mode = "stream" if options.get("stream", False) else source.request.mode
    data_class = {"data_class": "sensitive"} if options.get("sensitive", False) else {}
    return source.request.model_copy(update={"mode": mode, **data_class})


def run_request(
    card: ModelCard,
    volume: str,
    options: RunOptions,
    started_by: Starter = "api",
    inputs: Mapping[str, str] | None = None,
) -> RunRequest:
    """Return the request for a run of the card's version.

    Parameters
    ----------
    volume, inputs
        The ids of the volumes: of the first input's, and of the others' by their names.

    Raises
    ------
    RequestError
        If an option is not of its type.
    TypeError
        If there is no such option: a misspelt one must not be passed over.
    """
    unknown = sorted(set(options) - set(RunOptions.__annotations__))
    if unknown:
        known = ", ".join(sorted(RunOptions.__annotations__))
        raise TypeError(f"no such option of a run: {', '.join(unknown)}; there are {known}")
    try:
        return RunRequest(
            model=card.id,
            version=card.version,
            volume=volume,
            inputs=dict(inputs or {}),
            region=dict(options.get("region") or {}),
            parameters=dict(options.get("parameters") or {}),
            outputs=tuple(options.get("outputs") or ()),
            channels=tuple(options.get("channels") or ()),
            block=dict(options.get("block") or {}),
            halo=dict(options.get("halo") or {}),
            join_planes=options.get("join_planes", False),
            started_by=started_by,
            ignore_voxel_size=options.get("ignore_voxel_size", False),
            urgency=options.get("urgency", "batch"),
        )
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise RequestError(
            f"An option of the run cannot be used: {'; '.join(faults)}.",
            remedy="Correct it: regions are {axis: (first, end)}, sizes are {axis: voxels}.",
        ) from error
