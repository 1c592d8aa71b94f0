"""Bad input and faults: a clear error, before pixels travel where that is possible."""

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from napari_hmz import errors
from napari_hmz.client import Client, connect
from napari_hmz.schema import AxisName, ChunkDone, Health, Interval, VolumeRequest, wire
from napari_hmz.sources import Origin, Source, open_source
from napari_hmz.testing.backend_process import BackendProcess
from napari_hmz.testing.scripted_server import Answer, ScriptedServer

Array = NDArray[Any]
MakeBlobs = Callable[..., Array]
THRESHOLD = {"threshold": 36_000}


class Held:
    """A source whose chunks come only once the gate is open."""

    def __init__(self, inner: Source) -> None:
        self.inner, self.gate = inner, threading.Event()

    @property
    def request(self) -> VolumeRequest:
        return self.inner.request

    @property
    def origin(self) -> Origin | None:
        return self.inner.origin

    def chunk(self, key: str) -> bytes | None:
        self.gate.wait(60)
        return self.inner.chunk(key)

    def place(self, key: str) -> str:
        return self.inner.place(key)

    def read(self, region: Mapping[AxisName, Interval]) -> Array:
        return self.inner.read(region)

    def close(self) -> None:
        self.gate.set()
        self.inner.close()


@pytest.fixture
def held(blobs: MakeBlobs) -> Iterator[Held]:
    source = Held(open_source(blobs()))
    yield source
    source.close()


def test_cancel_ends_a_run_that_waits(client: Client, held: Held) -> None:
    run = client.run("components", held, parameters=THRESHOLD)
    run.cancel()
    with pytest.raises(errors.RunCancelled):
        run.wait(60)
    assert run.info().state == "cancelled"
    run.cancel()  # twice is no error
    assert client.cancel(run.id).state == "cancelled"


def test_wait_gives_up_when_asked(client: Client, held: Held) -> None:
    run = client.run("components", held, parameters=THRESHOLD)
    assert run.wait(0.3).state in {"queued", "running"}
    held.gate.set()
    assert run.wait(60).state == "done"


def test_focus_is_taken(client: Client, held: Held) -> None:
    run = client.run("components", held, parameters=THRESHOLD)
    run.focus({"z": (0, 4), "y": (0, 10), "x": (0, 10)})
    held.gate.set()
    assert run.wait(60).state == "done"


def test_a_run_begins_with_what_is_looked_at(client: Client, blobs: MakeBlobs) -> None:
    block: dict[AxisName, int] = {"z": 16, "y": 32, "x": 32}
    run = client.run(
        "components", blobs(), parameters=THRESHOLD, block=block, focus={"z": (39, 40)}
    )
    first = next(event for event in run.watch() if isinstance(event, ChunkDone))
    assert first.region["z"] == (32, 40)
    assert run.wait(60).state == "done"


def test_nobody_at_the_address(state: Path) -> None:
    with pytest.raises(errors.BackendUnreachable):
        connect("http://127.0.0.1:9", "token", patience_s=0.2)


def test_wrong_token(backend: BackendProcess, state: Path) -> None:
    with (
        connect(backend.url, "not-the-token", state_dir=state) as client,
        pytest.raises(errors.NotSignedIn),
    ):
        client.models()


@pytest.mark.parametrize(
    ("protocol", "oldest_client", "error"),
    [(0, 0, errors.BackendTooOld), (9, 9, errors.ClientTooOld)],
)
def test_the_other_side_is_of_another_age(
    state: Path, protocol: int, oldest_client: int, error: type[errors.HmzError]
) -> None:
    health = Health(
        status="ok", version="0", protocol=protocol, oldest_client=oldest_client, engine="embedded"
    )
    with ScriptedServer() as server:
        server.on("GET", wire.HEALTH, lambda _: Answer(200, health.model_dump_json().encode()))
        with pytest.raises(error):
            connect(server.url, "token")


def test_something_else_listens_at_the_address(state: Path) -> None:
    with (
        ScriptedServer() as server,
        pytest.raises(errors.BackendUnreachable, match="no napari-hmz backend"),
    ):
        connect(server.url, "token")


def test_an_output_that_exists_is_refused_before_anything_is_asked(
    client: Client, blobs: MakeBlobs, tmp_path: Path
) -> None:
    output = tmp_path / "out.ome.zarr"
    zarr.create_group(output)
    runs = client.runs()
    with pytest.raises(errors.OutputExists):
        client.run("components", blobs(), parameters=THRESHOLD, output=output)
    assert client.runs() == runs
    client.run("components", blobs(), parameters=THRESHOLD, output=output, overwrite=True).wait(60)
    assert (output / "labels/labels/0/zarr.json").exists()


@pytest.mark.parametrize("below", ["", "0"])
def test_the_image_of_a_run_is_never_replaced_by_its_output(
    client: Client, blobs: MakeBlobs, tmp_path: Path, below: str
) -> None:
    image = blobs()
    zarr.create_group(tmp_path / "mine.zarr")
    path = tmp_path / "mine.zarr" / below
    zarr.create_array(path, data=image, dimension_names=["z", "y", "x"], overwrite=True)
    runs = client.runs()
    with pytest.raises(errors.OutputExists, match="image itself"):
        client.run("components", path, output=tmp_path / "mine.zarr", overwrite=True)
    assert client.runs() == runs
    assert (np.asarray(zarr.open_array(path)[...]) == image).all()


def test_a_folder_that_is_no_zarr_is_never_replaced(
    client: Client, blobs: MakeBlobs, tmp_path: Path
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter1.tex").touch()
    with pytest.raises(errors.OutputExists, match="not a zarr group"):
        client.run("components", blobs(), output=tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis/chapter1.tex").exists()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"parameters": {"colour": 3}}, errors.ParameterInvalid),
        ({"parameters": {"connectivity": "sideways"}}, errors.ParameterInvalid),
        ({"region": {"z": (30, 50)}}, errors.RegionInvalid),
        ({"region": {"t": (0, 1)}}, errors.RegionInvalid),
        ({"version": "0.0.7"}, errors.NotFound),
        ({"region": {"z": "all"}}, errors.RequestError),
    ],
)
def test_a_request_that_cannot_be_is_refused_before_pixels_travel(
    client: Client, held: Held, options: dict[str, Any], error: type[errors.HmzError]
) -> None:
    runs = client.runs()
    with pytest.raises(error) as raised:
        client.run("components", held, **options)
    assert raised.value.remedy
    assert client.runs() == runs


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.zeros((4, 0, 5), "uint8"), errors.VolumeEmpty),
        (np.zeros((4, 8, 8), "complex64"), errors.DtypeUnsuitable),
        (np.zeros((4, 8, 8), "int64"), errors.DtypeUnsuitable),
        (np.zeros(8, "uint8"), errors.AxesMismatch),
        (np.zeros((8, 8), "uint8"), errors.AxesMismatch),
    ],
)
def test_an_image_that_cannot_be_used(
    client: Client, image: Array, error: type[errors.HmzError]
) -> None:
    with pytest.raises(error):
        client.run("components", image).wait(60)


class Damaged(Held):
    """A source of which one chunk is damaged after it was measured."""

    def __init__(self, inner: Source, damage: Callable[[bytes], bytes]) -> None:
        super().__init__(inner)
        self.gate.set()
        self.damage, self.key = damage, ""

    def chunk(self, key: str) -> bytes | None:
        whole = super().chunk(key)
        assert whole is not None
        self.key = self.key or key
        return self.damage(whole) if key == self.key else whole


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda whole: b"\0" * len(whole), errors.ChunkCorrupt),
        (lambda whole: whole[: len(whole) // 2], errors.ChunkCorrupt),
        (lambda _: b"", errors.ChunkCorrupt),
        (lambda whole: whole + bytes(2**26), errors.ChunkTooLarge),
        (lambda _: zstd_of(bytes(2**25)), errors.ChunkTooLarge),
    ],
    ids=["changed", "cut", "emptied", "grown", "bomb"],
)
def test_a_damaged_chunk_ends_the_run_with_the_reason(
    client: Client,
    blobs: MakeBlobs,
    zarr_of: Callable[..., Path],
    damage: Callable[[bytes], bytes],
    error: type[errors.HmzError],
) -> None:
    source = Damaged(open_source(zarr_of(blobs())), damage)
    run = client.run("components", source, parameters=THRESHOLD)
    with pytest.raises(error):
        run.wait(60)
    assert run.info().state in {"cancelled", "failed"}


def zstd_of(body: bytes) -> bytes:
    return bytes(Zstd().encode(body))


def test_an_image_that_is_damaged_on_the_disk_is_not_sent(
    client: Client, blobs: MakeBlobs, zarr_of: Callable[..., Path]
) -> None:
    path, runs = zarr_of(blobs()), client.runs()
    (path / "c/1/1/1").write_bytes(b"something else")
    with pytest.raises(errors.SourceUnreadable, match="image"):
        client.run("components", path, parameters=THRESHOLD)
    assert client.runs() == runs


def test_infinite_values_are_reported(client: Client, blobs: MakeBlobs) -> None:
    image = blobs(dtype="float32")
    image[3, 4, 5], image[6, 7, 8] = np.nan, np.inf
    with pytest.raises(errors.NonFiniteData) as caught:
        client.run("components", image, parameters=THRESHOLD).wait(60)
    assert "--overwrite" in caught.value.remedy
    assert "attach" not in caught.value.remedy  # an image that was mended is another one


def test_an_unknown_run(client: Client) -> None:
    for ask in (client.attach, client.cancel):
        with pytest.raises(errors.NotFound):
            ask("no-such-run")


def test_an_unknown_output(client: Client, blobs: MakeBlobs) -> None:
    run = client.run("components", blobs(), parameters=THRESHOLD)
    run.wait(60)
    with pytest.raises(errors.NotFound, match="labels"):
        run.array("probabilities")
