"""A misspelt word under `config.hmz` is named, wherever it stands."""

from typing import Any

import pytest

from hmz_backend.zoo.document import extension_of, read_document
from hmz_backend.zoo.shipped import shipped_models
from hmz_backend.zoo.unread import unread


@pytest.mark.parametrize(
    ("section", "place", "near"),
    [
        ({"normalize": {}}, "config.hmz.normalize", "normalise"),
        ({"tile": {"prefered": {"y": 8}}}, "config.hmz.tile.prefered", "preferred"),
        ({"outputs": {"a": {"stitch": {"mod": 1}}}}, "config.hmz.outputs.a.stitch.mod", "mode"),
        (
            {"outputs": {"a": {"classes": [{"value": 1, "nam": "x"}]}}},
            "config.hmz.outputs.a.classes.0.nam",
            "name",
        ),
        ({"parameters": {"p": {"minimun": 1}}}, "config.hmz.parameters.p.minimun", "minimum"),
        ({"zzz": 1}, "config.hmz.zzz", None),
    ],
)
def test_a_word_that_is_not_read_is_named(
    section: dict[str, Any], place: str, near: str | None
) -> None:
    (told,) = unread(section)
    assert told.startswith(f"{place} is not read")
    assert ("did you mean" in told) == (near is not None)
    assert (near or "") in told


def test_all_words_of_the_shipped_models_are_read() -> None:
    for path in shipped_models().glob("*/rdf.yaml"):
        assert not list(unread(extension_of(read_document(path.parent))))


def test_what_is_of_another_type_is_left_to_whoever_reads_it() -> None:
    assert not list(unread({"tile": 3, "outputs": [], "parameters": {"p": None}}))
