"""What cannot be done is refused with a clear error, before any pixel travels."""

from typing import Any

import pytest

from hmz_backend.planning import make_plan
from hmz_backend.planning.blocks import tiled_voxels
from hmz_backend.testing.planned import a_model, a_plan, an_image, image_output, labels_output
from napari_hmz.errors import (
    AxesMismatch,
    DtypeUnsuitable,
    HmzError,
    ParameterInvalid,
    PlanImpossible,
    RegionInvalid,
    VolumeEmpty,
    VoxelSizeMismatch,
)
from napari_hmz.schema import (
    HaloRule,
    InputSpec,
    ModelCard,
    ParameterSpec,
    RunRequest,
    SizeRule,
    TileSpec,
    VolumeRequest,
)

IMAGE = an_image({"c": 3, "z": 10, "y": 40, "x": 40}, dtype="uint16")
TWO_D = a_model(("y", "x"))


@pytest.mark.parametrize(
    ("card", "volume", "request_", "error"),
    [
        (a_model(("z", "y", "x")), an_image({"y": 4, "x": 4}), {}, AxesMismatch),
        (a_model(("c", "y", "x"), channels=("a", "b")), IMAGE, {}, AxesMismatch),
        (a_model(("c", "y", "x"), channels=("a", "b")), an_image({"y": 4, "x": 4}), {},
         AxesMismatch),
        (TWO_D, IMAGE, {"channels": (3,)}, AxesMismatch),
        (TWO_D, IMAGE, {"channels": (0, 1)}, AxesMismatch),
        (TWO_D, an_image({"y": 4, "x": 4}, dtype="float64"), {}, DtypeUnsuitable),
        (TWO_D, an_image({"y": 4, "x": 4}, dtype="uint32"), {}, DtypeUnsuitable),
        (TWO_D, an_image({"y": 4, "x": 4}, dtype="complex64"), {}, DtypeUnsuitable),
        (TWO_D, an_image({"y": 4, "x": 4}, dtype="nonsense"), {}, DtypeUnsuitable),
        (TWO_D, an_image({"y": 0, "x": 4}, {"y": 1, "x": 1}), {}, VolumeEmpty),
        (TWO_D, IMAGE, {"region": {"x": (5, 5)}}, VolumeEmpty),
        (TWO_D, IMAGE, {"region": {"x": (0, 41)}}, RegionInvalid),
        (TWO_D, IMAGE, {"region": {"x": (-1, 4)}}, RegionInvalid),
        (TWO_D, IMAGE, {"region": {"t": (0, 1)}}, RegionInvalid),
        (TWO_D, IMAGE, {"parameters": {"nonsense": 1}}, ParameterInvalid),
        (TWO_D, IMAGE, {"outputs": ("nonsense",)}, ParameterInvalid),
        (TWO_D, IMAGE, {"block": {"z": 4}}, PlanImpossible),
        (TWO_D, IMAGE, {"block": {"x": 0}}, PlanImpossible),
        (TWO_D, IMAGE, {"halo": {"x": -1}}, PlanImpossible),
        (TWO_D, IMAGE, {"halo": {"t": 1}}, AxesMismatch),
        (
            a_model(("y", "x"), sizes={"x": SizeRule(minimum=32, step=0)}),
            IMAGE,
            {"halo": {"x": 16}},
            PlanImpossible,
        ),
        (
            a_model(("y", "x"), outputs=[image_output(("y", "x"), margin_px={"x": 4})]),
            IMAGE,
            {"halo": {"x": 3}},
            PlanImpossible,
        ),
        (
            a_model(("y", "x"), outputs=[image_output(("c", "y", "x"), channels=("a", "b"))]),
            IMAGE,
            {},
            AxesMismatch,
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    card: ModelCard, volume: VolumeRequest, request_: dict[str, Any], error: type[HmzError]
) -> None:
    with pytest.raises(error) as refused:
        a_plan(card, volume, **request_)
    assert refused.value.remedy


def test_a_narrower_type_is_widened_without_loss() -> None:
    for dtype in ("bool", "int8", "float16", ">f4", "uint16"):
        a_plan(TWO_D, an_image({"y": 4, "x": 4}, dtype=dtype))


def sized(size: float, unit: str | None) -> VolumeRequest:
    return IMAGE.model_copy(
        update={"voxel_size": {"x": size}, "units": {"x": unit} if unit else {}}
    )


def made_for(size_um: float) -> ModelCard:
    spec = InputSpec(name="i", axes=("y", "x"), voxel_size_um={"x": size_um})
    return TWO_D.model_copy(update={"inputs": (spec,)})


@pytest.mark.parametrize(
    ("size", "unit"), [(500.0, "nanometer"), (1.0, "um"), (0.25, "micrometer"), (9.0, None),
                       (9.0, "second"), (0.0005, "millimeter")]
)  # fmt: skip
def test_voxel_sizes_within_the_tolerance_or_unknown_pass(size: float, unit: str | None) -> None:
    assert a_plan(made_for(0.5), sized(size, unit)).warnings == ()


@pytest.mark.parametrize(("size", "unit"), [(1.1, "micrometer"), (200.0, "nanometer"), (1, "m")])
def test_a_voxel_size_far_from_the_model_is_refused_unless_ignored(size: float, unit: str) -> None:
    with pytest.raises(VoxelSizeMismatch, match=r"made for 0\.5"):
        a_plan(made_for(0.5), sized(size, unit))
    assert a_plan(made_for(0.5), sized(size, unit), ignore_voxel_size=True).warnings


def test_channels_are_picked_iterated_or_taken() -> None:
    picked = a_plan(TWO_D, IMAGE, channels=(1,))
    assert picked.region["c"] == (1, 2)
    assert picked.outputs[0].axes == ("z", "y", "x")
    by_region = a_plan(TWO_D, IMAGE, region={"c": (1, 2)})
    assert (by_region.channels, by_region.outputs[0].axes) == ((1,), ("z", "y", "x"))
    iterated = a_plan(TWO_D, IMAGE)
    assert iterated.outputs[0].axes == ("c", "z", "y", "x")
    assert iterated.grid["c"] == 3
    card = a_model(("c", "y", "x"), channels=("a", "b", "c"), outputs=[labels_output(("y", "x"))])
    taken = a_plan(card, IMAGE)
    assert (taken.channels, taken.grid["c"]) == ((0, 1, 2), 1)
    assert taken.outputs[0].axes == ("z", "y", "x")


def test_an_output_with_channels_keeps_them() -> None:
    output = image_output(("c", "y", "x"), channels=("a", "b"))
    plan = a_plan(a_model(("y", "x"), outputs=[output]), IMAGE, channels=(0,))
    assert plan.outputs[0].shape == {"c": 2, "z": 10, "y": 40, "x": 40}
    assert plan.outputs[0].chunks["c"] == 2
    assert plan.outputs[0].channels == ("a", "b")


def test_outputs_of_rows_become_tables_beside_the_arrays() -> None:
    points = labels_output(("y", "x")).model_copy(
        update={"name": "seeds", "kind": "points", "columns": ("x", "y", "score")}
    )
    both = a_model(("y", "x"), outputs=[points, labels_output(("y", "x"))])
    plan = a_plan(both, IMAGE, channels=(0,), region={"y": (8, 40)})
    assert [output.name for output in plan.outputs] == ["labels"]
    (table,) = plan.tables
    iterated = tuple(axis for axis in IMAGE.axes if axis not in ("c", "y", "x"))
    assert table.columns == (*iterated, "y", "x", "score")
    assert table.translation["y"] == IMAGE.translation.get("y", 0.0)  # not of the region
    only = a_plan(both, IMAGE, channels=(0,), outputs=("seeds",))
    assert (only.outputs, only.tables[0].name) == ((), "seeds")


def test_outputs_lie_where_the_region_lies() -> None:
    volume = an_image({"y": 40, "x": 40}).model_copy(
        update={
            "voxel_size": {"y": 0.5, "x": 0.25},
            "units": {"y": "micrometer", "x": "micrometer"},
            "translation": {"y": 7.0},
        }
    )
    (output,) = a_plan(TWO_D, volume, region={"y": (10, 20), "x": (8, 40)}).outputs
    assert output.translation == {"y": 12.0, "x": 2.0}
    assert output.voxel_size == {"y": 0.5, "x": 0.25}
    assert output.units == {"y": "micrometer", "x": "micrometer"}


def test_the_halo_grows_with_a_parameter_and_with_the_largest_object() -> None:
    card = a_model(("y", "x"), tile=TileSpec(
        preferred={"y": 16, "x": 16}, halo={"y": 4, "x": 4},
        halo_rule=HaloRule(parameter="diameter", factor=1.5),
    ))  # fmt: skip
    diameter = ParameterSpec(type="number", default=3)
    card = card.model_copy(update={"parameters": {"diameter": diameter}})
    volume = an_image({"y": 100, "x": 100})
    assert a_plan(card, volume).halo == {"y": 5, "x": 5}
    assert a_plan(card, volume, parameters={"diameter": 7.0}).halo == {"y": 11, "x": 11}
    shorter = a_plan(card, volume, halo={"y": 2})
    assert shorter.halo == {"y": 2, "x": 5}
    assert "shorter" in shorter.warnings[0]


def test_labels_are_never_left_without_a_halo() -> None:
    card = a_model(("y", "x"), preferred={"y": 16, "x": 16})
    plan = a_plan(card, an_image({"y": 100, "x": 100}), halo={"y": 0, "x": 0})
    assert plan.halo == {"y": 1, "x": 1}
    assert plan.warnings


def test_tiles_shrink_until_they_fit_the_memory_or_the_plan_is_refused() -> None:
    card = a_model(tile=TileSpec(
        preferred={"z": 64, "y": 64, "x": 64}, halo={"z": 4, "y": 4, "x": 4},
        memory_bytes_per_voxel=10, seconds_per_megavoxel=2.0,
    ))  # fmt: skip
    volume = an_image({"z": 200, "y": 200, "x": 200})
    asked = RunRequest(model="model", volume="v")
    roomy = make_plan(card, volume, asked, memory_budget_bytes=1 << 40, tiles_in_flight=3)
    budget = roomy.memory_bytes // 10
    tight = make_plan(card, volume, asked, memory_budget_bytes=budget, tiles_in_flight=3)
    voxels = tight.tile["z"] * tight.tile["y"] * tight.tile["x"]
    assert tight.memory_bytes == 3 * voxels * 10 <= budget
    assert tight.seconds == pytest.approx(tiled_voxels(tight) * 2e-6)
    assert tight.bytes_down == 200**3 * 4
    with pytest.raises(PlanImpossible, match="MiB"):
        make_plan(card, volume, asked, memory_budget_bytes=1000, tiles_in_flight=1)


def test_tiles_stop_at_the_region_where_any_overlap_joins() -> None:
    volume = an_image({"y": 100, "x": 100})
    card = a_model(("y", "x"), preferred={"y": 16, "x": 16}, halo={"y": 4, "x": 4})
    region = {"y": (10, 90), "x": (2, 100)}
    assert a_plan(card, volume, region=region).context == region
    agreeing = card.model_copy(update={"outputs": (labels_output(("y", "x"), "agreement"),)})
    plan = a_plan(agreeing, volume, region=region)
    assert plan.context == {"y": (6, 94), "x": (0, 100)}


def test_a_diameter_that_no_nucleus_has_is_told_of() -> None:
    diameter = ParameterSpec.model_validate(
        {
            "type": "number",
            "default": 30.0,
            "unit": "px",
            "physical": {"of": "nuclei", "typical_um": 12, "smallest_um": 4, "largest_um": 30},
        }
    )
    card = TWO_D.model_copy(update={"parameters": {"diameter": diameter}})
    fine = an_image({"y": 40, "x": 40}).model_copy(
        update={"voxel_size": {"y": 50, "x": 50}, "units": {"y": "nm", "x": "nm"}}
    )
    (warning,) = a_plan(card, fine).warnings
    assert "30 px is 1.5 µm" in warning
    assert "Try 240" in warning
    assert a_plan(card, fine, parameters={"diameter": 240}).warnings == ()
    unknown = fine.model_copy(update={"units": {}})
    assert a_plan(card, unknown).warnings == ()


def test_a_block_that_is_too_large_for_the_memory_is_told_with_one_that_fits() -> None:
    card = TWO_D.model_copy(update={"tile": TileSpec(memory_bytes_per_voxel=64)})
    volume = an_image({"y": 4000, "x": 4000})
    request = RunRequest(model="m", volume="v", block={"y": 4000, "x": 4000})
    with pytest.raises(PlanImpossible) as raised:
        make_plan(card, volume, request, memory_budget_bytes=2**24, tiles_in_flight=2)
    assert raised.value.remedy.startswith("Blocks of y 236, x 500 fit")
    smaller = request.model_copy(update={"block": {"y": 236, "x": 500}})
    make_plan(card, volume, smaller, memory_budget_bytes=2**24, tiles_in_flight=2)


def test_a_halo_that_leaves_no_block_is_told_with_the_largest_that_does() -> None:
    card = a_model(("y", "x"), sizes={"x": SizeRule(minimum=64, step=0)})
    with pytest.raises(PlanImpossible) as raised:
        a_plan(card, an_image({"y": 40, "x": 400}), halo={"x": 40})
    assert "at most 31" in raised.value.remedy
    a_plan(card, an_image({"y": 40, "x": 400}), halo={"x": 31})


def test_ids_of_a_whole_volume_have_room() -> None:
    output = labels_output(("z", "y", "x")).model_copy(update={"dtype": "uint16"})
    model = a_model(outputs=[output])
    small = a_plan(model, an_image({"z": 3250, "y": 3250, "x": 3250}))
    large = a_plan(model, an_image({"z": 3252, "y": 3252, "x": 3252}))
    assert [plan.outputs[0].dtype for plan in (small, large)] == ["uint32", "uint64"]


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ({"block": {"x": 0}}, "Give at least 1."),
        ({"halo": {"x": -1}}, "Give at least 0."),
        ({"block": {"z": 4}}, "Leave z out."),
    ],
)
def test_impossible_lengths_are_told_with_possible_ones(
    asked: dict[str, dict[str, int]], remedy: str
) -> None:
    with pytest.raises(PlanImpossible) as raised:
        a_plan(TWO_D, IMAGE, **asked)
    assert raised.value.remedy == remedy
