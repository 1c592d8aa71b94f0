"""Labels from anywhere become OME-Zarr: a store of their own, or beside their image."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models
import pytest
import yaozarrs
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_hmz.errors import (
    AxesMismatch,
    HmzError,
    OutputExists,
    OutputUnwritable,
    RegionInvalid,
    SourceUnreadable,
)
from napari_hmz.results import PROVENANCE_KEY
from napari_hmz.results.label_export import (
    LabelImage,
    Written,
    add_labels,
    group_name,
    write_labels,
)
from napari_hmz.results.levels import step_between
from napari_hmz.results.stored import stored_results
from napari_hmz.schema import AXIS_ORDER, Axes, OutputArray, Region, Sizes, sizes_of, slices
from napari_hmz.sources import open_source

LABELS = np.zeros((9, 300, 280), np.uint16)
LABELS[1:5, 40:140, 30:200] = 1
LABELS[4:8, 150:290, 3:100] = 700
CLASSES = ({"value": 1, "name": "nucleus", "color": "#ff8000"},)


def image(values: NDArray[Any] = LABELS, axes: str = "zyx", **more: object) -> LabelImage:
    letters: Axes = tuple(axis for axis in AXIS_ORDER if axis in axes)
    sizes = sizes_of(letters, values.shape)
    said: dict[str, object] = {
        "name": "cells",
        "kind": "instance-labels",
        "axes": letters,
        "shape": sizes,
        "chunks": sizes,
        "dtype": values.dtype.name,
        "voxel_size": {"z": 2.0, "y": 0.5, "x": 0.5},
        "units": dict.fromkeys(letters, "micrometer"),
        "translation": {"z": 14.0, "y": 0.0, "x": 10.0},
    }
    array = OutputArray.model_validate(said | more)
    return LabelImage(array, lambda region: values[slices(region, letters)], {"model": "m"})


def store(path: Path, version: str, *, floor: bool = False, channels: int = 0) -> Path:
    """Write an image of the extents of the labels, in three levels."""
    axes = ["c"] * bool(channels) + ["z", "y", "x"]
    form, shape = (2, 3)[version == "0.5"], [*([channels] if channels else []), *LABELS.shape]
    root = zarr.open_group(path, mode="w", zarr_format=form)  # type: ignore[arg-type] # 2 or 3
    datasets = []
    for level in range(3):
        extents = [max(1, size // 2**level if floor else -(-size // 2**level)) for size in shape]
        extents[: len(axes) - 2] = shape[: len(axes) - 2]
        root.create_array(
            str(level),
            shape=extents,
            chunks=(*[1] * (len(axes) - 2), 64, 64),
            dtype="uint16",
            dimension_names=axes if version == "0.5" else None,
        )
        scale = [1.0] * bool(channels) + [2.0, 0.5 * 2**level, 0.5 * 2**level]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [{"type": "scale", "scale": scale}],
            }
        )
    kinds = {"c": "channel"}
    described = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    multiscale: dict[str, Any] = {"name": "i", "axes": described, "datasets": datasets}
    if version == "0.5":
        root.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    else:
        root.attrs["multiscales"] = [multiscale | {"version": version}]
    return path


def done(steps: Iterator[Written]) -> list[Written]:
    told = list(steps)
    assert [step.parts for step in told] == sorted(step.parts for step in told)
    assert told[-1].parts == told[-1].parts_total
    return told


def check_valid(path: Path) -> None:
    for group in (path, *(each.parent for each in (path / "labels").glob("*/0"))):
        yaozarrs.validate_zarr_store(str(group))
        ome_zarr_models.open_ome_zarr(zarr.open_group(group, mode="r"))
    assert not list(path.parent.rglob("*.partial"))


def test_a_new_store_is_valid_and_holds_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "o.ome.zarr"
    done(write_labels(path, image(classes=CLASSES)))
    check_valid(path)
    for address in (path, path / "labels/cells"):
        source = open_source(address)
        np.testing.assert_array_equal(source.read({}), LABELS)
        assert source.request.voxel_size == {"z": 2.0, "y": 0.5, "x": 0.5}
        assert source.request.translation == {"z": 14.0, "y": 0.0, "x": 10.0}
        assert source.request.units["z"] == "micrometer"
    coarse = open_source(path, level=1)
    np.testing.assert_array_equal(coarse.read({}), LABELS[:, ::2, ::2])
    root: Any = zarr.open_group(path, mode="r").attrs[PROVENANCE_KEY]
    assert root["provenance"] == {"model": "m"}
    assert root["outputs"] == {"cells": "labels/cells"}
    (stored,) = stored_results(path)
    assert stored.array.classes == image(classes=CLASSES).array.classes
    assert stored.provenance == {"model": "m"}
    own: Any = zarr.open_group(path / "labels/cells", mode="r").attrs["ome"]
    assert own["image-label"]["properties"][0]["name"] == "nucleus"


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize("channels", [0, 2])
def test_labels_follow_every_level_of_their_image(
    tmp_path: Path, version: str, floor: bool, channels: int
) -> None:
    path = store(tmp_path / "i.zarr", version, floor=floor, channels=channels)
    part = np.ascontiguousarray(LABELS[2:8, 10:290, 5:250])
    done(add_labels(path, image(part), {"z": 2, "y": 10, "x": 5}))
    check_valid(path)
    whole = np.zeros_like(LABELS)
    whole[2:8, 10:290, 5:250] = part
    for level in range(3):
        theirs, ours = (open_source(each, level=level) for each in (path, path / "labels/cells"))
        assert ours.request.voxel_size == theirs.request.voxel_size
        shape = [theirs.request.shape[axis] for axis in ("z", "y", "x")]
        assert [ours.request.shape[axis] for axis in ("z", "y", "x")] == shape
        values = ours.read({}).reshape(shape)
        expected = whole[:, :: 2**level, :: 2**level][:, : shape[1], : shape[2]]
        np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_other_labels_of_the_image_stay(tmp_path: Path, version: str) -> None:
    path = store(tmp_path / "i.zarr", version)
    done(add_labels(path, image(), {}))
    done(add_labels(path, image(LABELS * 2, name="more"), {}))
    check_valid(path)
    attributes: Any = dict(zarr.open_group(path / "labels", mode="r").attrs)
    assert attributes.get("ome", attributes)["labels"] == ["cells", "more"]
    np.testing.assert_array_equal(open_source(path / "labels/cells").read({}), LABELS)
    with pytest.raises(OutputExists, match="cells"):
        done(add_labels(path, image(LABELS * 3), {}))
    np.testing.assert_array_equal(open_source(path / "labels/cells").read({}), LABELS)


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently")
def test_labels_are_seen_in_a_store_with_consolidated_metadata(tmp_path: Path) -> None:
    path = store(tmp_path / "i.zarr", "0.5")
    zarr.consolidate_metadata(path)
    done(add_labels(path, image(), {}))
    assert "labels/cells" in zarr.open_group(path, mode="r")


def test_a_store_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "o.zarr").mkdir()
    with pytest.raises(OutputExists):
        done(write_labels(tmp_path / "o.zarr", image()))


def broken(region: Region) -> NDArray[Any]:
    if region["y"][0] > 0:
        raise SourceUnreadable("Gone.")
    return np.ones([stop - start for start, stop in region.values()], np.uint16)


@pytest.mark.parametrize("stop", ["by a fault", "by the person"])
def test_what_stops_half_way_leaves_nothing_behind(tmp_path: Path, stop: str) -> None:
    path = store(tmp_path / "i.zarr", "0.5")
    before = sorted(path.rglob("*"))
    read = broken if stop == "by a fault" else image().read
    half = LabelImage(image().array, read)
    for steps in (add_labels(path, half, {}), write_labels(tmp_path / "o.zarr", half)):
        if stop == "by a fault":
            with pytest.raises(SourceUnreadable):
                list(steps)
        else:
            next(steps)
            steps.close()  # type: ignore[attr-defined] # generators have it
    assert sorted(path.rglob("*")) == before
    assert [each.name for each in tmp_path.iterdir()] == ["i.zarr"]


@pytest.mark.parametrize(
    ("labels", "start", "error"),
    [
        (image(), {"z": 1}, RegionInvalid),
        (image(LABELS[0], "yx"), {}, AxesMismatch),
        (image(LABELS[None], "tzyx"), {}, AxesMismatch),
    ],
)
def test_labels_that_do_not_lie_in_the_image_are_refused(
    tmp_path: Path, labels: LabelImage, start: Sizes, error: type[HmzError]
) -> None:
    path = store(tmp_path / "i.zarr", "0.5")
    with pytest.raises(error):
        done(add_labels(path, labels, start))
    assert not (path / "labels").exists()


def test_what_is_no_image_or_of_another_version_is_refused(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "g.zarr", mode="w")
    later = store(tmp_path / "l.zarr", "0.5")
    root = zarr.open_group(later)
    ome: Any = root.attrs["ome"]
    root.attrs["ome"] = ome | {"version": "0.6"}
    for path in (tmp_path / "g.zarr", later, tmp_path / "nothing.zarr"):
        with pytest.raises(SourceUnreadable):
            done(add_labels(path, image(), {}))


def test_where_nothing_may_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritable):
        done(write_labels(tmp_path / "file" / "o.zarr", image()))


def test_a_layer_s_name_becomes_that_of_a_group() -> None:
    assert group_name("nuclei labels (nuclei-3d)") == "nuclei_labels_nuclei-3d"
    assert group_name("../..") == "labels"
    assert group_name("Zellkerne/ü") == "Zellkerne"


@given(st.integers(1, 5000), st.integers(1, 9))
def test_the_step_between_levels_is_found_whatever_happens_at_the_edge(fine: int, by: int) -> None:
    for coarse in (max(1, fine // by), -(-fine // by)):
        step = step_between(fine, coarse)
        assert step is not None
        assert coarse in (fine // step, -(-fine // step))
        if fine >= by * by:
            assert abs(step - by) <= 1
