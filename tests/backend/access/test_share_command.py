"""`hmz share` and `hmz run --sensitive`, as typed."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hmz_backend.testing.cards import CARDS, MODELS
from hmz_backend.testing.fake_engine import FakeEngine
from hmz_backend.testing.live_backend import TOKEN, LiveBackend
from hmz_backend.testing.user import User
from napari_hmz.cli import app
from napari_hmz.client import connect
from napari_hmz.errors import DataRefused, NotFound

GROUP = "urn:geant:helmholtz.de:group:Imaging#login.example.de"


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveBackend]:
    with LiveBackend(tmp_path / "data", FakeEngine(MODELS), CARDS) as backend:
        monkeypatch.setenv("HMZ_URL", backend.url)
        monkeypatch.setenv("HMZ_TOKEN", TOKEN)
        monkeypatch.setenv("HMZ_STATE_DIR", str(tmp_path / "state"))
        yield backend


@pytest.fixture
def run(live: LiveBackend) -> Iterator[str]:
    with live.client() as http:
        user = User(http, np.zeros((20, 50, 44), "uint8"), (8, 16, 16))
        user.announce()
        yield user.start("copy").id


def hmz(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_a_run_is_shared_listed_and_shared_no_longer(run: str) -> None:
    assert "shared with nobody" in hmz("share", run).output
    assert f"read      {GROUP}" in hmz("share", run, "--with", GROUP).output
    told = hmz("share", run, "--with", "bob", "--to", "continue", "--issuer", "https://a.example")
    assert "continue  bob of https://a.example" in told.output
    assert GROUP in told.output
    assert "bob" not in hmz("share", run, "--stop", "bob").output
    (left,) = json.loads(hmz("share", run, "--json").output)
    assert (left["group"], left["allows"]) == (GROUP, "read")
    assert isinstance(hmz("share", run, "--stop", "bob").exception, NotFound)


def test_the_images_of_a_run_are_shared_apart_from_it(live: LiveBackend) -> None:
    with live.client() as http:
        users = [User(http, np.full((20, 50, 44), n, "uint8"), (8, 16, 16)) for n in (1, 2)]
        volumes = [user.announce().id for user in users]
        run = users[0].start("difference", inputs={"dark": volumes[1]}).id
    assert f"The image of run {run} is shared with nobody" in hmz("share", run, "--image").output
    told = hmz("share", run, "--image", "--with", GROUP, "--to", "continue").output
    assert told == f"continue  {GROUP}\n"
    assert "shared with nobody" in hmz("share", run).output
    with connect() as client:
        for volume in volumes:
            (share,) = client.volume_shares(volume)
            assert (share.group, share.allows) == (GROUP, "continue")
    assert len(json.loads(hmz("share", run, "--image", "--json").output)) == 2
    assert "shared with nobody" in hmz("share", run, "--image", "--stop", GROUP).output
    stopped = hmz("share", run, "--image", "--stop", GROUP).exception
    assert isinstance(stopped, NotFound)
    assert "--image" in stopped.remedy


def test_a_sensitive_image_is_not_sent_to_a_backend_without_encrypted_disks(
    live: LiveBackend,
) -> None:
    with connect() as client, pytest.raises(DataRefused, match="not encrypted"):
        client.run("copy", np.ones((20, 50, 44), "uint8"), sensitive=True)
    assert not list((live.folder / "volumes").glob("*"))
