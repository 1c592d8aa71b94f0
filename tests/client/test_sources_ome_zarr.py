from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_hmz.errors import AxesMismatch, SourceUnreadable
from napari_hmz.sample import nuclei
from napari_hmz.sources import open_source

AXES: list[dict[str, str]] = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
OMERO = {"channels": [{"label": "DAPI", "color": "0000FF"}, {"label": "GFP", "color": "00FF00"}]}


def scaled(factor: float) -> list[dict[str, Any]]:
    return [
        {"type": "scale", "scale": [1, 2, 0.5 * factor, 0.5 * factor]},
        {"type": "translation", "translation": [0, 10, (factor - 1) / 4, (factor - 1) / 4]},
    ]


def image(path: Path, version: str, **changes: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401 # metadata
    """Write an OME-Zarr image of two levels and two channels; return its finest level."""
    values = np.random.default_rng(0).integers(0, 255, (2, 4, 16, 16)).astype("u1")
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    for number, level in enumerate((values, values[:, :, ::2, ::2])):
        array = group.create_array(
            str(number), shape=level.shape, chunks=(1, 2, 8, 8), dtype=level.dtype
        )
        array[...] = level
    multiscale: dict[str, Any] = {
        "axes": AXES,
        "datasets": [
            {"path": "0", "coordinateTransformations": scaled(1)},
            {"path": "1", "coordinateTransformations": scaled(2)},
        ],
    } | changes
    ome: dict[str, Any] = {"multiscales": [multiscale], "omero": OMERO}
    group.attrs.update(ome if version == "0.4" else {"ome": ome | {"version": version}})
    return values


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_metadata_of_the_finest_level_are_kept(tmp_path: Path, version: str) -> None:
    values = image(tmp_path / "i.zarr", version)
    source = open_source(tmp_path / "i.zarr")
    request = source.request
    assert request.axes == ("c", "z", "y", "x")
    assert request.voxel_size == {"z": 2, "y": 0.5, "x": 0.5}
    assert request.units == dict.fromkeys("zyx", "micrometer")
    assert request.translation == {"z": 10, "y": 0, "x": 0}
    assert request.channel_names == ("DAPI", "GFP")
    assert request.name == "i.zarr"
    np.testing.assert_array_equal(source.read({}), values)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_metadata_of_a_coarser_level_and_one_channel_are_kept(tmp_path: Path, version: str) -> None:
    values = image(tmp_path / "i.zarr", version)
    source = open_source(tmp_path / "i.zarr", level=1, channel="GFP")
    request = source.request
    assert request.axes == ("z", "y", "x")
    assert request.voxel_size == {"z": 2, "y": 1, "x": 1}
    assert request.translation == {"z": 10, "y": 0.25, "x": 0.25}
    assert request.channel_names == ()
    np.testing.assert_array_equal(source.read({}), values[1, :, ::2, ::2])
    assert source.origin is not None
    assert source.origin.address == str(tmp_path / "i.zarr")


def test_transformations_of_the_whole_image_come_after_those_of_a_level(tmp_path: Path) -> None:
    image(
        tmp_path / "i.zarr",
        "0.4",
        coordinateTransformations=[
            {"type": "scale", "scale": [1, 10, 10, 10]},
            {"type": "translation", "translation": [0, 1, 1, 1]},
        ],
    )
    request = open_source(tmp_path / "i.zarr").request
    assert request.voxel_size == {"z": 20, "y": 5, "x": 5}
    assert request.translation == {"z": 101, "y": 1, "x": 1}


def test_a_pyramid_without_transformations_has_no_voxel_size(tmp_path: Path) -> None:
    image(tmp_path / "i.zarr", "0.4", datasets=[{"path": "0"}], axes=["c", "z", "y", "x"])
    request = open_source(tmp_path / "i.zarr").request
    assert request.axes == ("c", "z", "y", "x")
    assert request.voxel_size == {}
    assert request.units == {}


def test_coordinate_systems_of_0_6_are_read(tmp_path: Path) -> None:
    steps = {"type": "sequence", "input": "/0", "output": "physical", "transformations": scaled(1)}
    image(
        tmp_path / "i.zarr",
        "0.6",
        axes=None,
        coordinateSystems=[{"name": "physical", "axes": AXES}],
        datasets=[{"path": "0", "coordinateTransformations": [steps]}],
    )
    request = open_source(tmp_path / "i.zarr").request
    assert request.voxel_size == {"z": 2, "y": 0.5, "x": 0.5}
    assert request.translation == {"z": 10, "y": 0, "x": 0}


@pytest.mark.parametrize(
    "changes",
    [
        {"datasets": []},
        {"datasets": [{}]},
        {"datasets": [{"path": "missing"}]},
        {"datasets": [{"path": "0", "coordinateTransformations": [{"type": "affine"}]}]},
        {"datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale"}]}]},
        {
            "datasets": [
                {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}
            ]
        },
        {"axes": [{"name": "a"}, {"name": "b"}, {"name": "y"}, {"name": "x"}]},
        {"axes": AXES[1:]},
        {"axes": 3},
    ],
    ids=str,
)
def test_metadata_that_make_no_sense_are_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    image(tmp_path / "i.zarr", "0.5", **changes)
    with pytest.raises(SourceUnreadable):
        open_source(tmp_path / "i.zarr")


@pytest.mark.parametrize("level", [2, -1])
def test_a_level_that_is_not_there_is_told(tmp_path: Path, level: int) -> None:
    image(tmp_path / "i.zarr", "0.5")
    with pytest.raises(SourceUnreadable, match=f"level {level}"):
        open_source(tmp_path / "i.zarr", level=level)


def test_the_first_of_a_collection_is_opened_and_others_by_their_path(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "c.zarr", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    root.create_group("OME").attrs["series"] = ["first", "second"]
    first = image(tmp_path / "c.zarr/first", "0.4")
    image(tmp_path / "c.zarr/second", "0.4", axes=["t", "z", "y", "x"])
    np.testing.assert_array_equal(open_source(tmp_path / "c.zarr").read({}), first)
    assert open_source(tmp_path / "c.zarr/second").request.axes == ("t", "z", "y", "x")
    assert open_source(f"{tmp_path / 'c.zarr'}::second").request.axes == ("t", "z", "y", "x")


def test_a_plate_says_which_images_it_has(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "p.zarr", zarr_format=2)
    root.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    with pytest.raises(SourceUnreadable, match="A/1, B/2"):
        open_source(tmp_path / "p.zarr")


def test_a_group_with_one_array_is_that_array(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "g.zarr")
    root.create_array("a", shape=(4, 4), dtype="u1")
    assert open_source(tmp_path / "g.zarr").request.axes == ("y", "x")
    root.create_array("b", shape=(4, 4), dtype="u1")
    with pytest.raises(SourceUnreadable, match="a, b"):
        open_source(tmp_path / "g.zarr")


def test_given_axes_rename_those_of_the_metadata(tmp_path: Path) -> None:
    image(tmp_path / "i.zarr", "0.5")
    request = open_source(tmp_path / "i.zarr", axes="tzyx").request
    assert request.axes == ("t", "z", "y", "x")
    assert request.voxel_size == {"z": 2, "y": 0.5, "x": 0.5}
    with pytest.raises(AxesMismatch):
        open_source(tmp_path / "i.zarr", axes="zyx")


def test_given_voxel_sizes_and_units_replace_those_of_the_metadata(tmp_path: Path) -> None:
    image(tmp_path / "i.zarr", "0.5")
    request = open_source(
        tmp_path / "i.zarr", voxel_size={"z": 3}, units={"z": "nanometer"}
    ).request
    assert request.voxel_size == {"z": 3, "y": 0.5, "x": 0.5}
    assert request.units == {"z": "nanometer", "y": "micrometer", "x": "micrometer"}


def test_the_sample_is_a_calibrated_volume() -> None:
    source = open_source(nuclei())
    assert source.request.shape == {"z": 60, "y": 256, "x": 256}
    assert source.request.voxel_size == {"z": 0.29, "y": 0.26, "x": 0.26}
    assert source.request.units == dict.fromkeys("zyx", "micrometer")
    values = source.read({"z": (30, 31)})
    assert values.dtype == np.uint16
    assert values.std() > 1000
    assert sum(file.stat().st_size for file in nuclei().rglob("*") if file.is_file()) < 2_000_000
