"""The main job through a real Triton: the same labels as on the embedded engine."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_hmz import sample
from napari_hmz.client import Client
from napari_hmz.run_options import RunOptions
from napari_hmz.testing.backend_process import BackendProcess, free_port

pytestmark = [pytest.mark.triton, pytest.mark.slow]
Array = NDArray[Any]


@pytest.fixture(scope="module")
def triton_backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    folder = tmp_path_factory.mktemp("triton-backend")
    backend = BackendProcess(folder, free_port(), engine="triton")
    backend.start()
    yield backend
    assert started_for(folder)
    backend.stop()
    assert not started_for(folder), "Triton outlived the backend that had started it"


def started_for(folder: Path) -> list[str]:
    """Return the processes whose command line names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            words = (process / "cmdline").read_bytes()
            found += [process.name] if str(folder).encode() in words else []
    return found


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("components", RunOptions(block={"z": 30, "y": 64, "x": 64})),
        (
            "nuclei-3d",
            RunOptions(
                parameters={"diameter": 40},
                region={"z": (10, 50), "y": (0, 128), "x": (0, 160)},
                block={"z": 40, "y": 128, "x": 80},
                halo={"z": 16, "y": 16, "x": 16},
            ),
        ),
    ],
)
def test_both_engines_give_identical_labels(
    *,
    backend: BackendProcess,
    triton_backend: BackendProcess,
    connected: Callable[..., Client],
    model: str,
    options: RunOptions,
) -> None:
    found: list[Array] = []
    for place in (backend, triton_backend):
        client = connected(place)
        assert client.health().engine == place.engine
        run = client.run(model, sample.nuclei(), **options)
        ended = run.wait(500)
        assert ended.plan.blocks > 1
        found.append(np.asarray(run.array()[...]))
        assert ended.results[0].objects == found[-1].max() > 0
    np.testing.assert_array_equal(found[0], found[1])
