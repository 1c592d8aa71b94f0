"""Writing a package: complete or not at all, the same bytes every time, valid for the reader."""

from pathlib import Path

import pytest

from hmz_backend.zoo import draft as drafts
from hmz_backend.zoo.check import check_package
from hmz_backend.zoo.digest import package_digest
from hmz_backend.zoo.draft import Draft, write_package
from napari_hmz.errors import OutputExists
from training.build_components import draft as components


@pytest.fixture(scope="module")
def plan() -> Draft:
    return components("components-2d", "yx")


def test_a_written_package_passes_and_is_the_same_again(plan: Draft, tmp_path: Path) -> None:
    first = write_package(plan, tmp_path / "a" / "model")
    second = write_package(plan, tmp_path / "b" / "model")
    assert package_digest(first) == package_digest(second)
    assert check_package(first).ok
    assert write_package(plan, first) == first  # an earlier package is replaced
    assert [path.name for path in first.parent.iterdir()] == ["model"]


def test_other_folders_are_not_touched(plan: Draft, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExists):
        write_package(plan, tmp_path)
    assert (tmp_path / "thesis.txt").is_file()


def test_a_failure_leaves_the_earlier_package(
    plan: Draft, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = package_digest(package)

    def fail(*_: object) -> None:
        raise RuntimeError("the reference failed")

    monkeypatch.setattr(drafts, "reference_output", fail)
    with pytest.raises(RuntimeError):
        write_package(plan, package)
    assert package_digest(package) == before
    assert [path.name for path in package.parent.iterdir()] == ["components"]
