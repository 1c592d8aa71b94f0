"""What is proposed for an image: channels, a level, and values that its voxel size tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hmz.form import (
    Feeder,
    Pick,
    feed,
    levels_of,
    model_um,
    nearest_level,
    offered,
    proposed,
    proposed_axes,
    size_words,
    suggestions,
    voxel_words,
    with_axis,
)
from napari_hmz.schema import AXIS_ORDER, Axes, AxisName, InputSpec, ModelCard

ZYX: Axes = ("z", "y", "x")
TWO = InputSpec(name="image", axes=("c", "y", "x"), channels=("nuclei", "membrane"))
ONE = InputSpec(name="image", axes=("y", "x"))


def card(voxel_um: float | None = None, **changed: object) -> ModelCard:
    sizes = {} if voxel_um is None else {"y": voxel_um, "x": voxel_um}
    physical = {"of": "nuclei", "typical_um": 12, "smallest_um": 4, "largest_um": 30}
    diameter = {
        "type": "number",
        "title": "Diameter",
        "default": 30,
        "minimum": 5,
        "maximum": 300,
        "unit": "px",
        "physical": physical,
    }
    return ModelCard.model_validate(
        {
            "id": "m",
            "version": "1",
            "name": "M",
            "summary": "",
            "task": "instance-segmentation",
            "digest": "",
            "inputs": [{"name": "image", "axes": ["y", "x"], "voxel_size_um": sizes}],
            "outputs": [{"name": "image", "kind": "image", "axes": ["y", "x"], "dtype": "uint8"}],
            "parameters": {"diameter": diameter | changed, "other": {"type": "number"}},
            "tile": {"rescale": {"parameter": "diameter", "reference": 30, "axes": ["y", "x"]}},
        }
    )


def layer(name: str, axes: str = "zyx", extent: int = 9, dtype: str = "uint8") -> Feeder:
    named: Axes = tuple(axis for letter in axes for axis in AXIS_ORDER if axis == letter)
    return Feeder(name, tuple(2 if axis == "c" else extent for axis in named), named, dtype)


def test_channels_of_the_image_itself_are_taken_as_they_come() -> None:
    images = [layer("cells", "czyx"), layer("other", extent=5)]
    picks = proposed(TWO, offered(images))
    assert [(pick.image, pick.channel) for pick in picks] == [(0, 0), (0, 1)]
    assert feed(images, picks).channels == ()
    assert feed(images, picks[::-1]).channels == (1, 0)
    assert not feed(images, picks).stack


def test_a_channel_may_be_another_layer_and_names_propose_it() -> None:
    images = [layer("Membrane"), layer("DAPI"), layer("Nuclei (405)"), layer("a", dtype="uint16")]
    offers = offered(images)
    assert [offer.words for offer in offers] == ["Membrane", "DAPI", "Nuclei (405)"]
    picks = proposed(TWO, offers)
    assert [pick.words for pick in picks] == ["Nuclei (405)", "Membrane"]
    assert feed(images, picks).stack == picks


def test_too_little_to_pick_from_proposes_nothing() -> None:
    assert proposed(TWO, offered([layer("alone")])) == ()


def test_a_model_of_one_channel_may_take_one_of_several() -> None:
    images = [layer("cells", "czyx")]
    assert feed(images, [Pick(0, 1, "")]).channels == (1,)
    assert feed(images, []).channels == ()


@given(st.lists(st.sampled_from(["nuclei", "membrane", "nuclei membrane", "x"]), max_size=5))
def test_no_channel_is_proposed_twice(names: list[str]) -> None:
    picks = proposed(TWO, offered([layer(name) for name in names]))
    assert len(set(picks)) == len(picks) == (2 if len(names) > 1 else 0)


@pytest.mark.parametrize(
    ("finest_um", "wanted_um", "level"),
    [(0.1, 0.4, 2), (0.1, 0.29, 2), (0.1, 0.05, 0), (0.1, 50.0, 3), (0.4, 0.4, 0), (0.1, 0.141, 0)],
)
def test_the_level_of_the_nearest_voxel_size_is_proposed(
    finest_um: float, wanted_um: float, level: int
) -> None:
    levels = levels_of([(80, 80), (40, 40), (20, 20), (10, 10)])
    sizes: dict[AxisName, float] = {"y": finest_um, "x": finest_um}
    wanted: dict[AxisName, float] = {"y": wanted_um, "x": wanted_um}
    assert nearest_level(levels, ("y", "x"), sizes, wanted) == level
    assert levels[2].words(sizes, ("y", "x")) == f"20 x 20, {4 * finest_um:.3g} µm"


def test_a_region_of_the_finest_level_is_one_of_a_coarser_level() -> None:
    _, coarse = levels_of([(81, 80), (27, 20)])
    assert coarse.region({"y": (3, 7), "x": (0, 80)}, ("y", "x")) == {"y": (1, 3), "x": (0, 20)}
    assert coarse.region({"y": (80, 81)}, ("y", "x")) == {"y": (26, 27)}


def test_without_a_voxel_size_the_finest_level_is_proposed() -> None:
    levels = levels_of([(80, 80), (40, 40)])
    assert nearest_level(levels, ("y", "x"), {}, {"x": 1.0}) == 0
    assert nearest_level(levels, ("y", "x"), {"x": 1.0}, {}) == 0
    assert levels[1].words({}, ("y", "x")) == "40 x 40"


def test_the_diameter_follows_the_typical_thing() -> None:
    (found,) = suggestions(card(), {"y": 0.5, "x": 0.5})
    assert (found.name, found.value, found.words) == ("diameter", 24.0, "Diameter: 24 px")
    assert "12 µm" in found.why
    assert model_um(card()) == {"y": 0.4, "x": 0.4}


def test_the_diameter_brings_the_image_to_the_models_voxel_size() -> None:
    (found,) = suggestions(card(0.65), {"y": 0.325, "x": 0.325})
    assert found.value == 60.0
    assert "0.65 µm" in found.why
    assert model_um(card(0.65)) == {"y": 0.65, "x": 0.65}


def test_a_suggestion_stays_in_the_range_of_its_field() -> None:
    assert suggestions(card(0.65), {"x": 0.001})[0].value == 300.0
    assert suggestions(card(type="integer"), {"x": 0.7})[0].value == 17
    assert suggestions(card(), {}) == ()


def test_voxel_sizes_are_said_in_words() -> None:
    assert size_words({"z": 2.0, "y": 0.3, "x": 0.3}) == "z 2 µm, y and x 0.3 µm"
    assert voxel_words(card(), {}) == "The voxel size is not known."
    words = voxel_words(card(0.65), {"z": 1.0, "y": 0.3, "x": 0.3})
    assert words == "Voxel size: y and x 0.3 µm. The model is made for y and x 0.65 µm."


@pytest.mark.parametrize(
    ("labels", "units", "expected"),
    [
        (("", "", ""), ("second", "micrometer", "micrometer"), "tyx"),
        (("", "", ""), ("micrometer",) * 3, "zyx"),
        (("c", "-2", "-1"), ("pixel",) * 3, "cyx"),
        (("-3", "-2", "channel"), (), "yxc"),
    ],
)
def test_units_and_single_labels_tell_axes(
    labels: tuple[str, ...], units: tuple[str, ...], expected: str
) -> None:
    assert "".join(proposed_axes((9, 9, 9), labels, ONE, units)[0]) == expected


def test_the_model_s_axes_are_proposed_before_its_channels() -> None:
    spec = InputSpec(name="image", axes=("c", *ZYX), channels=("a", "b"))
    assert proposed_axes((2, 9, 9), ("", "", ""), spec)[0] == ZYX


@given(st.permutations(AXIS_ORDER), st.data())
def test_renaming_an_axis_keeps_them_distinct(order: list[AxisName], data: st.DataObject) -> None:
    axes = tuple(order[: data.draw(st.integers(2, 5))])
    place, name = data.draw(st.integers(0, len(axes) - 1)), data.draw(st.sampled_from(AXIS_ORDER))
    renamed = with_axis(axes, place, name)
    assert renamed[place] == name
    assert len(set(renamed)) == len(axes)
