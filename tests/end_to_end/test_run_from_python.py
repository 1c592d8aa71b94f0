"""The main job: an image in, labels out, the same as if there were no tiles."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

import napari_hmz
from napari_hmz.client import Client
from napari_hmz.schema import AxisName, ChunkDone, Progressed, StateChanged
from napari_hmz.sources import open_source

Array = NDArray[Any]
MakeBlobs = Callable[..., Array]
THRESHOLD = {"threshold": 36_000}


def attributes(group: Path) -> dict[str, Any]:
    return dict(json.loads((group / "zarr.json").read_text())["attributes"])


@pytest.mark.parametrize(
    ("block", "halo"),
    [
        ({"z": 16, "y": 24, "x": 24}, {"z": 1, "y": 1, "x": 1}),
        ({"z": 40, "y": 20, "x": 17}, {"z": 2, "y": 3, "x": 4}),
        ({}, {}),
    ],
)
def test_tiled_components_equal_those_of_the_whole(
    *,
    client: Client,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    tmp_path: Path,
    block: Mapping[AxisName, int],
    halo: Mapping[AxisName, int],
) -> None:
    image, output = blobs(), tmp_path / "out.ome.zarr"
    run = client.run(
        "components", image, parameters=THRESHOLD, block=block, halo=halo, output=output
    )
    ended = run.wait(120)
    wanted = labels_of(image)
    assert ended.state == "done"
    assert ended.results[0].objects == wanted.max() > 20
    np.testing.assert_array_equal(written(output), wanted)
    np.testing.assert_array_equal(run.array()[...], wanted)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_travels_as_it_is_and_only_once(
    client: Client,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    zarr_of: Callable[..., Path],
    zarr_format: int,
) -> None:
    image = blobs()
    path = zarr_of(image, zarr_format=zarr_format)
    stored = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    block: Mapping[AxisName, int] = {"z": 16, "y": 16, "x": 16}
    halo: Mapping[AxisName, int] = {"z": 8, "y": 8, "x": 8}
    first = client.run("components", path, parameters=THRESHOLD, block=block, halo=halo)
    first.wait(120)
    assert 0 < first.transfer.bytes_up <= 1.02 * stored
    second = client.run("components", path, parameters={"threshold": 32_000}, block=block)
    second.wait(120)
    assert second.transfer.bytes_up == 0
    np.testing.assert_array_equal(first.array()[...], labels_of(image))
    np.testing.assert_array_equal(second.array()[...], labels_of(image, 32_000))


def test_fill_value_chunks_are_not_sent(
    client: Client, blobs: MakeBlobs, labels_of: Callable[..., Array], zarr_of: Callable[..., Path]
) -> None:
    image = blobs()
    image[:, :32, :64] = 0
    run = client.run("components", zarr_of(image), parameters=THRESHOLD)
    run.wait(120)
    assert run.transfer.counts.absent_up == 6
    np.testing.assert_array_equal(run.array()[...], labels_of(image))


def test_threshold_of_the_whole_volume_is_measured_once(client: Client, blobs: MakeBlobs) -> None:
    image = blobs()
    block: Mapping[AxisName, int] = {"z": 16, "y": 24, "x": 24}
    run = client.run("components", image, block=block)
    ended = run.wait(120)
    statistics = ended.provenance.statistics
    assert statistics is not None
    otsu = statistics.channels[0].otsu
    assert otsu is not None
    assert otsu == pytest.approx(threshold_otsu(image), rel=1e-3)
    np.testing.assert_array_equal(np.asarray(run.array()[...]) > 0, image > otsu)


def test_a_region_of_one_channel(
    client: Client,
    blobs: MakeBlobs,
    labels_of: Callable[..., Array],
    written: Callable[[Path], Array],
    tmp_path: Path,
) -> None:
    image = np.stack([np.zeros((40, 72, 80), "uint16"), blobs()])
    source = open_source(image, axes="czyx", voxel_size={"z": 2.0, "y": 0.5, "x": 0.5})
    output = tmp_path / "out.ome.zarr"
    client.run(
        "components",
        source,
        parameters=THRESHOLD,
        channels=(1,),
        region={"z": (5, 30), "y": (10, 70)},
        block={"z": 10, "y": 20, "x": 30},
        output=output,
    ).wait(120)
    np.testing.assert_array_equal(written(output), labels_of(image[1, 5:30, 10:70]))
    described = attributes(output / "labels/labels")["ome"]
    assert described["multiscales"][0]["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [2.0, 0.5, 0.5]},
        {"type": "translation", "translation": [10.0, 5.0, 0.0]},
    ]


def test_events_tell_the_whole_story(client: Client, blobs: MakeBlobs) -> None:
    block: Mapping[AxisName, int] = {"z": 20, "y": 24, "x": 24}
    run = client.run("components", blobs(), parameters=THRESHOLD, block=block)
    events = list(run.watch())
    assert [event.number for event in events] == sorted({event.number for event in events})
    states = [event.state for event in events if isinstance(event, StateChanged)]
    assert states[0] == "queued"
    assert states[-1] == "done"
    done = {event.key for event in events if isinstance(event, ChunkDone) and event.final}
    plan = run.info().plan
    assert len(done) == plan.blocks
    progress = [event.progress for event in events if isinstance(event, Progressed)]
    assert progress[-1].blocks_done == plan.blocks
    later = list(run.watch(after=events[-3].number))
    assert later == events[-2:]


def test_two_runs_of_one_volume_share_what_is_sent(
    client: Client, blobs: MakeBlobs, labels_of: Callable[..., Array], zarr_of: Callable[..., Path]
) -> None:
    image = blobs()
    path = zarr_of(image)
    runs = {
        threshold: client.run("components", path, parameters={"threshold": threshold})
        for threshold in (32_000, 38_000)
    }
    for threshold, run in runs.items():
        run.wait(120)
        np.testing.assert_array_equal(run.array()[...], labels_of(image, threshold))
    assert runs[32_000].transfer.chunks_up == 27


def test_plan_sends_nothing_and_counts_what_is_missing(
    client: Client, blobs: MakeBlobs, zarr_of: Callable[..., Path]
) -> None:
    path = zarr_of(blobs())
    plan = client.plan("components", path, block={"z": 20, "y": 36, "x": 40})
    assert (plan.blocks, plan.chunks_needed) == (8, 27)
    client.run("components", path, parameters=THRESHOLD).wait(120)
    assert client.plan("components", path).chunks_needed == 0


def test_image_is_written_beside_the_labels(
    client: Client, blobs: MakeBlobs, zarr_of: Callable[..., Path], tmp_path: Path
) -> None:
    image, output = blobs(), tmp_path / "out.ome.zarr"
    run = client.run(
        "components", zarr_of(image), parameters=THRESHOLD, output=output, with_image=True
    )
    run.wait(120)
    np.testing.assert_array_equal(zarr.open_array(output / "0", mode="r")[...], image)
    stored = attributes(output)["napari-hmz"]["provenance"]
    assert stored["model"] == "components"
    assert stored["parameters"]["threshold"] == 36_000
    assert stored["run"] == run.id


def test_the_package_gives_connect() -> None:
    assert napari_hmz.connect.__module__ == "napari_hmz.client"
    with pytest.raises(AttributeError):
        napari_hmz.disconnect  # noqa: B018 # asking is the test
