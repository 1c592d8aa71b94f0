"""Outputs of rows: what a package must say of points, boxes and tables."""

from pathlib import Path

import pytest

from hmz_backend.serving import ServedModel
from hmz_backend.testing.packages import TinyPackage
from hmz_backend.zoo.package import load_package
from hmz_backend.zoo.triton_config import config_pbtxt
from napari_hmz.errors import PackageInvalid
from napari_hmz.schema import OutputSpec


def spec_of(folder: Path, rows: tuple[str, ...], **output: str) -> OutputSpec:
    hmz = {"outputs": {"found": output}} if output else {}
    package = TinyPackage(axes="yx", output="found", rows=rows, hmz=hmz).write(folder)
    return load_package(package).card.outputs[0]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (("y", "x", "score"), "points"),
        (("score", "x", "y"), "points"),
        (("y_start", "x_start", "y_stop", "x_stop"), "boxes"),
        (("cells", "dead"), "table"),
    ],
)
def test_the_names_of_the_columns_tell_what_rows_are(
    tmp_path: Path, rows: tuple[str, ...], kind: str
) -> None:
    spec = spec_of(tmp_path / "tiny", rows)
    assert (spec.kind, spec.columns, spec.axes) == (kind, rows, ("y", "x"))


def test_rows_with_places_may_be_a_table_all_the_same(tmp_path: Path) -> None:
    assert spec_of(tmp_path / "tiny", ("y", "x", "area"), kind="table").kind == "table"


@pytest.mark.parametrize(
    ("rows", "kind", "fault"),
    [
        (("y", "score"), "points", r"found \(points\) must say x, y"),
        (("y", "x"), "boxes", r"must say x_start, x_stop, y_start, y_stop"),
        (("y", "score"), "table", "all of a place, or nothing of it"),
        (("y", "x", "z"), "points", "speak of z, along which the model has no extent"),
        (("y", "x"), "instance-labels", "has rows, and cannot be instance-labels"),
    ],
)
def test_columns_that_contradict_the_kind_are_refused(
    tmp_path: Path, rows: tuple[str, ...], kind: str, fault: str
) -> None:
    with pytest.raises(PackageInvalid, match=fault):
        spec_of(tmp_path / "tiny", rows, kind=kind)


def test_points_need_an_axis_of_rows(tmp_path: Path) -> None:
    hmz = {"outputs": {"found": {"kind": "points"}}}
    folder = TinyPackage(axes="yx", output="found", hmz=hmz).write(tmp_path / "tiny")
    with pytest.raises(PackageInvalid, match="no axis of type index"):
        load_package(folder)


def test_tiles_are_not_resampled_for_a_network_that_gives_rows(tmp_path: Path) -> None:
    hmz = {
        "parameters": {"size": {"type": "number", "default": 9}},
        "rescale": {"parameter": "size", "reference": 9, "axes": ["y", "x"]},
    }
    rows = ("y", "x")
    folder = TinyPackage(axes="yx", output="found", rows=rows, hmz=hmz).write(tmp_path / "tiny")
    with pytest.raises(PackageInvalid, match="which the rows of output 'found' know nothing of"):
        load_package(folder)


def test_triton_is_told_of_rows_and_columns(tmp_path: Path) -> None:
    rows = ("z", "y", "x", "score")
    folder = TinyPackage(axes="zyx", output="found", rows=rows).write(tmp_path / "tiny")
    text = config_pbtxt(load_package(folder).card, kind="python", instances=1)
    assert 'name: "found" data_type: TYPE_FP32 dims: [-1, -1]' in text


def test_a_shipped_model_of_points_loads() -> None:
    from hmz_backend.zoo.shipped import shipped_models

    for name, axes in (("spots", ("z", "y", "x")), ("spots-2d", ("y", "x"))):
        card = load_package(shipped_models() / name).card
        assert card.task == "detection"
        assert card.outputs[0].columns == (*axes, "response")
        ServedModel.load(shipped_models() / name)
