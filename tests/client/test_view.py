"""What is in view becomes a region: clipped, never empty by accident, by the names of the axes."""

from hypothesis import given
from hypothesis import strategies as st

from napari_hmz.schema import AxisName, Sizes
from napari_hmz.view import PREVIEW_DEEP_PX, PREVIEW_FLAT_PX, View, around, box_region

SHAPE: Sizes = {"z": 20, "y": 300, "x": 4000}


def test_a_plane_is_the_slice_on_show_cut_to_the_window() -> None:
    view = View({"y": (10.0, 99.0), "x": (-50.0, 399.5)}, {"z": 7.2})
    assert view.region(SHAPE) == {"y": (10, 100), "x": (0, 401), "z": (7, 8)}


def test_an_index_outside_shows_the_nearest_plane() -> None:
    assert View({"y": (0, 9)}, {"z": 99}).region(SHAPE)["z"] == (19, 20)


def test_an_image_out_of_sight_gives_nothing() -> None:
    view = View({"y": (0, 9), "x": (5000, 6000)}, {"z": 0})
    assert view.region(SHAPE) == {}
    assert view.preview(SHAPE) == {}
    assert view.focus(SHAPE) == {}


def test_a_preview_of_a_wide_view_is_its_middle() -> None:
    preview = View({"y": (0, 299), "x": (0, 3999)}, {"z": 3}).preview(SHAPE)
    middle = (2000 - PREVIEW_FLAT_PX // 2, 2000 + PREVIEW_FLAT_PX // 2)
    assert preview == {"y": (0, 300), "x": middle, "z": (3, 4)}


def test_a_preview_in_3d_is_a_box_around_the_centre() -> None:
    whole: dict[AxisName, tuple[float, float]] = {
        "z": (0.0, 19.0),
        "y": (0.0, 299.0),
        "x": (0.0, 3999.0),
    }
    preview = View(whole, centre={"z": 10, "y": 290, "x": 1000}).preview(SHAPE)
    half = PREVIEW_DEEP_PX // 2
    assert preview == {"z": (0, 20), "y": (300 - 2 * half, 300), "x": (1000 - half, 1000 + half)}


def test_focus_leaves_out_what_is_seen_whole() -> None:
    assert View({"y": (0, 299), "x": (0, 3999)}, {"z": 3}).focus(SHAPE) == {"z": (3, 4)}


@given(
    first=st.integers(0, 1000),
    size=st.integers(1, 1000),
    middle=st.floats(-1e4, 1e4),
    most_px=st.integers(1, 500),
)
def test_what_lies_around_a_point_stays_inside(
    first: int, size: int, middle: float, most_px: int
) -> None:
    begin, end = around((first, first + size), middle, most_px)
    assert first <= begin < end <= first + size
    assert end - begin == min(most_px, size)


def test_a_flat_box_reaches_through_all_planes() -> None:
    low: dict[AxisName, float] = {"z": 4.0, "y": 9.6, "x": -3.0}
    high: dict[AxisName, float] = {"z": 4.0, "y": 20.4, "x": 7.0}
    assert box_region(low, high, SHAPE) == {"z": (0, 20), "y": (10, 21), "x": (0, 8)}


def test_a_box_outside_holds_nothing() -> None:
    assert box_region({"y": 400.0}, {"y": 500.0}, SHAPE) == {}
