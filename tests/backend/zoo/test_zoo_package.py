"""A package is trusted only if its files are the ones that its description means."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmz_backend.zoo.package import load_package
from napari_hmz.errors import (
    PackageDigestWrong,
    PackageFileMissing,
    PackageInvalid,
    PickleRefused,
)

Edit = Callable[[Path, Callable[[dict[str, Any]], None]], None]


def _hmz(document: dict[str, Any]) -> dict[str, Any]:
    section: dict[str, Any] = document["config"]["hmz"]
    return section


@pytest.mark.usefixtures("no_network")
def test_a_good_package_loads_without_the_network(package: Path) -> None:
    loaded = load_package(package)
    assert loaded.key == ("components", "1.0.0")
    assert loaded.folder == package.resolve()


@pytest.mark.usefixtures("no_network")
def test_links_to_the_web_are_not_followed(package: Path, edit: Edit) -> None:
    def change(document: dict[str, Any]) -> None:
        document["documentation"] = {"source": "https://example.org/README.md"}
        document["covers"] = [{"source": "https://example.org/cover.png"}]
        document["attachments"] = [{"source": "https://example.org/more.zip"}]

    edit(package, change)
    card = load_package(package).card
    assert (card.documentation, card.thumbnail) == ("", "")


@pytest.mark.parametrize("name", ["weights.onnx", "test_input.npy", "components.py", "README.md"])
def test_a_missing_file_is_named(package: Path, name: str) -> None:
    (package / name).unlink()
    with pytest.raises(PackageFileMissing, match=name):
        load_package(package)


def test_a_folder_without_description_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(PackageFileMissing, match=r"rdf\.yaml"):
        load_package(tmp_path)


@pytest.mark.parametrize("name", ["weights.onnx", "components.py", "test_output.npy"])
def test_a_changed_file_is_noticed(package: Path, name: str) -> None:
    data = (package / name).read_bytes()
    (package / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(PackageDigestWrong, match=name):
        load_package(package)


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


def _object_array(path: Path) -> None:
    np.save(path, np.array([_Bomb()], dtype=object), allow_pickle=True)


def _bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Bomb()))


@pytest.mark.parametrize("make", [_object_array, _bare_pickle])
def test_pickled_test_tensors_are_refused_unread(
    package: Path, edit: Edit, make: Callable[[Path], None]
) -> None:
    path = package / "test_input.npy"
    make(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    edit(package, lambda d: d["inputs"][0]["test_tensor"].update(sha256=digest))
    with pytest.raises(PickleRefused, match=r"test_input\.npy"):
        load_package(package)


@pytest.mark.parametrize("name", ["extra.npy", "sub/extra.npy", "extra.pkl", "extra.npz"])
def test_pickles_that_nobody_names_are_refused_as_well(package: Path, name: str) -> None:
    path = package / name
    path.parent.mkdir(exist_ok=True)
    _bare_pickle(path)
    with pytest.raises(PickleRefused, match="extra"):
        load_package(package)


@pytest.mark.parametrize(
    "source",
    [
        "../outside.npy",
        "sub/../../outside.npy",
        "/etc/hostname",
        "C:\\Windows\\win.ini",
        "..\\outside.npy",
        "https://example.org/input.npy",
        "file:///etc/hostname",
        "",
    ],
)
@pytest.mark.usefixtures("no_network")
def test_files_outside_the_package_are_refused(package: Path, edit: Edit, source: str) -> None:
    np.save(package.parent / "outside.npy", np.zeros(3))
    edit(package, lambda d: d["inputs"][0].update(test_tensor={"source": source}))
    with pytest.raises(PackageInvalid, match="does not lie in the package"):
        load_package(package)


@pytest.mark.parametrize("place", ["weights", "step", "documentation", "pipeline"])
def test_every_place_that_names_a_file_is_looked_at(package: Path, edit: Edit, place: str) -> None:
    entry = {"source": "../outside.py", "sha256": "0" * 64, "callable": "Pipeline"}

    def change(document: dict[str, Any]) -> None:
        if place == "weights":
            document["weights"]["onnx"].update(source="../outside.onnx")
        elif place == "step":
            document["outputs"][0]["postprocessing"][0].update(source="../outside.py")
        elif place == "documentation":
            document["documentation"] = {"source": "../outside.md"}
        else:
            _hmz(document)["pipeline"] = entry

    edit(package, change)
    with pytest.raises(PackageInvalid, match="does not lie in the package"):
        load_package(package)


@pytest.mark.parametrize("name", ["README.md", "nobody-names-me.txt"])
def test_a_link_that_leads_out_is_refused(package: Path, name: str) -> None:
    outside = package.parent / "outside.md"
    outside.write_text("secret")
    (package / name).unlink(missing_ok=True)
    (package / name).symlink_to(outside)
    with pytest.raises(PackageInvalid, match=name):
        load_package(package)


@pytest.mark.parametrize("text", ["- a list", "{", "a: &a [x, x]\nb: *c", "\tx: 1"])
def test_a_description_that_is_no_mapping_is_refused(package: Path, text: str) -> None:
    (package / "rdf.yaml").write_text(text)
    with pytest.raises(PackageInvalid, match=r"rdf\.yaml"):
        load_package(package)


def test_a_description_that_blows_up_is_refused(package: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 8):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    (package / "rdf.yaml").write_text("\n".join(lines))
    with pytest.raises(PackageInvalid, match="entries"):
        load_package(package)


def test_a_description_that_breaks_the_format_is_refused(package: Path, edit: Edit) -> None:
    edit(package, lambda d: d["inputs"][0]["axes"][1].update(type="sideways"))
    with pytest.raises(PackageInvalid, match="components"):
        load_package(package)


def test_unknown_fields_of_the_section_are_tolerated(package: Path, edit: Edit) -> None:
    before = load_package(package).card

    def change(document: dict[str, Any]) -> None:
        _hmz(document)["invented"] = {"later": True}
        _hmz(document)["tile"]["invented"] = 3
        _hmz(document)["parameters"]["threshold"]["invented"] = "x"

    edit(package, change)
    after = load_package(package).card
    assert after.digest != before.digest
    assert after.model_copy(update={"digest": before.digest}) == before


def test_a_newer_section_is_refused(package: Path, edit: Edit) -> None:
    edit(package, lambda d: _hmz(d).update(version=2))
    with pytest.raises(PackageInvalid, match="version 2"):
        load_package(package)


LABELS = {"tensor": "labels", "step": 0, "kwarg": "k"}
CONTRADICTIONS: list[tuple[str, dict[str, Any]]] = [
    ("'size', which is no parameter", {"bindings": {"size": LABELS}}),
    ("tensor 'nothing'", {"bindings": {"threshold": {**LABELS, "tensor": "nothing"}}}),
    ("names step 9", {"bindings": {"threshold": {**LABELS, "step": 9}}}),
    ("does not take", {"bindings": {"threshold": {**LABELS, "tensor": "image"}}}),
    ("names step 5", {"statistics_bindings": {"otsu": {**LABELS, "step": 5}}}),
    ("input 'picture'", {"inputs": {"picture": {}}}),
    ("output 'masks'", {"outputs": {"masks": {}}}),
    ("no parameter", {"tile": {"halo_rule": {"parameter": "diameter", "factor": 2}}}),
    (
        "a number that is always given",
        {"rescale": {"parameter": "threshold", "reference": 3, "axes": ["y"]}},
    ),
    ("axis t", {"tile": {"halo": {"t": 1}}}),
    ("of parameter 'x'", {"parameters": {"x": {"type": "number", "default": 3, "maximum": 2}}}),
    ("unknown parameter", {"test": {"parameters": {"diameter": 20}}}),
    ("config.hmz.version", {"version": "new"}),
    ("labels.stitch.mode", {"outputs": {"labels": {"stitch": {"mode": "glue"}}}}),
]


@pytest.mark.parametrize(("words", "section"), CONTRADICTIONS, ids=[w for w, _ in CONTRADICTIONS])
def test_contradictions_are_named(
    package: Path, edit: Edit, words: str, section: dict[str, Any]
) -> None:
    edit(package, lambda d: _hmz(d).update(section))
    with pytest.raises(PackageInvalid, match=words):
        load_package(package)


@pytest.mark.parametrize(("key", "value"), [("id", "../up"), ("id", "Ünit")])
def test_names_must_be_fit_for_an_address(package: Path, edit: Edit, key: str, value: str) -> None:
    edit(package, lambda d: d.update({key: value}))
    with pytest.raises(PackageInvalid):
        load_package(package)


def test_the_digest_follows_every_byte_and_name(package: Path) -> None:
    first = load_package(package).card.digest
    (package / "notes.txt").write_text("a")
    second = load_package(package).card.digest
    (package / "notes.txt").rename(package / "other.txt")
    third = load_package(package).card.digest
    (package / "other.txt").unlink()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert len({first, second, third}) == 3
    assert load_package(package).card.digest == first
