"""A run as a command for a shell."""

import json
import shlex
from collections.abc import Mapping

from napari_hmz.lengths import in_micrometres
from napari_hmz.record import RunRecord
from napari_hmz.schema import AxisName, Interval, ParameterValue, Run, RunRequest
from napari_hmz.script.places import IMAGE, backend_words, output_again, without_secrets
from napari_hmz.sources import Origin

_NONE = ("none", "null")


def as_shell(run: Run, record: RunRecord | None) -> str:
    """Return the `hmz run` command that makes the same request of the same image.

    Parameters
    ----------
    run
        The run to repeat, with the version of the model that it had.
    record
        What this machine knows of its image and of the place of its results. Without it, if the
        image was in memory only, or if the command line cannot open it, IMAGE stands for it.
    """
    source = None if record is None else record.source
    image, options = (IMAGE, []) if source is None else _image(source)
    version = run.request.version or run.plan.version
    words = ["hmz", "run", run.plan.model, image, output_again(run, record)]
    words += [*_option("--version", version), *options, *_inputs(run, record)]
    words += _wishes(run.request)
    if record is not None and record.with_image:
        words.append("--with-image")
    for name, value in backend_words(record).items():
        words += _option(f"--{name}", value)
    return shlex.join(words)


def _wishes(request: RunRequest) -> list[str]:
    words = []
    for name, value in request.parameters.items():
        words += _option("--set", f"{name}={_parameter(value)}")
    if request.region:
        words += _option("--region", _by_axis({a: _interval(i) for a, i in request.region.items()}))
    if request.channels:
        words += _option("--channels", ",".join(map(str, request.channels)))
    for name in request.outputs:
        words += _option("--only", name)
    for option, sizes in (("--block", request.block), ("--halo", request.halo)):
        if sizes:
            words += _option(option, _by_axis(sizes))
    flags = {"--join-planes": request.join_planes, "--any-voxel-size": request.ignore_voxel_size}
    return words + [flag for flag, is_set in flags.items() if is_set]


def _inputs(run: Run, record: RunRecord | None) -> list[str]:
    """Return the images of the model's other inputs.

    IMAGE stands for those that need options of their own: the command cannot open them.
    """
    known = {} if record is None else record.inputs
    words = []
    for name in run.provenance.inputs:
        source = known.get(name)
        is_plain = source is not None and not source.stacked and not _selection(source)
        place = without_secrets(source.address) if source is not None and is_plain else IMAGE
        words += _option("--input", f"{name}={place}")
    return words


def _image(source: Origin) -> tuple[str, list[str]]:
    """Return the image, and the options that open it as it was opened."""
    first, *others = source.stacked or (source,)
    if any(_selection(one) != _selection(first) for one in others):
        return IMAGE, []  # options hold for all that lie beside each other
    words = _selection(first)
    for one in others:
        words += _option("--beside", without_secrets(one.address))
    return without_secrets(first.address), words


def _selection(source: Origin) -> list[str]:
    words = _option("--axes", "".join(source.axes)) if source.axes else []
    if source.level:
        words += _option("--level", str(source.level))
    if source.channel is not None:
        words += _option("--channel", _channel(source.channel))
    if source.time is not None:
        words += _option("--time", str(source.time))
    sizes = _sizes_um(source)
    return words + (_option("--voxel-size", _by_axis(sizes)) if sizes else [])


def _sizes_um(source: Origin) -> dict[AxisName, float]:
    """Return the voxel size that was given, along the axes where it is a length."""
    units = source.units or {}
    found = {
        axis: in_micrometres(size, units.get(axis, ""))
        for axis, size in (source.voxel_size or {}).items()
    }
    return {axis: size for axis, size in found.items() if size is not None}


def _option(name: str, value: str) -> list[str]:
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def _by_axis(values: Mapping[AxisName, object]) -> str:
    return ",".join(f"{axis}={value}" for axis, value in values.items())


def _interval(interval: Interval) -> str:
    first, end = interval
    return f"{first}:{end}"


def _channel(channel: int | str) -> str:
    """Return a channel; the name of one in quotes, where it would be taken for an index."""
    is_plain = isinstance(channel, int) or not (
        channel.lstrip("-").isdecimal() or channel.startswith('"')
    )
    return str(channel) if is_plain else json.dumps(channel)


def _parameter(value: ParameterValue) -> str:
    """Return a value as the command line reads it back; text in quotes, where it must be."""
    if value is None:
        return _NONE[0]
    return value if isinstance(value, str) and _is_plain(value) else json.dumps(value)


def _is_plain(text: str) -> bool:
    if text != text.strip() or text.startswith('"') or text.lower() in _NONE:
        return False
    try:
        json.loads(text)
    except ValueError:
        return True
    return False
