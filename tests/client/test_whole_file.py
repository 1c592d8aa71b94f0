"""A small file is whole or not there, and nobody else may read it."""

from pathlib import Path

import pytest

from napari_hmz.whole_file import safe_name, write_whole


def test_a_file_is_replaced_whole_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "file.json"
    write_whole(file, b"one")
    write_whole(file, b"two")
    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o077 == 0
    assert [*file.parent.iterdir()] == [file]


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    write_whole(file, b"one")

    def refuse(*_: object) -> None:
        raise OSError("The disk is full.")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="full"):
        write_whole(file, b"two")
    assert file.read_bytes() == b"one"
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("words", ["", "../../etc/passwd", "a/b", "\0", "ö" * 1000])
def test_any_words_make_a_name_that_leads_nowhere(words: str) -> None:
    name = safe_name(words)
    assert Path(name).name == name
    assert name != safe_name(words + "x")
