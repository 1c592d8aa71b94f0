"""The same run from Python, and from the command and the code that `hmz script` writes of it."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from napari_hmz.client import Client
from napari_hmz.errors import NotFound
from napari_hmz.testing.backend_process import BackendProcess

CALL_S = 300


def test_all_three_give_equal_digests(
    *,
    backend: BackendProcess,
    client: Client,
    state: Path,
    blobs: Callable[..., NDArray[Any]],
    zarr_of: Callable[..., Path],
    tmp_path: Path,
) -> None:
    environment = os.environ | {"HMZ_TOKEN": backend.token or "", "HMZ_STATE_DIR": str(state)}
    environment |= {"HMZ_URL": backend.url}

    def call(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True, check=False, cwd=tmp_path, env=environment, text=True,
            timeout=CALL_S,
        )  # fmt: skip # what is called stands alone
        assert done.returncode == 0, done.stderr
        assert (backend.token or "no token") not in done.stdout + done.stderr
        return done.stdout

    known = {run.id for run in client.runs()}
    first = client.run(
        "components",
        zarr_of(blobs()),
        output=tmp_path / "first.ome.zarr",
        region={"z": (4, 36), "x": (0, 60)},
        parameters={"threshold": 36000},
        block={"z": 16, "y": 24, "x": 24},
    ).wait()
    hmz = ("-m", "napari_hmz.cli")
    program, *command = shlex.split(call(*hmz, "script", first.id))
    code = call(*hmz, "script", first.id, "--python")
    assert program == "hmz"
    call(*hmz, *command)
    (tmp_path / "first-again.ome.zarr").rename(tmp_path / "shell.ome.zarr")
    call("-c", code)
    assert (tmp_path / "first-again.ome.zarr").is_dir()
    python, shell, _ = (run for run in client.runs() if run.id not in known)
    assert [python.request.started_by, shell.request.started_by] == ["api", "shell"]
    assert first.results[0].digest
    assert python.results == shell.results == first.results
    assert python.request == shell.request.substance == first.request

    assert "Removed" in call(*hmz, "remove", first.id, "--yes")
    with pytest.raises(NotFound):
        client.info(first.id)
    with pytest.raises(NotFound):
        client.remove(first.id)
