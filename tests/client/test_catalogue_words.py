"""What is said of a model, and that no card can lead anybody astray."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hmz.catalogue import words
from napari_hmz.catalogue.links import author_link, citation_link, safe_link
from napari_hmz.schema import Author, Citation, ModelCard


def card(**changes: object) -> ModelCard:
    document = {
        "id": "nuclei", "version": "1", "name": "Nuclei", "summary": "",
        "task": "instance-segmentation", "digest": "d", "tags": ["fluorescence"],
        "inputs": [{"name": "image", "axes": ["c", "y", "x"], "channels": ["a", "b"]}],
        "outputs": [{"name": "l", "kind": "instance-labels", "axes": ["y", "x"], "dtype": "u4"}],
    }  # fmt: skip # one line of words
    return ModelCard.model_validate(document | changes)


def test_facts_and_badge_are_a_few_words() -> None:
    assert words.facts(card()) == "2-D · instance segmentation · fluorescence"
    assert words.badge(card()) == "not measured"
    figure = {"metric": "AP@0.5", "value": 0.9512, "dataset": "d", "samples": 3}
    assert words.badge(card(quality=[figure])) == "AP@0.5 0.951"
    told = figure | {"metric": "labels unequal to those of the whole", "value": 0}
    assert words.badge(card(quality=[told])) == "measured"
    assert words.quality_lines(card(quality=[figure])) == ["AP@0.5 0.951 on d (3 images)"]


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({}, "open to all"),
        ({"public": False}, "restricted"),
        (
            {"public": False, "groups": ["urn:geant:h.de:group:HIFIS:imaging#login.h.de"]},
            "for members of HIFIS:imaging",
        ),
        ({"public": False, "groups": ["plain"]}, "for members of plain"),
    ],
)
def test_who_may_use_it(access: dict[str, Any], said: str) -> None:
    assert words.access(card(access=access)) == said


def test_what_it_needs() -> None:
    told = words.needs(card(tile={"preferred": {"y": 512, "x": 512}, "memory_bytes_per_voxel": 8}))
    assert told == [
        "image: axes y, x",
        "image: channels a, b",
        "image: values as uint8, uint16, int16, float32",
        "2.0 MiB of memory for a tile of y 512, x 512",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"voxels_per_s_here": 2.5e6}, "2.5 M voxels/s, as measured on this backend"),
        (
            {"tile": {"seconds_per_megavoxel": 2.0}},
            "not measured on this backend yet; 500.0 k voxels/s where it was made",
        ),
        ({}, "not measured yet"),
    ],
)
def test_how_fast_it_is(changes: dict[str, Any], said: str) -> None:
    assert words.speed(card(**changes)) == said


def test_a_citation_can_be_pasted() -> None:
    cited = [
        {"text": "A paper.\nOf two lines", "doi": "10.1038/s41592-018-0261-2"},
        {"text": "A page", "url": "https://example.org/x"},
        {"text": "A trap", "url": "javascript:alert(1)"},
    ]
    assert words.citation(card(citations=cited)).splitlines() == [
        "A paper. Of two lines. https://doi.org/10.1038/s41592-018-0261-2",
        "A page. https://example.org/x",
        "A trap",
    ]


@pytest.mark.parametrize(
    ("passed_s", "said"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7300, "2 hours ago"),
        (2e5, "2 days ago"),
    ],
)
def test_how_old_kept_cards_are(passed_s: float, said: str) -> None:
    assert words.age(1e9, 1e9 + passed_s) == said
    assert said in words.kept_note(1e9, 1e9 + passed_s)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org", "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x",
        "https://", "https:///path", "https://user:pass@example.org", "https://[", "ftp://a.b",
        'https://a.b/"onclick="x', "https://a.b/<b>", "https://a.b/ c", "https://a.b/\nc",
        "https://ex\u0430mple.org",  # a Cyrillic letter
        "https://a.b/" + "x" * 3000, "", "//example.org", "\u202ehttps://a.b",
    ],
)  # fmt: skip # a list of addresses
def test_only_plain_https_addresses_can_be_opened(address: str) -> None:
    assert safe_link(address) == ""


@given(st.text())
def test_no_text_becomes_a_link_that_could_leave_its_attribute(text: str) -> None:
    for link in (safe_link(text), safe_link(f"https://{text}"), citation_link(_doi(text))):
        assert not link or link.startswith("https://")
        assert not set(link) & set("\"'<> \n")


def _doi(text: str) -> Citation:
    return Citation(text="", doi=f"10.1234/{text}")


def test_identifiers_become_links_only_if_they_are_some() -> None:
    assert citation_link(Citation(text="", doi="https://doi.org/10.1/x", url="https://a.b")) == (
        "https://a.b"
    )
    assert author_link(Author(name="", orcid="0000-0002-1825-0097")).endswith("0000-0002-1825-0097")
    assert author_link(Author(name="", orcid="../evil")) == ""


def test_what_is_invisible_does_not_survive_on_one_line() -> None:
    assert words.one_line("a\u202eb\u0000\r\n\tc ") == "a b c"
