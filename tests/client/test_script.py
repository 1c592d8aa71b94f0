"""A run as code: whoever runs the code asks for the same."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, Unpack, get_args
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from napari_hmz.cli import app
from napari_hmz.record import RunRecord
from napari_hmz.run_options import RunOptions, run_request
from napari_hmz.schema import (
    AxisName,
    ModelCard,
    ParameterSpec,
    ParameterValue,
    Run,
    RunRequest,
    Volume,
)
from napari_hmz.script import as_python, as_shell
from napari_hmz.sources import Origin
from napari_hmz.testing.fake_run import fake_run

AXES: tuple[AxisName, ...] = get_args(AxisName)
GOLDEN = Path(__file__).parent / "golden" / "volume.json"
VOLUME = Volume.model_validate_json(GOLDEN.read_bytes()).model_copy(update={"id": "v"})
SECRET = "s3cr3t"  # of the test
RECORD = RunRecord(
    run="r1",
    url="https://zoo.example:8443/hmz",
    model="m",
    volume="v",
    source=Origin(address="/data/cells.zarr"),
    output="/data/labels.ome.zarr",
)

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
counts = st.integers(0, 5000)
floats = st.floats(allow_nan=False)
values: st.SearchStrategy[tuple[str, ParameterValue]] = st.one_of(
    st.tuples(st.just("number"), floats | st.none()),
    st.tuples(st.just("integer"), st.integers(-(2**40), 2**40)),
    st.tuples(st.just("boolean"), st.booleans()),
    st.tuples(st.just("string"), words | st.sampled_from(["none", '"', "1", "true", "[1,2]"])),
    st.tuples(st.just("string"), st.none()),
    st.tuples(st.just("range"), st.tuples(floats, floats) | st.none()),
)
sizes = st.dictionaries(st.sampled_from(AXES), counts, max_size=3)
regions = st.dictionaries(st.sampled_from(AXES), st.tuples(counts, counts), max_size=3)
lengths = st.floats(1e-3, 1e3)
origins = st.builds(
    Origin,
    address=names.map("/data/a folder/{}.zarr".format),
    axes=st.none() | st.just(AXES[2:]),
    level=st.integers(0, 4),
    channel=st.none() | st.integers(0, 9) | st.sampled_from(["DAPI", "488", '"', "a b"]),
    time=st.none() | st.integers(0, 9),
)


@st.composite
def sized(draw: st.DrawFn) -> Origin:
    """Return an image with a voxel size in micrometres, which is what the shell can say."""
    given = draw(st.none() | st.dictionaries(st.sampled_from(AXES[2:]), lengths, min_size=1))
    units = None if given is None else dict.fromkeys(given, "micrometer")
    return draw(origins).model_copy(update={"voxel_size": given, "units": units})


@st.composite
def requests(draw: st.DrawFn) -> tuple[RunRequest, dict[str, ParameterSpec]]:
    """Return a request and what the model's card says of its parameters."""
    typed = draw(st.dictionaries(names, values, max_size=4))
    specs = {name: ParameterSpec(type=kind, optional=True) for name, (kind, _) in typed.items()}
    request = RunRequest(
        model="m",
        version=draw(st.sampled_from(["1", "2.0.1"])),
        volume="v",
        region=draw(regions),
        parameters={name: value for name, (_, value) in typed.items()},
        outputs=tuple(draw(st.lists(names, max_size=2))),
        channels=tuple(draw(st.lists(st.integers(0, 9), max_size=3))),
        block=draw(sizes),
        halo=draw(sizes),
        join_planes=draw(st.booleans()),
        ignore_voxel_size=draw(st.booleans()),
    )
    return request, specs


@dataclass
class Listener:
    """Stands in for the client, and notes what it is asked for."""

    specs: dict[str, ParameterSpec] = field(default_factory=dict)
    connected: dict[str, Any] = field(default_factory=dict)
    opened: list[Origin] = field(default_factory=list)
    request: RunRequest | None = None
    output: Path | None = None
    with_image: bool = False

    def connect(self, url: str | None = None, **how: Any) -> Self:  # noqa: ANN401 # as connect
        given = {"url": url, **how}
        self.connected = {n: v for n, v in given.items() if v is not None and n != "started_by"}
        return self

    def open(self, address: str | Path, **how: Any) -> object:  # noqa: ANN401 # as open_source
        chosen = {n: v for n, v in how.items() if n not in {"dtypes", "pieces_bytes"}}
        axes = chosen.pop("axes", None)
        self.opened.append(
            Origin(address=str(address), axes=None if axes is None else tuple(axes), **chosen)
        )
        return object()

    def model(self, model: str, version: str | None = None) -> ModelCard:
        return ModelCard.model_validate(
            {
                "id": model, "version": version or "newest", "name": "M", "summary": "",
                "task": "restoration", "digest": "", "parameters": self.specs,
                "inputs": [{"name": "image", "axes": ["y", "x"], "dtypes": ["uint16"]}],
                "outputs": [{"name": "o", "kind": "image", "axes": ["y", "x"], "dtype": "uint8"}],
            }
        )  # fmt: skip # what matters is short

    def run(
        self,
        model: str,
        _image: object,
        *,
        output: str | Path,
        inputs: Mapping[str, object] | None = None,
        overwrite: bool = False,
        with_image: bool = False,
        **options: Unpack[RunOptions],
    ) -> None:
        assert not overwrite
        assert not inputs
        self.request = run_request(self.model(model, options.get("version")), VOLUME.id, options)
        self.output, self.with_image = Path(output), with_image
        raise HeardError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


class HeardError(Exception):
    """Ends the code once it has asked."""


@contextmanager
def listening(specs: dict[str, ParameterSpec]) -> Iterator[Listener]:
    listener = Listener(specs)
    with (
        patch("napari_hmz.client.connect", listener.connect),
        patch("napari_hmz.cli.run.connect", listener.connect),
        patch("napari_hmz.sources.open_source", listener.open),
        patch("napari_hmz.cli.request.open_source", listener.open),
        patch("napari_hmz.sources.stacked", lambda *_: None),
        patch("napari_hmz.cli.request.open_stacked", lambda openings: [o() for o in openings]),
    ):
        yield listener


def heard_from_python(code: str, specs: dict[str, ParameterSpec]) -> Listener:
    with listening(specs) as listener, pytest.raises(HeardError):
        exec(code, {})  # noqa: S102 # it is what is tested
    return listener


def heard_from_shell(command: str, specs: dict[str, ParameterSpec]) -> Listener:
    program, *arguments = shlex.split(command)
    assert program == "hmz"
    with listening(specs) as listener:
        result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, HeardError), result.output
    return listener


def a_run(request: RunRequest) -> Run:
    known = fake_run()
    plan = known.plan.model_copy(update={"version": request.version})
    return known.model_copy(update={"request": request, "plan": plan})


@given(asked=requests(), origin=sized(), with_image=st.booleans())
def test_both_ask_for_the_same_of_the_same_image(
    asked: tuple[RunRequest, dict[str, ParameterSpec]], origin: Origin, *, with_image: bool
) -> None:
    request, specs = asked
    record = RECORD.model_copy(update={"source": origin, "with_image": with_image})
    run = a_run(request)
    for heard in (
        heard_from_python(as_python(run, record), specs),
        heard_from_shell(as_shell(run, record), specs),
    ):
        assert heard.request is not None
        assert heard.request.model_dump_json() == request.model_dump_json()
        assert heard.opened == [origin]
        assert heard.connected == {"url": RECORD.url}
        assert heard.output == Path("/data/labels-again.ome.zarr")
        assert heard.with_image == with_image


@given(address=words, model=words, name=words)
def test_hostile_words_stay_words(address: str, model: str, name: str) -> None:
    run = fake_run()
    plan = run.plan.model_copy(update={"model": model})
    provenance = run.provenance.model_copy(update={"source_name": name})
    run = run.model_copy(update={"plan": plan, "provenance": provenance})
    record = RECORD.model_copy(update={"source": Origin(address="/" + address)})
    assert heard_from_python(as_python(run, record), {}).opened[0].address == "/" + address
    assert shlex.split(as_shell(run, record))[2:4] == [model, "/" + address]
    compile(as_python(run, None), "script", "exec")


def test_images_beside_each_other() -> None:
    files = [Origin(address=f"/data/{name}.tif", channel=1) for name in ("a", "b")]
    stack = Origin(address="", stacked=tuple(files), channel_names=("A", "B"))
    record = RECORD.model_copy(update={"source": stack})
    assert heard_from_python(as_python(fake_run(), record), {}).opened == files
    assert heard_from_shell(as_shell(fake_run(), record), {}).opened == files


def test_what_the_shell_cannot_open_is_left_to_the_reader() -> None:
    files = (Origin(address="/a.tif", channel=1), Origin(address="/b.tif"))
    record = RECORD.model_copy(update={"source": Origin(address="", stacked=files)})
    assert as_shell(fake_run(), record).startswith("hmz run m IMAGE /data/labels-again.ome.zarr")


def test_an_image_in_memory_is_a_variable_to_fill_in() -> None:
    for record in (None, RECORD.model_copy(update={"source": None})):
        assert "IMAGE = \"IMAGE\"  # instead of 'n': " in as_python(fake_run(), record)
        assert as_shell(fake_run(), record).startswith("hmz run m IMAGE ")


@pytest.mark.parametrize(
    ("known", "connected"),
    [
        ({"profile": "desy"}, {"profile": "desy"}),
        ({"local_engine": "triton"}, {"profile": "local", "engine": "triton"}),
        ({}, {"url": RECORD.url}),
    ],
)
def test_the_backend_is_the_same(known: dict[str, str], connected: dict[str, str]) -> None:
    record = RECORD.model_copy(update=known)
    assert heard_from_python(as_python(fake_run(), record), {}).connected == connected
    assert heard_from_shell(as_shell(fake_run(), record), {}).connected == connected


def test_no_secret_of_an_address_is_told() -> None:
    address = f"https://me:{SECRET}@store.example/a/cells.zarr?X-Signature={SECRET}#{SECRET}"
    record = RECORD.model_copy(update={"source": Origin(address=address)})
    for told in (as_python(fake_run(), record), as_shell(fake_run(), record)):
        assert SECRET not in told
        assert "https://store.example/a/cells.zarr" in told


def test_code_for_a_person() -> None:
    request = RunRequest(
        model="m", version="1", volume="v", region={"z": (0, 10)}, parameters={"diameter": 30.0}
    )
    origin = Origin(address="/data/cells.zarr", level=1, dtypes=("uint16",))
    record = RECORD.model_copy(update={"source": origin, "profile": "desy"})
    assert (
        as_python(a_run(request), record)
        == """\
from napari_hmz import connect
from napari_hmz.sources import open_source

image = open_source("/data/cells.zarr", level=1, dtypes=("uint16",))

with connect(profile="desy") as client:
    run = client.run(
        "m",
        image,
        version="1",
        region={"z": (0, 10)},
        parameters={"diameter": 30.0},
        output="/data/labels-again.ome.zarr",
    )
    print(run.wait().results)
"""
    )
    assert as_shell(a_run(request), record) == (
        "hmz run m /data/cells.zarr /data/labels-again.ome.zarr --version 1 --level 1"
        " --set diameter=30.0 --region z=0:10 --profile desy"
    )
