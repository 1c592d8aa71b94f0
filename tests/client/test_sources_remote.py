import logging
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore

from napari_hmz.sources import open_source
from napari_hmz.testing.source_contract import received

ARRAY = np.arange(64, dtype=np.uint8).reshape(8, 8)


@pytest.fixture
def bucket() -> Iterator[str]:
    files = fsspec.filesystem("memory")
    zarr.create_array(FsspecStore.from_url("memory://bucket/a.zarr"), data=ARRAY, chunks=(4, 4))
    yield "memory://bucket/a.zarr"
    files.rm("/bucket", recursive=True)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    zarr.create_array(tmp_path / "a.zarr", data=ARRAY, chunks=(4, 4))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/a.zarr"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_store_that_lists_its_objects_is_known_again(bucket: str) -> None:
    first = open_source(bucket).request
    assert open_source(bucket).request == first
    fsspec.filesystem("memory").pipe("/bucket/a.zarr/c/0/0", b"changed")
    assert open_source(bucket).request.fingerprint != first.fingerprint


def test_a_web_server_is_taken_for_new_each_time_and_says_so(
    web: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "napari_hmz"):
        source = open_source(web)
    np.testing.assert_array_equal(received(source), ARRAY)
    assert open_source(web).request.fingerprint != source.request.fingerprint
    assert "sent anew at each opening" in caplog.text


def test_a_store_without_times_is_taken_for_new_each_time(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_hmz.sources.listing._MARKS", ("etag",))
    assert open_source(bucket).request.fingerprint != open_source(bucket).request.fingerprint
