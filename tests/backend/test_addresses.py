"""Addresses that a caller gives: none is opened, whatever it leads to."""

import json
import socket
from pathlib import Path

import pytest

from hmz_backend.testing.user import User
from hmz_backend.testing.volumes import announcement
from napari_hmz.schema import wire

INSIDE = [
    "file:///etc/passwd",
    "/etc/passwd",
    "../data",
    "http://localhost:{port}/image.zarr",
    "http://127.0.0.1:{port}/image.zarr",
    "http://[::ffff:127.0.0.1]:{port}/image.zarr",
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://127.0.0.1.nip.example:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "https://example.org/image.zarr",
    "s3://bucket/image.zarr",
    "gopher://127.0.0.1:{port}/_x",
    "\\\\server\\share",
    "",
]


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_is_opened(user: User, address: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        port = listening.getsockname()[1]
        body = json.loads(announcement(user.array, user.chunks).model_dump_json())
        body["address"] = address.format(port=port)
        answer = user.http.post(wire.VOLUMES, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "address-refused")
        with pytest.raises(BlockingIOError):  # nobody has come
            listening.accept()
    assert user.http.get(wire.RUNS).json() == []
    assert not list((tmp_path / "data" / "volumes").glob("*"))
