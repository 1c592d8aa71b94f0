"""What is dropped is taken for a zarr by its name: a path, a file's address or a URL."""

import pytest

from napari_hmz.sources.zarr_places import is_address, zarr_places


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/data/a.zarr", "/data/a.zarr"),
        ("/data/a.ome.zarr/", "/data/a.ome.zarr"),
        ("file:///data/my%20image.zarr", "/data/my image.zarr"),
        ("https://host/a.zarr/", "https://host/a.zarr"),
        ("https://host/a.zarr/labels/cells?sig=x", "https://host/a.zarr/labels/cells?sig=x"),
        ("s3://bucket/A.ZARR", "s3://bucket/A.ZARR"),
    ],
)
def test_what_names_a_zarr_is_one(text: str, place: str) -> None:
    assert zarr_places([text]) == (place,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nuclei",
        "a.zarr",
        "/data/a.tif",
        "https://a.zarr.org/x.tif",
        "/a.zarrs",
        "file:///a.tif",
    ],
)
def test_anything_else_is_left_to_others(text: str) -> None:
    assert zarr_places([text]) == ()


def test_several_may_be_dropped_at_once() -> None:
    texts = ["/a.zarr", "/b.tif", "/c.zarr\nhttps://host/d.zarr\n"]
    assert zarr_places(texts) == ("/a.zarr", "/c.zarr", "https://host/d.zarr")


def test_a_path_is_no_address() -> None:
    assert is_address("https://host/a.zarr")
    assert not is_address("/a.zarr")
    assert not is_address("C:/a.zarr")
