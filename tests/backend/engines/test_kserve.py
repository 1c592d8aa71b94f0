"""`/v2` in front of a real Triton, asked by the stock `tritonclient.http`."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as stock
from numpy.typing import NDArray
from tritonclient._client import InferenceServerClientBase
from tritonclient._plugin import InferenceServerClientPlugin
from tritonclient.utils import InferenceServerException

from hmz_backend.engines.bundled import RunningTriton
from hmz_backend.engines.triton import TritonEngine
from hmz_backend.engines.triton_http import TritonHttp
from hmz_backend.kserve import facade
from hmz_backend.testing.engine_contract import MODEL, VERSION
from hmz_backend.testing.live_backend import TOKEN, LiveBackend, wait_until
from hmz_backend.usage.tally import GATHER_S
from hmz_backend.zoo.package import load_package
from napari_hmz.schema import Usage, Used, wire


class Signed(InferenceServerClientPlugin):  # type: ignore[misc] # Triton's client is untyped
    """Puts the token into every request."""

    def __call__(self, request: Any) -> None:  # noqa: ANN401 # as above
        request.headers["Authorization"] = f"Bearer {TOKEN}"


@pytest.fixture(scope="module")
def live(
    server: RunningTriton, packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveBackend]:
    cards = [load_package(packages / name).card for name in (MODEL, "grains")]
    folder = tmp_path_factory.mktemp("kserve")
    http = TritonHttp([server.http_url])
    with LiveBackend(folder, TritonEngine([server.grpc_url]), cards, triton_http=http) as live:
        yield live


@pytest.fixture
def client(live: LiveBackend) -> Iterator[stock.InferenceServerClient]:
    with stock.InferenceServerClient(live.url.removeprefix("http://"), concurrency=4) as client:
        client.register_plugin(Signed())
        yield client


def tile(shape: tuple[int, int] = (40, 50)) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 200, shape).astype(np.uint8)


def asked(image: NDArray[np.uint8]) -> list[stock.InferInput]:
    tensor = stock.InferInput("image_uint8", list(image.shape), "UINT8")
    tensor.set_data_from_numpy(image)
    return [tensor]


def test_the_stock_client_finds_the_server_and_its_models(
    client: stock.InferenceServerClient,
) -> None:
    assert isinstance(client, InferenceServerClientBase)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["name"] == "napari-hmz"
    index = client.get_model_repository_index()
    assert {entry["name"] for entry in index} == {MODEL, "grains"}
    assert client.is_model_ready(MODEL)
    metadata = client.get_model_metadata(MODEL, VERSION)
    assert metadata["name"] == MODEL
    assert metadata["versions"] == [VERSION]
    assert "image_uint8" in {tensor["name"] for tensor in metadata["inputs"]}
    config = client.get_model_config(MODEL)
    assert set(config) <= facade.CONFIGURATION


def test_the_stock_client_gets_what_bare_triton_gives(
    client: stock.InferenceServerClient, server: RunningTriton
) -> None:
    image = tile()
    through = client.infer(MODEL, asked(image), parameters={"level": 90.0})
    with stock.InferenceServerClient(server.http_url.removeprefix("http://")) as bare:
        words = stock.InferInput("hmz_request", [1], "BYTES")
        words.set_data_from_numpy(np.array([b'{"parameters": {"level": 90.0}}'], np.object_))
        name = f"{MODEL}-{VERSION}".replace(".", "_")
        expected = bare.infer(name, [*asked(image), words]).as_numpy("labels")
    np.testing.assert_array_equal(through.as_numpy("labels"), expected)
    assert expected.max() > 0
    assert through.get_response()["model_name"] == MODEL
    assert through.get_response()["model_version"] == VERSION
    other = client.infer(MODEL, asked(image), parameters={"level": 200.0}).as_numpy("labels")
    assert (other != expected).any()


def test_a_body_that_is_not_held_passes_in_pieces(
    client: stock.InferenceServerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tile((700, 900))
    held = client.infer(MODEL, asked(image)).as_numpy("labels")
    monkeypatch.setattr(facade, "HELD_BYTES", 1000)
    np.testing.assert_array_equal(client.infer(MODEL, asked(image)).as_numpy("labels"), held)


def test_what_a_call_used_is_counted_on_its_callers_account(
    live: LiveBackend, client: stock.InferenceServerClient
) -> None:
    def used() -> Used:
        with live.client() as http:
            lines = Usage.model_validate_json(http.get(wire.USAGE).content).used
        return next((line for line in lines if line.model == MODEL), Used(month=""))

    def settled() -> Used:
        found = used()
        while True:
            time.sleep(4 * GATHER_S)  # the ledger is written after a while, and nothing tells
            last, found = found, used()
            if last == found:
                return found

    before = settled()
    client.infer(MODEL, asked(tile()))
    wait_until(lambda: used().tiles > before.tiles)
    after = used()
    assert (after.tiles - before.tiles, after.voxels - before.voxels) == (1, 40 * 50)
    assert after.bytes_up - before.bytes_up > 40 * 50  # the tile, and the words before it
    assert after.bytes_down - before.bytes_down > 4 * 40 * 50
    assert 0 < after.engine_s - before.engine_s < 60


def test_many_requests_at_once_get_each_its_own_answer(client: stock.InferenceServerClient) -> None:
    images = [tile((20 + n, 30)) for n in range(16)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: client.infer(MODEL, asked(one)), images))
    assert [each.as_numpy("labels").shape for each in found] == [each.shape for each in images]


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("load_model", MODEL),
        ("unload_model", MODEL),
        ("get_inference_statistics", ""),
        ("get_trace_settings", ""),
        ("get_log_settings", ""),
        ("get_system_shared_memory_status", ""),
        ("unregister_system_shared_memory", ""),
        ("unregister_cuda_shared_memory", ""),
    ],
)
def test_what_is_dangerous_does_not_exist(
    client: stock.InferenceServerClient, action: str, name: str
) -> None:
    with pytest.raises(InferenceServerException, match="404"):
        getattr(client, action)(*([name] if name else []))


def test_shared_memory_and_sequences_are_refused_with_words(
    client: stock.InferenceServerClient,
) -> None:
    (tensor,) = asked(tile())
    tensor.set_shared_memory("region", 2000)
    with pytest.raises(InferenceServerException, match="Shared memory"):
        client.infer(MODEL, [tensor])
    with pytest.raises(InferenceServerException, match="sequence_id"):
        client.infer(MODEL, asked(tile()), sequence_id=5, sequence_start=True)
    with pytest.raises(InferenceServerException, match="packed"):
        client.infer(MODEL, asked(tile()), request_compression_algorithm="gzip")


def test_who_is_not_known_sees_no_model(live: LiveBackend) -> None:
    with stock.InferenceServerClient(live.url.removeprefix("http://")) as stranger:
        for ask in (
            lambda: stranger.get_model_metadata(MODEL),
            stranger.get_model_repository_index,
            lambda: stranger.infer(MODEL, asked(tile())),
        ):
            with pytest.raises(InferenceServerException, match="credential"):
                ask()


def test_a_model_that_fails_and_one_that_is_not_there_say_so(
    client: stock.InferenceServerClient,
) -> None:
    with pytest.raises(InferenceServerException, match="hmz models"):
        client.infer("unicorn", asked(tile()))
    wrong = stock.InferInput("image_uint8", [5], "UINT8")
    wrong.set_data_from_numpy(np.zeros(5, np.uint8))
    with pytest.raises(InferenceServerException, match=r"axes|shape"):
        client.infer(MODEL, [wrong])


def test_a_tile_beyond_the_memory_is_refused_before_it_is_sent(live: LiveBackend) -> None:
    signed = {"Authorization": f"Bearer {TOKEN}", "Inference-Header-Content-Length": "145"}
    shape = [1_000_000, 1_000_000]
    text = (
        f'{{"inputs":[{{"name":"image_uint8","datatype":"UINT8","shape":{shape},'
        '"parameters":{"binary_data_size":0}}]}'
    ).encode()
    signed["Inference-Header-Content-Length"] = str(len(text))
    answer = httpx.post(f"{live.url}/v2/models/{MODEL}/infer", content=text, headers=signed)
    assert answer.status_code == 422
    assert "smaller tiles" in answer.json()["error"]


def test_a_body_that_does_not_come_gives_its_place_back(
    live: LiveBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facade, "BODY_S", 0.3)
    text = (
        b'{"inputs":[{"name":"image_uint8","datatype":"UINT8","shape":[4,4],'
        b'"parameters":{"binary_data_size":16}}]}'
    )
    head = (
        f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(text) + 16}\r\n"
        f"Inference-Header-Content-Length: {len(text)}\r\n\r\n"
    )
    address = live.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=20) as slow:
        slow.sendall(head.encode() + text)
        assert slow.recv(12) == b"HTTP/1.1 422"  # as all requests that cannot be used
    assert live.app.state.services.kserve._bodies.inside == 0


def test_after_a_restart_of_triton_models_are_loaded_again(
    client: stock.InferenceServerClient, live: LiveBackend
) -> None:
    with stock.InferenceServerClient(_triton(live)) as bare:
        client.infer(MODEL, asked(tile()))
        bare.unload_model(f"{MODEL}-{VERSION}".replace(".", "_"))
    assert client.infer(MODEL, asked(tile())).as_numpy("labels").shape == (40, 50)


def _triton(live: LiveBackend) -> str:
    assert live.triton_http is not None
    return live.triton_http.urls[0].removeprefix("http://")
