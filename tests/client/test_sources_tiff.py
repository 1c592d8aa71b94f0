from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_hmz.errors import AxesMismatch, DtypeUnsuitable, SourceUnreadable
from napari_hmz.sources import open_source
from napari_hmz.sources.tiff_metadata import ome_geometry

STACK = np.random.default_rng(0).integers(0, 999, (5, 40, 50)).astype("u2")


def test_ome_tiff_keeps_axes_voxel_size_and_channel_names(tmp_path: Path) -> None:
    values = np.stack([STACK, STACK + 1])
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        values,
        metadata={
            "axes": "CZYX",
            "PhysicalSizeX": 100,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.1,
            "PhysicalSizeZ": 2,
            "PhysicalSizeZUnit": "µm",
            "Channel": {"Name": ["DAPI", "GFP"]},
        },
    )
    source = open_source(tmp_path / "a.ome.tif")
    assert source.request.axes == ("c", "z", "y", "x")
    assert source.request.voxel_size == {"z": 2, "y": 0.1, "x": 100}
    assert source.request.units == {"z": "micrometer", "y": "micrometer", "x": "nanometer"}
    assert source.request.channel_names == ("DAPI", "GFP")
    source.close()
    one = open_source(tmp_path / "a.ome.tif", channel="GFP")
    np.testing.assert_array_equal(one.read({}), STACK + 1)
    one.close()


def two_files(folder: Path, values: np.ndarray[Any, Any]) -> None:
    """Write an OME-TIFF whose two planes lie in a file each."""
    names = [f"urn:uuid:00000000-0000-0000-0000-00000000000{plane}" for plane in range(2)]
    planes = "".join(
        f'<TiffData FirstZ="{plane}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{plane}.ome.tif">{names[plane]}</UUID></TiffData>'
        for plane in range(2)
    )
    for plane in range(2):
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{names[plane]}">'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            'SizeX="50" SizeY="40" SizeZ="2" SizeC="1" SizeT="1">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            folder / f"{plane}.ome.tif", values[plane], description=text, metadata=None
        )


def test_ome_tiff_over_several_files_is_one_image(tmp_path: Path) -> None:
    two_files(tmp_path, STACK)
    source = open_source(tmp_path / "0.ome.tif")
    first = source.request.fingerprint
    np.testing.assert_array_equal(source.read({}), STACK[:2])
    source.close()
    two_files(tmp_path, STACK + 1)
    source = open_source(tmp_path / "0.ome.tif")
    assert source.request.fingerprint != first
    source.close()
    (tmp_path / "1.ome.tif").unlink()
    with pytest.raises(SourceUnreadable, match="missing"):
        open_source(tmp_path / "0.ome.tif")


def test_imagej_stacks_keep_spacing_and_unit(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        STACK,
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": "ZYX", "spacing": 1.5, "unit": "um"},
    )
    source = open_source(tmp_path / "a.tif")
    assert source.request.axes == ("z", "y", "x")
    assert source.request.voxel_size == {"z": 1.5, "y": 0.5, "x": 0.25}
    assert source.request.units == dict.fromkeys("zyx", "micrometer")
    np.testing.assert_array_equal(source.read({}), STACK)
    source.close()


def test_imagej_pixels_are_no_length(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, metadata={"axes": "TYX"})
    source = open_source(tmp_path / "a.tif")
    assert source.request.axes == ("t", "y", "x")
    assert source.request.voxel_size == {}
    source.close()


@pytest.mark.parametrize(
    ("values", "axes"),
    [
        (STACK[0], ("y", "x")),
        (STACK, ("z", "y", "x")),
        (np.zeros((20, 30, 3), "u1"), ("y", "x", "c")),
    ],
    ids=["plane", "pages", "colour"],
)
def test_plain_tiff_has_likely_axes(
    tmp_path: Path, values: np.ndarray[Any, Any], axes: tuple[str, ...]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", values)
    source = open_source(tmp_path / "a.tif")
    assert source.request.axes == axes
    source.close()


def test_axes_that_nothing_names_must_be_given(tmp_path: Path) -> None:
    values = np.zeros((2, 3, 8, 8), "u1")
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="minisblack")
    with pytest.raises(AxesMismatch):
        open_source(tmp_path / "b.tif")
    source = open_source(tmp_path / "b.tif", axes="tzyx")
    assert source.request.shape == {"t": 2, "z": 3, "y": 8, "x": 8}
    source.close()


def test_a_level_of_a_pyramid_has_larger_voxels(tmp_path: Path) -> None:
    plane = np.random.default_rng(0).integers(0, 99, (128, 128)).astype("u1")
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        how: dict[str, Any] = {"tile": (32, 32)}
        sizes = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        writer.write(plane, subifds=1, metadata=sizes, **how)
        writer.write(plane[::2, ::2], subfiletype=1, **how)
    source = open_source(tmp_path / "a.ome.tif", level=1)
    np.testing.assert_array_equal(source.read({}), plane[::2, ::2])
    assert source.request.voxel_size == {"y": 1, "x": 1}
    source.close()
    with pytest.raises(SourceUnreadable, match="level 2"):
        open_source(tmp_path / "a.ome.tif", level=2)


@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
@pytest.mark.parametrize("kept", [0.97, 0.6, 0.1])
def test_a_truncated_file_is_refused_before_anything_is_read(
    tmp_path: Path, how: dict[str, Any], kept: float
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, **how)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(SourceUnreadable):
        open_source(tmp_path / "a.tif")


@pytest.mark.parametrize("content", [b"", b"II*\0", b"not a tiff at all"])
def test_what_is_no_tiff_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(SourceUnreadable):
        open_source(tmp_path / "a.tif")


def test_a_damaged_page_is_told_when_it_is_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        at, length = file.pages[2].dataoffsets[0], file.pages[2].databytecounts[0]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[at : at + length] = b"\xff" * length
    (tmp_path / "a.tif").write_bytes(bytes(content))
    source = open_source(tmp_path / "a.tif")
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        source.read({})
    source.close()


def test_complex_pixels_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.complex64))
    with pytest.raises(DtypeUnsuitable):
        open_source(tmp_path / "a.tif")


def test_reading_after_closing_is_told(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK)
    source = open_source(tmp_path / "a.tif")
    source.close()
    with pytest.raises(SourceUnreadable, match="closed"):
        source.read({})


@pytest.mark.parametrize(
    "text",
    [
        "no xml",
        "<OME></OME>",
        "<OME><Image/></OME>",
        '<!DOCTYPE x [<!ENTITY a "b">]><OME><Image><Pixels PhysicalSizeX="1"/></Image></OME>',
    ],
)
def test_xml_that_says_nothing_leaves_the_axes(text: str) -> None:
    geometry = ome_geometry(text, ("y", "x"), "n")
    assert geometry.axes == ("y", "x")
    assert geometry.voxel_size == {}


def test_impossible_sizes_are_left_out() -> None:
    sizes = 'PhysicalSizeX="0" PhysicalSizeY="nan" TimeIncrement="2"'
    text = f"<OME><Image><Pixels {sizes}/></Image></OME>"
    geometry = ome_geometry(text, ("t", "y", "x"), "n")
    assert geometry.voxel_size == {"t": 2.0}
