"""The catalogue: newest version first, changes seen, broken packages set apart."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmz_backend.zoo.catalogue import Zoo, _signature
from hmz_backend.zoo.shipped import shipped_models
from napari_hmz.errors import NotFound, PackageDigestWrong, PackageInvalid

Edit = Callable[[Path, Callable[[dict[str, Any]], None]], None]


@pytest.fixture
def versions(tmp_path: Path, edit: Edit) -> Path:
    """A folder with several versions of one model, one folder deeper."""
    root = tmp_path / "shelf"
    for version in ("1.2.0", "1.10.0", "1.10.0b0", "0.9"):
        folder = root / "components" / version
        shutil.copytree(shipped_models() / "components", folder)
        edit(folder, lambda d, version=version: d.update(version=version))  # type: ignore[misc]  # a lambda with a default
    return root


def test_versions_are_ordered_as_numbers(versions: Path) -> None:
    shelf = Zoo([versions])
    assert [card.version for card in shelf.cards()] == ["1.10.0", "1.10.0b0", "1.2.0", "0.9"]
    assert shelf.package("components").card.version == "1.10.0"
    assert shelf.package("components", "0.9").card.version == "0.9"


def test_what_is_not_there_is_not_found(versions: Path) -> None:
    shelf = Zoo([versions])
    with pytest.raises(NotFound, match="no version 7 of components") as raised:
        shelf.package("components", "7")
    assert "1.10.0, 1.10.0b0, 1.2.0, 0.9" in raised.value.remedy
    with pytest.raises(NotFound, match="other") as raised:
        shelf.package("other")
    assert raised.value.remedy == NotFound.default_remedy
    with pytest.raises(NotFound) as raised:
        shelf.package("component")
    assert raised.value.remedy == "Did you mean components?"


def test_a_folder_may_be_a_package_or_not_be_there(package: Path, tmp_path: Path) -> None:
    assert [card.id for card in Zoo([package]).cards()] == ["components"]
    assert Zoo([tmp_path / "nowhere"]).cards() == []


def test_changes_on_disk_are_seen(package: Path, edit: Edit) -> None:
    shelf = Zoo([package.parent])
    first = shelf.package("components")
    assert shelf.package("components") is first  # nothing changed: nothing is read again
    edit(package, lambda d: d.update(version="2.0.0"))
    assert [card.version for card in shelf.cards()] == ["2.0.0"]
    shutil.copytree(shipped_models() / "components-2d", package.parent / "flat")
    assert [card.id for card in shelf.cards()] == ["components", "components-2d"]
    shutil.rmtree(package)
    assert [card.id for card in shelf.cards()] == ["components-2d"]


def test_a_broken_package_hides_no_other_and_comes_back(package: Path) -> None:
    shutil.copytree(shipped_models() / "components-2d", package.parent / "flat")
    shelf = Zoo([package.parent])
    readme = package / "README.md"
    text = readme.read_text()
    readme.write_text("changed")
    assert [card.id for card in shelf.cards()] == ["components-2d"]
    assert isinstance(shelf.faults()[package.resolve()], PackageDigestWrong)
    readme.write_text(text)
    assert len(shelf.cards()) == 2
    assert not shelf.faults()


def test_one_name_twice_is_a_fault_of_the_second(package: Path) -> None:
    shutil.copytree(package, package.parent / "second")
    shelf = Zoo([package.parent])
    assert len(shelf.cards()) == 1
    (folder, fault), *rest = shelf.faults().items()
    assert (folder.name, rest) == ("second", [])
    assert isinstance(fault, PackageInvalid)


def test_hidden_folders_are_left_out(package: Path) -> None:
    shutil.copytree(package, package.parent / ".half-written")
    shelf = Zoo([package.parent])
    assert len(shelf.cards()) == 1
    assert not shelf.faults()


def test_links_that_lead_nowhere_or_round_in_circles_do_no_harm(package: Path) -> None:
    before = _signature(package)
    (package / "nowhere").symlink_to("gone")
    (package / "round").symlink_to(package, target_is_directory=True)
    assert _signature(package) == before


def test_all_shipped_models_are_on_the_shelf() -> None:
    shelf = Zoo([shipped_models()])
    assert not shelf.faults()
    assert {"components", "components-2d"} <= {card.id for card in shelf.cards()}
