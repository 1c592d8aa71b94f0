"""The card says what the package says, and something sensible where the package is silent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmz_backend.zoo.package import load_package
from hmz_backend.zoo.shipped import shipped_models
from napari_hmz.errors import PackageInvalid
from napari_hmz.schema import ModelCard, SizeRule, StitchSpec

Document = dict[str, Any]
Edit = Callable[[Path, Callable[[Document], None]], None]


def bare(document: Document) -> None:
    """What any package of bioimage.io may look like: no `config.hmz`, nothing beyond the needed."""
    del document["config"]
    document["outputs"][0]["postprocessing"] = [
        {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}
    ]
    document["outputs"][0]["data"] = {"type": "float32"}


@pytest.fixture
def card_of(package: Path, edit: Edit) -> Callable[[Callable[[Document], None]], ModelCard]:
    """Load `components` without its `config.hmz`, after a change."""

    def load(change: Callable[[Document], None]) -> ModelCard:
        def both(document: Document) -> None:
            bare(document)
            change(document)

        edit(package, both)
        return load_package(package).card

    return load


CardOf = Callable[[Callable[[Document], None]], ModelCard]


def nothing(_: Document) -> None:
    return


@pytest.mark.parametrize(("name", "axes"), [("components", "zyx"), ("components-2d", "yx")])
def test_the_shipped_oracle_in_both_dimensions(name: str, axes: str) -> None:
    card = load_package(shipped_models() / name).card
    image, labels = card.inputs[0], card.outputs[0]
    assert card.dimensions == len(axes)
    assert (image.axes, labels.axes) == (tuple(axes), tuple(axes))
    assert dict(image.sizes) == dict.fromkeys(axes, SizeRule())
    assert (labels.kind, labels.dtype) == ("instance-labels", "uint32")
    assert labels.stitch == StitchSpec(mode="merge-labels", rule="overlap")
    assert card.parameters["threshold"].optional
    assert set(card.parameters) == {"threshold", "connectivity"}
    assert card.licence == "Apache-2.0"
    assert card.documentation.startswith("# Connected components")
    assert (shipped_models() / name / card.thumbnail).is_file()
    assert card.quality
    assert len(card.digest) == 64


def test_a_silent_package_gets_sensible_values(card_of: CardOf) -> None:
    card = card_of(nothing)
    output = card.outputs[0]
    assert (output.kind, output.dtype, output.stitch.mode) == ("image", "float32", "crop")
    assert card.normalise.scope == "none"
    assert card.parameters == {}
    assert card.access.public
    assert set(card.tile.preferred) == {"z", "y", "x"}
    assert set(card.tile.halo) == {"z", "y", "x"}
    assert card.task == "instance-segmentation"  # by its tag


def test_the_task_follows_the_output_where_no_tag_tells(card_of: CardOf) -> None:
    assert card_of(lambda document: document.update(tags=["3d"])).task == "restoration"


def test_size_rules_and_preferred_tiles_obey_the_network(card_of: CardOf) -> None:
    def change(document: Document) -> None:
        axes = document["inputs"][0]["axes"]
        axes[1]["size"] = 24
        axes[2]["size"] = {"min": 20, "step": 48}
        axes[3]["size"] = {"tensor_id": "image", "axis_id": "y"}
        document["outputs"][0]["axes"][3]["size"]["axis_id"] = "y"

    card = card_of(change)
    sizes = card.inputs[0].sizes
    assert sizes["z"] == SizeRule(minimum=24, step=0)
    assert sizes["y"] == sizes["x"] == SizeRule(minimum=20, step=48)
    assert card.tile.preferred["z"] == 24
    assert (card.tile.preferred["y"] - 20) % 48 == 0
    assert "z" not in card.tile.halo


def test_voxel_sizes_come_in_micrometres(card_of: CardOf) -> None:
    def change(document: Document) -> None:
        for tensor in (document["inputs"][0], document["outputs"][0]):
            tensor["axes"][1].update(unit="nanometer", scale=500.0)
            tensor["axes"][3].update(unit="micrometer", scale=0.2)

    assert card_of(change).inputs[0].voxel_size_um == {"z": 0.5, "x": 0.2}


def test_padding_and_normalisation_are_read_off_the_steps(card_of: CardOf) -> None:
    def change(document: Document) -> None:
        image = document["inputs"][0]
        image["pad"] = {"mode": "constant", "value": 7}
        ranges = {"axes": ["z", "y", "x"], "min_percentile": 1, "max_percentile": 99.8}
        image["preprocessing"].append({"id": "scale_range", "kwargs": ranges})

    card = card_of(change)
    assert (card.inputs[0].pad, card.inputs[0].pad_value) == ("constant", 7.0)
    assert card.normalise.scope == "volume"
    assert card.normalise.measures == ("percentile 1", "percentile 99.8")


def test_probabilities_are_blended_and_masks_have_classes(card_of: CardOf) -> None:
    def sigmoid(document: Document) -> None:
        document["outputs"][0]["postprocessing"].insert(0, {"id": "sigmoid"})

    output = card_of(sigmoid).outputs[0]
    assert (output.kind, output.stitch.mode) == ("probabilities", "blend")


def test_nominal_values_are_classes(card_of: CardOf) -> None:
    def mask(document: Document) -> None:
        document["outputs"][0]["data"] = {"type": "uint8", "values": [0, 1, 5]}
        document["outputs"][0]["postprocessing"] = []

    output = card_of(mask).outputs[0]
    assert output.kind == "semantic-labels"
    assert [entry.value for entry in output.classes] == [0, 1, 5]


def test_a_valid_convolution_has_a_margin(card_of: CardOf) -> None:
    def change(document: Document) -> None:
        document["outputs"][0]["axes"][2]["size"]["offset"] = -12
        document["inputs"][0]["axes"][2]["size"] = {"min": 32, "step": 4}

    assert card_of(change).outputs[0].margin_px == {"y": 6}


@pytest.mark.parametrize("offset", [-3, 4])
def test_a_lopsided_output_is_refused(card_of: CardOf, offset: int) -> None:
    def change(document: Document) -> None:
        document["outputs"][0]["axes"][2]["size"]["offset"] = offset

    with pytest.raises(PackageInvalid, match="same margin"):
        card_of(change)


def test_an_output_on_another_grid_is_refused(card_of: CardOf) -> None:
    def change(document: Document) -> None:
        document["outputs"][0]["axes"][2]["scale"] = 2.0

    with pytest.raises(PackageInvalid, match="another scale"):
        card_of(change)


def test_a_declared_halo_becomes_the_tile_halo(card_of: CardOf) -> None:
    def change(document: Document) -> None:
        document["inputs"][0]["axes"][2]["size"] = {"min": 64, "step": 16}
        document["outputs"][0]["axes"][2]["halo"] = 16

    assert card_of(change).tile.halo == {"y": 16}


def test_a_stack_index_is_no_axis_of_ours(card_of: CardOf) -> None:
    def change(document: Document) -> None:
        for tensor in (document["inputs"][0], document["outputs"][0]):
            tensor["axes"][1].update(type="index", id="index")
            tensor["axes"][1]["size"] = 3

    with pytest.raises(PackageInvalid, match="index"):
        card_of(change)


def test_an_id_with_a_slash_becomes_an_address(card_of: CardOf) -> None:
    assert card_of(lambda d: d.update(id="10.5281/zenodo.1")).id == "10.5281-zenodo.1"


def test_a_nameless_package_is_called_like_its_folder(card_of: CardOf) -> None:
    def change(document: Document) -> None:
        del document["id"], document["version"]

    card = card_of(change)
    assert (card.id, card.version) == ("components", "0")
