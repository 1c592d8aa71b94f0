"""From `hmz login` to a result: a browser, the real provider, a real backend, tokens that end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz.testing.backend_process import BackendProcess, free_port
from napari_hmz.testing.folder_keyring import FOLDER
from napari_hmz.testing.issuer import API, DESKTOP, SCOPE, Issuer
from napari_hmz.testing.slow_link import SlowLink

Array = NDArray[Any]
Shell = Callable[..., "subprocess.CompletedProcess[str]"]
GROUP = "urn:geant:helmholtz.de:group:imaging#login.helmholtz.de"
LIFE_S = 3
BYTES_PER_S = 50e3  # so that a run outlives several tokens


@pytest.fixture(scope="module")
def people(
    issuer_process: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackendProcess]:
    """A backend that knows people by their issuer, and does not forgive an expired token."""
    issuer_process.account("eve", GROUP)
    desktop = {"client_id": DESKTOP, "resource": API, "scopes": SCOPE.split(), "name": "Test"}
    told = {
        "url": issuer_process.url,
        "audiences": [API],
        "authorities": ["login.helmholtz.de"],
        "leeway_s": 0,
        "desktop": desktop,
    }
    variables = {"HMZ_BACKEND_ISSUERS": json.dumps([told])}
    backend = BackendProcess(tmp_path_factory.mktemp("people"), free_port(), variables=variables)
    backend.start()
    yield backend
    backend.stop()


@pytest.fixture
def hmz(people: BackendProcess, state: Path, tmp_path: Path) -> Shell:
    """Call `hmz` as eve, who has a keyring and a browser and no token."""
    (tmp_path / "keyring").mkdir()
    environment = {
        **os.environ,
        "HMZ_URL": people.url,
        "HMZ_STATE_DIR": str(state),
        "PYTHON_KEYRING_BACKEND": "napari_hmz.testing.folder_keyring.FolderKeyring",
        FOLDER: str(tmp_path / "keyring"),
        "HMZ_CONNECTIONS": "2",  # so that a chunk is not on its way for longer than a token lives
        "BROWSER": f"{sys.executable} -m napari_hmz.testing.browser eve %s",
    }

    def call(*words: object, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "napari_hmz.cli", *map(str, words)],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**environment, **variables},
            text=True,
            timeout=240,
        )

    return call


@pytest.mark.slow
def test_a_run_outlives_the_token_that_it_was_started_with(
    *,
    hmz: Shell,
    people: BackendProcess,
    issuer: Issuer,
    blobs: Callable[..., Array],
    zarr_of: Callable[..., Path],
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    tmp_path: Path,
) -> None:
    refused = hmz("models")
    assert refused.returncode == 1
    assert "not-signed-in" in refused.stderr
    assert "hmz login" in refused.stderr

    image = blobs()
    path = zarr_of(image)
    issuer.lifetimes(access_s=LIFE_S)
    with SlowLink(people.url, bytes_per_s=BYTES_PER_S) as link:
        signed_in = hmz("login", HMZ_URL=link.url)
        assert signed_in.returncode == 0, signed_in.stderr
        assert f"Signed in at {link.url} as eve" in signed_in.stderr
        options = ("-p", "threshold=36000", "--block", "z=16,y=24,x=24")
        began_s = time.monotonic()
        done = hmz("run", "components", path, "out.zarr", *options, HMZ_URL=link.url)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(written(tmp_path / "out.zarr"), labels_of(image))
    assert time.monotonic() - began_s > 2 * LIFE_S, "it took several lives"


def test_a_command_finds_the_sign_in_of_another_and_none_after_logout(
    hmz: Shell, people: BackendProcess, tmp_path: Path
) -> None:
    assert hmz("login").returncode == 0
    assert "components" in hmz("models").stdout
    out = hmz("logout")
    assert out.returncode == 0
    assert "revoked" in out.stderr
    assert not list((tmp_path / "keyring").iterdir())
    assert hmz("models").returncode == 1
    assert "Nobody is signed in" in hmz("logout").stderr


def test_who_says_no_is_told_so(hmz: Shell) -> None:
    browser = f"{sys.executable} -m napari_hmz.testing.browser deny %s"
    done = hmz("login", BROWSER=browser)
    assert done.returncode == 1
    assert "sign-in-failed" in done.stderr
    assert "the person said no" in done.stderr


def test_a_command_gives_tokens_and_no_secret_is_shown(
    hmz: Shell, issuer: Issuer, tmp_path: Path
) -> None:
    access = issuer.tokens("eve").access
    (tmp_path / "token").write_text(access)
    command = f"cat {tmp_path / 'token'}"
    outputs = [hmz("models", HMZ_TOKEN_COMMAND=command), hmz("login", "--command", command)]
    outputs.append(hmz("models"))
    for done in outputs:
        assert done.returncode == 0, done.stderr
        assert access not in done.stdout + done.stderr
    wrong = hmz("login", "--command", "echo not-a-token")
    assert "not-signed-in" in wrong.stderr
    assert "not-a-token" not in wrong.stderr


def test_without_a_keyring_login_says_what_to_do(hmz: Shell) -> None:
    done = hmz("login", PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert done.returncode == 1
    assert "no keyring" in done.stderr
    assert "HMZ_TOKEN" in done.stderr
