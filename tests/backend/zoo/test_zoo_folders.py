"""Where packages lie: looked for once, and again when a description changes or goes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmz_backend.zoo.catalogue import Zoo
from hmz_backend.zoo.folders import PackageFolders
from hmz_backend.zoo.package import Package

Edit = Callable[[Path, Callable[[dict[str, Any]], None]], None]


class CountedZoo(Zoo):
    """A zoo that counts how often it looks at the disk."""

    looks = 0

    def packages(self) -> list[Package]:
        self.looks += 1
        return super().packages()


@pytest.fixture
def zoo(package: Path) -> CountedZoo:
    return CountedZoo([package.parent])


@pytest.fixture
def key(zoo: CountedZoo) -> tuple[str, str]:
    return zoo.package("components").key


def test_a_package_is_looked_for_once(zoo: CountedZoo, key: tuple[str, str], package: Path) -> None:
    folders, before = PackageFolders(zoo), zoo.looks
    assert [folders[key] for _ in range(100)] == [package.resolve()] * 100
    assert zoo.looks == before + 1


def test_a_package_that_gets_another_version_is_not_found_under_the_old_one(
    zoo: CountedZoo, key: tuple[str, str], package: Path, edit: Edit
) -> None:
    folders = PackageFolders(zoo)
    assert key in folders
    edit(package, lambda d: d.update(version="2.0.0"))
    assert key not in folders
    assert folders[key[0], "2.0.0"] == package.resolve()
    assert list(folders) == [(key[0], "2.0.0")]


def test_a_package_that_moves_is_found_where_it_is(
    zoo: CountedZoo, key: tuple[str, str], package: Path
) -> None:
    folders = PackageFolders(zoo)
    assert folders[key] == package.resolve()
    shutil.move(package, package.parent / "moved")
    assert folders[key] == (package.parent / "moved").resolve()
    shutil.rmtree(package.parent / "moved")
    assert key not in folders
    assert len(folders) == 0


def test_a_package_that_comes_later_is_found(zoo: CountedZoo, package: Path, edit: Edit) -> None:
    folders = PackageFolders(zoo)
    assert folders.get(("components", "9.0.0")) is None
    newer = package.parent / "newer"
    shutil.copytree(package, newer)
    edit(newer, lambda d: d.update(version="9.0.0"))
    assert folders["components", "9.0.0"] == newer.resolve()
