"""Cards and thumbnails that are kept for the time when the backend is away."""

from pathlib import Path

import pytest

from napari_hmz.catalogue import KeptCards, kept_cards
from napari_hmz.catalogue.kept import LARGEST_PICTURE
from napari_hmz.schema import ModelCard


def card(name: str = "nuclei", **changes: object) -> ModelCard:
    document = {
        "id": name, "version": "1", "name": name, "summary": "", "task": "t", "digest": name,
        "inputs": [{"name": "image", "axes": ["y", "x"]}],
        "outputs": [{"name": "l", "kind": "image", "axes": ["y", "x"], "dtype": "float32"}],
        "thumbnail": "cover.png",
    }  # fmt: skip # one line of words
    return ModelCard.model_validate(document | changes)


def test_what_was_put_is_had_again_with_its_time(tmp_path: Path) -> None:
    kept_cards(tmp_path, "https://a").put([card()], 1e9)
    found = kept_cards(tmp_path, "https://a").get()
    assert found is not None
    assert (found.at_s, found.cards) == (1e9, (card(),))


def test_each_backend_has_its_own(tmp_path: Path) -> None:
    kept_cards(tmp_path, "https://a").put([card()], 1e9)
    assert kept_cards(tmp_path, "https://b/../a").get() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"at_s": 1, "cards": [{}]}', b"\xff"])
def test_what_is_damaged_is_as_if_never_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cards.json").write_bytes(content)
    assert KeptCards(tmp_path).get() is None


def test_pictures_are_kept_while_their_models_are_there(tmp_path: Path) -> None:
    kept = KeptCards(tmp_path)
    kept.put_picture(card("a"), b"A")
    kept.put_picture(card("b", thumbnail="../../b"), b"B")
    assert kept.picture(card("a")) == b"A"
    assert kept.picture(card("a", digest="another")) is None, "another package, another picture"
    kept.put([card("b", thumbnail="../../b")], 1e9)
    assert kept.picture(card("a")) is None
    assert kept.picture(card("b", thumbnail="../../b")) == b"B"
    assert {file.parent for file in tmp_path.rglob("*")} == {tmp_path}


def test_a_huge_picture_is_not_kept(tmp_path: Path) -> None:
    KeptCards(tmp_path).put_picture(card(), bytes(LARGEST_PICTURE + 1))
    assert KeptCards(tmp_path).picture(card()) is None


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = KeptCards(tmp_path / "file" / "below")
    kept.put([card()], 1e9)
    kept.put_picture(card(), b"A")
    assert kept.get() is None
    assert kept.picture(card()) is None


def test_only_its_user_can_read_it(tmp_path: Path) -> None:
    kept_cards(tmp_path, "https://a").put([card()], 1e9)
    (file,) = tmp_path.rglob("cards.json")
    assert file.stat().st_mode & 0o077 == 0
