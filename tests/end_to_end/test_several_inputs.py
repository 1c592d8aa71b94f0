"""A model with two inputs, image and labels: in Python, in a shell, attached to, and as code."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from typer.testing import CliRunner

from hmz_backend.testing.packages import TinyPackage
from napari_hmz.cli import app
from napari_hmz.client import Client
from napari_hmz.errors import AxesMismatch, RequestError
from napari_hmz.schema import AxisName
from napari_hmz.script import as_python, as_shell
from napari_hmz.testing.backend_process import BackendProcess, free_port

Array = NDArray[Any]
Connect = Callable[..., Client]
Untyped = Any
"""What napari and Qt give: they have no types that mypy can follow."""
BLOCK: Mapping[AxisName, int] = {"z": 16, "y": 24, "x": 24}
INSIDE = """
class Inside:
    def __init__(self, folder, threads):
        pass

    def predict(self, inputs, parameters, statistics):
        told = (statistics or {}).get("inputs") or {}
        assert told["cells"]["channels"][0]["maximum"] > 0
        return {"inside": inputs["image"] * (inputs["cells"] > 0)}
"""


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    """A backend with a model of two inputs."""
    zoo = tmp_path_factory.mktemp("zoo")
    TinyPackage(
        id="inside",
        axes="zyx",
        output="inside",
        more_inputs=("cells",),
        files={"inside.py": INSIDE},
        hmz={
            "pipeline": {
                "source": "inside.py",
                "sha256": "SHA256:inside.py",
                "callable": "Inside",
            },
            "inputs": {"cells": {"kind": "labels"}},
            "normalise": {"scope": "volume"},
            "tile": {"preferred": {"z": 32, "y": 32, "x": 32}, "halo": {"z": 4, "y": 4, "x": 4}},
        },
    ).write(zoo / "inside")
    models = {"HMZ_BACKEND_MODELS": f'["{zoo}"]'}
    found = BackendProcess(tmp_path_factory.mktemp("two"), free_port(), variables=models)
    found.start()
    yield found
    found.stop()


@pytest.fixture
def image(blobs: Callable[..., Array]) -> Array:
    return blobs()


@pytest.fixture
def cells(image: Array) -> Array:
    return np.where(image > 30_000, 70_000, 0).astype(np.uint32)


@pytest.mark.gui
def test_image_and_labels_fill_their_slots_in_napari(
    make_napari_viewer: Untyped, open_page: Untyped, run_it: Untyped, image: Array, cells: Array
) -> None:
    viewer = make_napari_viewer()
    viewer.add_image(image, name="raw", scale=(2, 1, 1))
    page = open_page(viewer, "inside")
    assert "no layer holds any labels" in page.hindrance()
    viewer.add_labels(cells, name="cells", scale=(2, 1, 1))
    assert page.hindrance() == ""
    inside = run_it(viewer, page)
    np.testing.assert_array_equal(inside.data, np.where(cells > 0, image, 0))
    np.testing.assert_allclose(inside.scale, (2, 1, 1))


def test_image_and_labels_are_cut_alike(client: Client, image: Array, cells: Array) -> None:
    run = client.run("inside", image, inputs={"cells": cells}, block=BLOCK)
    run.wait(120)
    expected = np.where(cells > 0, image, 0)
    np.testing.assert_array_equal(np.asarray(run.array("inside")[...]), expected)
    named = client.run("inside", inputs={"image": image, "cells": cells}, block=BLOCK)
    assert named.wait(120).results == run.info().results
    assert named.transfer.bytes_up == 0


def test_what_cannot_be_fed_is_refused(client: Client, image: Array, cells: Array) -> None:
    with pytest.raises(RequestError, match="also takes cells"):
        client.plan("inside", image)
    with pytest.raises(RequestError, match="has no input mask; it has image, cells"):
        client.plan("inside", image, inputs={"mask": cells})
    with pytest.raises(RequestError, match="no image for the model's first input, image"):
        client.plan("inside", inputs={"cells": cells})
    with pytest.raises(AxesMismatch, match="must lie on the same voxels"):
        client.plan("inside", image, inputs={"cells": cells[:-1]})


def test_a_run_of_files_is_attached_to_and_made_again(
    *,
    backend: BackendProcess,
    connected: Connect,
    image: Array,
    cells: Array,
    zarr_of: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = connected(backend)
    places = zarr_of(image), zarr_of(cells, "cells.zarr")
    run = client.run("inside", places[0], inputs={"cells": places[1]}, block=BLOCK)
    run.cancel()
    client.close()
    again = connected(backend)  # as another process: it opens both images by what is remembered
    ended = again.attach(run.id, tmp_path / "out.ome.zarr", resume=True).wait(120)
    assert ended.state == "done"
    written = zarr.open_array(tmp_path / "out.ome.zarr/inside/0", mode="r")[...]
    np.testing.assert_array_equal(np.asarray(written), np.where(cells > 0, image, 0))
    record = again.record(run.id)
    code = "".join(as_python(ended, record).split())  # on one line
    assert f'inputs={{"cells":open_source("{places[1]}"' in code
    assert f"--input cells={places[1]}" in as_shell(ended, record)
    monkeypatch.setenv("HMZ_TOKEN", str(backend.token))
    monkeypatch.setenv("HMZ_STATE_DIR", str(tmp_path / "state"))
    words = [
        "run",
        "inside",
        str(places[0]),
        str(tmp_path / "shell.ome.zarr"),
        "--url",
        backend.url,
    ]
    words += ["--input", f"cells={places[1]}", "--block", "z=16,y=24,x=24", "--json"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert ended.results[0].digest in told.output
