"""`hmz` from a shell: what it writes, and how it ends."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from yaozarrs import validate_zarr_store

from napari_hmz import sample
from napari_hmz.testing.backend_process import BackendProcess

Array = NDArray[Any]
MakeBlobs = Callable[..., Array]
Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def hmz(backend: BackendProcess, state: Path, tmp_path: Path) -> Shell:
    """Call `hmz` with the test's backend, from an empty folder."""
    environment = {
        **os.environ,
        "HMZ_URL": backend.url,
        "HMZ_TOKEN": backend.token,
        "HMZ_STATE_DIR": str(state),
    }

    def call(*words: object, **variables: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "-m", "napari_hmz.cli"]
            + [str(word) for word in words],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**environment, **variables},
            text=True,
            timeout=300,
        )
        assert "Traceback" not in done.stderr
        assert backend.token not in done.stdout + done.stderr
        return done

    return call


def test_models_and_show(hmz: Shell) -> None:
    assert "components" in hmz("models").stdout
    cards = json.loads(hmz("models", "--json").stdout)
    assert {"components", "nuclei-2d", "nuclei-3d", "denoise"} <= {card["id"] for card in cards}
    shown = hmz("show", "nuclei-3d")
    assert shown.returncode == 0
    assert "diameter" in shown.stdout
    assert json.loads(hmz("show", "nuclei-3d", "--json").stdout)["id"] == "nuclei-3d"
    assert "No model fits" in hmz("models", "zebrafish-unicorn").stdout


def test_run_from_the_shell_equals_scipy(
    *,
    hmz: Shell,
    blobs: MakeBlobs,
    zarr_of: Callable[..., Path],
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    tmp_path: Path,
) -> None:
    image = blobs()
    block = ("--block", "z=16,y=24,x=24")
    done = hmz("run", "components", zarr_of(image), "out.zarr", "-p", "threshold=36000", *block)
    assert done.returncode == 0, done.stderr
    wanted = labels_of(image)
    assert f"{wanted.max()} objects" in done.stdout
    assert "computing" in done.stderr  # lines for a log, since nobody watches a bar here
    np.testing.assert_array_equal(written(tmp_path / "out.zarr"), wanted)
    validate_zarr_store(str(tmp_path / "out.zarr"))


def test_json_for_machines(
    hmz: Shell, blobs: MakeBlobs, zarr_of: Callable[..., Path], tmp_path: Path
) -> None:
    path, words = zarr_of(blobs()), ("-p", "threshold=36000", "--json")
    plan = json.loads(hmz("plan", "components", path, *words).stdout)
    assert plan["chunks_needed"] == 27
    first = json.loads(hmz("run", "components", path, "a.zarr", *words).stdout)
    assert first["run"]["state"] == "done"
    assert first["transfer"]["chunks_up"] == 27
    second = json.loads(hmz("run", "components", path, "b.zarr", "--with-image", *words).stdout)
    assert second["transfer"]["bytes_up"] == 0
    assert zarr.open_array(tmp_path / "b.zarr/0", mode="r").shape == (40, 72, 80)
    run_id = second["run"]["id"]
    assert json.loads(hmz("runs", "--json").stdout)[0]["id"] == run_id
    assert run_id in hmz("runs").stdout
    again = json.loads(hmz("attach", run_id, "--json").stdout)
    assert again["transfer"]["bytes_down"] == 0
    assert json.loads(hmz("cancel", run_id, "--json").stdout)["state"] == "done"


def test_tiff_with_axes_region_and_voxel_size(
    hmz: Shell, blobs: MakeBlobs, labels_of: Callable[..., Array], written: Callable[[Path], Array],
    tmp_path: Path,
) -> None:  # fmt: skip # the fixtures in one row
    import tifffile

    image = blobs()
    tifffile.imwrite(tmp_path / "image.tif", image)
    words = ("--axes", "zyx", "--voxel-size", "z=2,y=0.5,x=0.5", "--region", "z=4:30,x=0:60")
    done = hmz("run", "components", "image.tif", "out.zarr", "-p", "threshold=36000", *words)
    assert done.returncode == 0, done.stderr
    wanted = labels_of(image[4:30, :, 0:60])
    np.testing.assert_array_equal(written(tmp_path / "out.zarr"), wanted)


def test_a_batch_does_what_it_can_and_the_same_again_the_rest(
    hmz: Shell, blobs: MakeBlobs, labels_of: Callable[..., Array], written: Callable[[Path], Array],
    tmp_path: Path,
) -> None:  # fmt: skip # the fixtures in one row
    folder, image = tmp_path / "my images", blobs(48, 48)
    folder.mkdir()
    for name in ("a", "b ü", "c"):
        np.save(folder / f"{name}.npy", image)
    (folder / "b ü.npy").write_bytes(b"broken")
    words = ("batch", "components-2d", folder, "--to", "out", "-p", "threshold=36000")
    first = hmz(*words)
    assert first.returncode == 1
    assert "2 done now" in first.stdout
    assert "b ü.npy" in first.stdout
    assert "source-unreadable" in first.stdout
    np.testing.assert_array_equal(written(tmp_path / "out/a.ome.zarr"), labels_of(image))
    np.save(folder / "b ü.npy", image)
    second = hmz(*words, "--json")
    assert second.returncode == 0, second.stderr
    told = json.loads(second.stdout)
    assert (told["done"], told["kept"], told["failed"]) == (1, 2, 0)
    assert [json.loads(line)["state"] for line in second.stderr.splitlines()].count("kept") == 2
    assert "output-exists" in hmz(*words, "-p", "threshold=9").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "nope"), 1, "not-found"),
        (("plan", "components", "nope.tif"), 1, "source-unreadable"),
        (("cancel", "nope"), 1, "not-found"),
        (("run", "components"), 2, "Missing argument"),
        (("run", "components", "a", "b", "--block", "q=1"), 2, "t, c, z, y, x"),
        (("fly",), 2, "No such command"),
        (("runs", "--url", "http://127.0.0.1:9"), 3, "backend-unreachable"),
        (("runs", "--url", "nowhere"), 1, "settings-invalid"),
    ],
)
def test_exit_codes(hmz: Shell, words: tuple[str, ...], code: int, said: str) -> None:
    done = hmz(*words, HMZ_PATIENCE_S="0.2")
    assert done.returncode == code
    assert said in done.stderr
    assert done.stdout == ""


def test_errors_as_json(hmz: Shell) -> None:
    done = hmz("show", "nope", "--json")
    problem = json.loads(done.stderr)
    assert (done.returncode, problem["code"]) == (1, "not-found")
    assert problem["remedy"]
    assert problem["request_id"]


def test_wrong_parameter_and_existing_output(
    hmz: Shell, blobs: MakeBlobs, zarr_of: Callable[..., Path], tmp_path: Path
) -> None:
    path = zarr_of(blobs())
    wrong = hmz("run", "components", path, "out.zarr", "-p", "threshold=high")
    assert wrong.returncode == 1
    assert "parameter-invalid" in wrong.stderr
    assert not (tmp_path / "out.zarr").exists()
    zarr.create_group(tmp_path / "out.zarr")
    words = ("run", "components", path, "out.zarr", "-p", "threshold=36000")
    refused = hmz(*words)
    assert refused.returncode == 1
    assert "output-exists" in refused.stderr
    assert "--overwrite" in refused.stderr
    assert hmz(*words, "--overwrite").returncode == 0


def test_demo_with_the_oracle(hmz: Shell, tmp_path: Path) -> None:
    done = hmz("demo", "--model", "components", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["engine"] == "embedded"
    assert told["run"]["results"][0]["objects"] > 10
    assert (tmp_path / told["picture"]).stat().st_size > 10_000
    validate_zarr_store(str(tmp_path / told["output"]))


@pytest.mark.slow
def test_demo_finds_in_four_blocks_the_nuclei_that_one_block_finds(
    hmz: Shell, written: Callable[[Path], Array], tmp_path: Path
) -> None:
    done = hmz("demo")
    assert done.returncode == 0, done.stderr
    for word in ("engine", "in 4 blocks", "sent", "fetched", "voxels/s", "picture"):
        assert word in done.stdout
    whole = hmz("run", "nuclei-3d", sample.nuclei(), "whole.zarr", "--block", "y=256,x=256")
    assert whole.returncode == 0, whole.stderr
    for shown in (done, whole):
        assert "found    20 objects" in shown.stdout
    tiled, one = (
        written(tmp_path / name) for name in ("demo-output/nuclei-3d.ome.zarr", "whole.zarr")
    )
    assert np.count_nonzero(tiled != one) < 1e-5 * one.size


def test_without_an_address_the_backend_of_this_machine_is_started(
    hmz: Shell, state: Path, tmp_path: Path
) -> None:
    own = {"HMZ_URL": "", "HMZ_DATA_DIR": str(tmp_path / "data")}
    file = state / "backend-embedded/handshake.json"
    try:
        found = hmz("models", "--json", **own)
        assert found.returncode == 0, found.stderr
        first = json.loads(file.read_text())
        assert hmz("runs", **own).returncode == 0
        assert json.loads(file.read_text()) == first
    finally:
        if file.exists():
            os.kill(json.loads(file.read_text())["pid"], 15)
