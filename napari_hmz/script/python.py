"""A run as Python code."""

import json
import math
from collections.abc import Mapping
from typing import Any

from napari_hmz.record import RunRecord
from napari_hmz.schema import Run
from napari_hmz.script.places import IMAGE, backend_words, output_again, without_secrets
from napari_hmz.sources import Origin

_LINE = 88
_INDENT = "    "


def as_python(run: Run, record: RunRecord | None) -> str:
    """Return Python code that makes the same request of the same image.

    Parameters
    ----------
    run
        The run to repeat, with the version of the model that it had.
    record
        What this machine knows of its image and of the place of its results. Without it, or if
        the image was in memory only, the code begins with a variable to fill in.
    """
    source = None if record is None else record.source
    image = IMAGE if source is None else "image"
    wishes = [f"{name}={_literal(value)}" for name, value in _wishes(run, record).items()]
    if inputs := _inputs(run, record):
        wishes.insert(0, f"inputs={{{', '.join(inputs)}}}")
    backend = [f"{name}={_literal(value)}" for name, value in backend_words(record).items()]
    asked = _call("client.run", [_literal(run.plan.model), image, *wishes], _INDENT)
    opening = _opening(run, source)
    if any("open_source(" in wish for wish in wishes) and not any("import" in o for o in opening):
        opening = ["from napari_hmz.sources import open_source", *opening]
    return "\n".join(
        [
            "from napari_hmz import connect",
            *opening,
            "",
            f"with {_call('connect', backend)} as client:",
            f"{_INDENT}run = {asked}",
            f"{_INDENT}print(run.wait().results)",
            "",
        ]
    )


def _wishes(run: Run, record: RunRecord | None) -> dict[str, object]:
    """Return what `Client.run` is given beside model and image, without what is usual."""
    request = run.request
    asked = {
        "region": request.region,
        "parameters": request.parameters,
        "channels": request.channels,
        "outputs": request.outputs,
        "join_planes": request.join_planes,
        "block": request.block,
        "halo": request.halo,
        "ignore_voxel_size": request.ignore_voxel_size,
        "with_image": record is not None and record.with_image,
    }
    return {
        "version": request.version or run.plan.version,
        **{name: value for name, value in asked.items() if value},
        "output": output_again(run, record),
    }


def _inputs(run: Run, record: RunRecord | None) -> list[str]:
    """Return what feeds the model's other inputs, as the items of a dictionary."""
    known = {} if record is None else record.inputs
    return [
        f"{_literal(name)}: {_other(known.get(name), used.name)}"
        for name, used in run.provenance.inputs.items()
    ]


def _other(source: Origin | None, name: str) -> str:
    if source is None or source.stacked:
        return _literal(f"{IMAGE} {name}")
    return _opened(source, _INDENT * 2)


def _opening(run: Run, source: Origin | None) -> list[str]:
    """Return the lines that name or open the image."""
    if source is None:
        name = run.provenance.source_name
        return ["", f'{IMAGE} = "{IMAGE}"  # instead of {name!r}: an array, or where one lies']
    if not source.stacked:
        return [
            "from napari_hmz.sources import open_source",
            "",
            f"image = {_opened(source)}",
        ]
    images = [f"{_INDENT}{_opened(one, _INDENT)}," for one in source.stacked]
    return [
        "from napari_hmz.sources import open_source, stacked",
        "",
        "images = [",
        *images,
        "]",
        f"image = stacked(images, {_literal(source.channel_names)})",
    ]


def _opened(source: Origin, indent: str = "") -> str:
    given = source.model_dump(
        exclude={"address", "stacked", "channel_names"}, exclude_defaults=True
    )
    words = [f"{name}={_literal(value)}" for name, value in given.items()]
    return _call("open_source", [_literal(without_secrets(source.address)), *words], indent)


def _call(name: str, arguments: list[str], indent: str = "") -> str:
    """Return a call on one line, or on a line an argument; `indent` is that of its own line."""
    line = f"{name}({', '.join(arguments)})"
    if len(indent) + len(line) <= _LINE:
        return line
    inner = "".join(f"{indent}{_INDENT}{argument},\n" for argument in arguments)
    return f"{name}(\n{inner}{indent})"


def _literal(value: Any) -> str:  # noqa: ANN401 # any value of a request
    """Return a value as Python reads it; text in double quotes, where that is safe."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        inner = ", ".join(map(_literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, str) and value.isprintable():
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
