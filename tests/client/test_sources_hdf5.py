from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_hmz.errors import AxesMismatch, DtypeUnsuitable, SourceUnreadable
from napari_hmz.sources import open_source, reopen

STACK = np.random.default_rng(0).integers(0, 999, (5, 40, 50)).astype("u2")


def nexus(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs["default"] = "plot"
        plot = entry.create_group("plot")
        plot.attrs["signal"] = "counts"
        plot.attrs["axes"] = ["z", "y", "x"]
        plot["counts"] = STACK
        for name, extent, step in (("z", 5, 2.0), ("y", 40, 0.5), ("x", 50, 0.5)):
            plot[name] = np.arange(extent) * step + 3
            plot[name].attrs["units"] = "um"
        entry["other"] = STACK


def test_the_default_plot_of_nexus_is_opened_with_its_axes(tmp_path: Path) -> None:
    nexus(tmp_path / "a.nxs")
    source = open_source(tmp_path / "a.nxs")
    assert source.request.axes == ("z", "y", "x")
    assert source.request.voxel_size == {"z": 2.0, "y": 0.5, "x": 0.5}
    assert source.request.units == dict.fromkeys("zyx", "micrometer")
    assert source.origin is not None
    assert source.origin.address.endswith("a.nxs::/entry/plot/counts")
    np.testing.assert_array_equal(source.read({}), STACK)
    again = reopen(source.origin)
    assert again.request == source.request
    source.close()
    again.close()


def test_a_dataset_is_named_by_its_path(tmp_path: Path) -> None:
    nexus(tmp_path / "a.nxs")
    source = open_source(f"{tmp_path / 'a.nxs'}::/entry/other")
    assert source.request.voxel_size == {}
    source.close()
    source = open_source(f"{tmp_path / 'a.nxs'}::entry/plot")
    assert source.request.voxel_size == {"z": 2.0, "y": 0.5, "x": 0.5}
    source.close()


def test_the_only_image_of_a_file_needs_no_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/image"] = STACK
        file["deep/image"].attrs["element_size_um"] = [1.0, 0.2, 0.3]
        file["deep/image"].dims[0].label = "t"
        file["deep/image"].dims[1].label = "y"
        file["deep/image"].dims[2].label = "x"
        file["line"] = np.arange(4)
        file["text"] = "hello"
    source = open_source(tmp_path / "a.h5")
    assert source.request.axes == ("t", "y", "x")
    np.testing.assert_array_equal(source.read({}), STACK)
    source.close()
    source = open_source(tmp_path / "a.h5", axes="zyx")
    assert source.request.voxel_size == {"z": 1.0, "y": 0.2, "x": 0.3}
    source.close()


def test_which_of_several_must_be_said(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"] = STACK, STACK
    with pytest.raises(SourceUnreadable, match="/a, /b"):
        open_source(tmp_path / "a.h5")
    with pytest.raises(SourceUnreadable, match="/a, /b"):
        open_source(f"{tmp_path / 'a.h5'}::/c")


@pytest.mark.parametrize("name", ["text", "line", "record"])
def test_what_is_no_image_is_refused(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["text"] = "hello"
        file["line"] = np.arange(4)
        file["record"] = np.zeros((2, 2), [("a", "u1")])
    with pytest.raises((AxesMismatch, DtypeUnsuitable, SourceUnreadable)):
        open_source(f"{tmp_path / 'a.h5'}::/{name}")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    nexus(tmp_path / "a.h5")
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceUnreadable):
        open_source(tmp_path / "a.h5")


def test_an_open_dataset_stays_open(tmp_path: Path) -> None:
    nexus(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r") as file:
        source = open_source(file["entry/plot/counts"])
        named = open_source(f"{tmp_path / 'a.h5'}::/entry/plot/counts")
        assert source.request == named.request
        source.close()
        named.close()
        assert file["entry/plot/counts"].shape == STACK.shape
        with pytest.raises(SourceUnreadable, match="group"):
            open_source(file["entry"])


def test_coordinates_that_are_not_even_give_no_voxel_size(tmp_path: Path) -> None:
    nexus(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["entry/plot/z"][...] = [0, 1, 3, 7, 15]
    source = open_source(tmp_path / "a.h5")
    assert set(source.request.voxel_size) == {"y", "x"}
    source.close()


def test_bytes_of_another_file_are_not_taken_for_voxels(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s" * 64)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (8, 8), "u1", external=[(str(tmp_path / "secret"), 0, 64)])
    with pytest.raises(SourceUnreadable, match="another file"):
        open_source(tmp_path / "a.h5", axes="yx")
