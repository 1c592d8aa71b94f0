"""Values that were used last: given back as long as they fit, and never a secret among them."""

import json
from pathlib import Path

import pytest

from napari_hmz.form import form_of, remembered_values
from napari_hmz.schema import ModelCard, ParameterValue
from napari_hmz.testing.fake_card import fake_card

SPECS: dict[str, object] = {
    "diameter": {"type": "number", "default": 30, "minimum": 5, "maximum": 300},
    "window": {"type": "range", "default": [1, 99.8], "minimum": 0, "maximum": 100},
    "method": {"type": "string", "default": "otsu"},
    "limit": {"type": "integer", "optional": True},
    "api_key": {"type": "string", "optional": True},
    "hologram": {"type": "hologram", "optional": True},
}
USED: dict[str, ParameterValue] = {
    "diameter": 12.5,
    "window": (2.0, 98.0),
    "method": "fixed",
    "limit": 1234,
    "api_key": "hush",
    "hologram": "hush",
}


def card(**changed: object) -> ModelCard:
    return fake_card(SPECS | changed)


def used(folder: Path, model: ModelCard, backend: str = "b") -> dict[str, ParameterValue]:
    """Return what a later process finds."""
    return remembered_values(folder, backend).values(model)


def use(folder: Path, model: ModelCard, **values: ParameterValue) -> None:
    remembered_values(folder, "b").put(model, USED | values)


def kept(folder: Path) -> Path:
    (file,) = (folder / "forms").iterdir()
    return file


def test_what_was_used_is_given_back_but_for_secrets(tmp_path: Path) -> None:
    use(tmp_path, card())
    assert used(tmp_path, card()) == USED | {"api_key": None, "hologram": None}
    assert "hush" not in kept(tmp_path).read_text()


def test_each_backend_has_its_own(tmp_path: Path) -> None:
    use(tmp_path, card())
    assert used(tmp_path, card(), "other") == form_of(card()).start()


def test_another_version_takes_over_what_still_fits(tmp_path: Path) -> None:
    use(tmp_path, card())
    newer = card(diameter={"type": "number", "default": 40, "minimum": 20}, extra=SPECS["limit"])
    found = used(tmp_path, newer)
    assert found["diameter"] == 40.0, "12.5 is below the new minimum"
    assert found["window"] == (2.0, 98.0)
    assert found["extra"] is None


def test_a_version_keeps_its_own_beside_another(tmp_path: Path) -> None:
    newer = card(diameter={"type": "number", "default": 40})
    use(tmp_path, card())
    use(tmp_path, newer, diameter=50.0)
    assert used(tmp_path, card())["diameter"] == 12.5
    assert used(tmp_path, newer)["diameter"] == 50.0


def test_a_value_that_is_the_cards_follows_the_card(tmp_path: Path) -> None:
    use(tmp_path, card(), diameter=30.0)
    assert used(tmp_path, card(diameter={"type": "number", "default": 41}))["diameter"] == 41.0


@pytest.mark.parametrize("content", ["", "[]", '{"version": 9, "kept": [{}]}', "{", "\x00"])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: str) -> None:
    use(tmp_path, card())
    kept(tmp_path).write_text(content)
    assert used(tmp_path, card()) == form_of(card()).start()
    use(tmp_path, card())
    assert used(tmp_path, card())["diameter"] == 12.5


def test_it_is_read_once_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    use(tmp_path, card())
    remembered = remembered_values(tmp_path, "b")
    first = remembered.values(card())
    kept(tmp_path).unlink()
    assert remembered.values(card()) == first
    remembered.put(card(), {"diameter": 7.0})
    assert used(tmp_path, card())["diameter"] == 7.0
    assert kept(tmp_path).suffix == ".json"


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    use(tmp_path / "file", card())


def test_the_file_is_of_this_user_alone_and_versioned(tmp_path: Path) -> None:
    use(tmp_path, card())
    file = kept(tmp_path)
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text())["version"] == 1
