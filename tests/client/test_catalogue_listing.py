"""Searching the catalogue: words, facets, what fits the layer, and fast enough for typing."""

from time import perf_counter
from typing import Any

import pytest

from napari_hmz.catalogue import Catalogue, Facets, ImageDescription, Query
from napari_hmz.schema import ModelCard

PLANE = ImageDescription(shape=(64, 64), labels=("y", "x"), dtype="uint8")


def card(name: str, **changes: object) -> ModelCard:
    axes = changes.pop("axes", ["y", "x"])
    document = {
        "id": name.lower().replace(" ", "-"), "version": "1", "name": name, "summary": "",
        "task": "instance-segmentation", "digest": "d",
        "inputs": [{"name": "image", "axes": axes}],
        "outputs": [{"name": "labels", "kind": "instance-labels", "axes": axes, "dtype": "uint32"}],
    }  # fmt: skip # one line of words
    return ModelCard.model_validate(document | changes)


NUCLEI = card("Nuclei", tags=["Confocal", "nuclei"], summary="Finds every nucleus")
BRAINS = card("Brains", axes=["z", "y", "x"], tags=["MRI"], task="semantic-segmentation")
NOISE = card("Noise", task="restoration", authors=[{"name": "Ada Lovelace"}])
MEASURED = card("Cells", quality=[{"metric": "AP", "value": 0.9, "dataset": "cells"}])
ALL = Catalogue((NUCLEI, BRAINS, NOISE, MEASURED))


def names(
    catalogue: Catalogue,
    image: ImageDescription | None = None,
    **query: Any,  # noqa: ANN401 # as `Query` has them
) -> list[str]:
    return [entry.card.name for entry in catalogue.find(Query(**query), image)]


def test_everything_is_listed_by_name_while_nothing_is_asked_for() -> None:
    assert names(ALL) == ["Brains", "Cells", "Noise", "Nuclei"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("NUCLEUS", ["Nuclei"]),  # in the summary
        ("every finds", ["Nuclei"]),  # all words, in any order
        ("fluorescence", ["Nuclei"]),  # a modality that a tag stands for
        ("lovelace", ["Noise"]),
        ("semantic segmentation", ["Brains"]),
        ("3-d", ["Brains"]),
        ("nothing of the kind", []),
        ("(", []),
    ],
)
def test_words_are_looked_for_in_all_that_a_card_says(words: str, found: list[str]) -> None:
    assert names(ALL, words=words) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"task": "restoration"}, ["Noise"]),
        ({"dimensions": 3}, ["Brains"]),
        ({"modality": "magnetic resonance"}, ["Brains"]),
        ({"measured": True}, ["Cells"]),
        ({"measured": True, "dimensions": 3}, []),
    ],
)
def test_facets_narrow_the_list(query: dict[str, Any], found: list[str]) -> None:
    assert names(ALL, **query) == found


def test_only_facets_that_some_model_has_are_offered() -> None:
    assert ALL.facets() == Facets(
        tasks=("instance-segmentation", "restoration", "semantic-segmentation"),
        dimensions=(2, 3),
        modalities=("fluorescence", "magnetic resonance"),
    )
    assert Catalogue().facets() == Facets()


def test_what_suits_the_layer_comes_first_and_the_rest_says_why_not() -> None:
    found = ALL.find(Query(), PLANE)
    assert [entry.card.name for entry in found] == ["Cells", "Noise", "Nuclei", "Brains"]
    assert [bool(entry.misfit) for entry in found] == [False, False, False, True]
    assert names(ALL, PLANE, fitting=True) == ["Cells", "Noise", "Nuclei"]


def test_the_nearer_a_hit_is_to_the_beginning_of_the_name_the_earlier_it_stands() -> None:
    told = Catalogue((card("A", summary="unlike cells"), card("Big Cells"), card("Cells")))
    assert names(told, words="cells") == ["Cells", "Big Cells", "A"]


def test_of_several_versions_the_newest_is_listed_and_all_can_be_had() -> None:
    old, new = card("Nuclei", version="1"), card("Nuclei", version="2")
    catalogue = Catalogue((new, old))
    assert [entry.card for entry in catalogue.find(Query())] == [new]
    assert catalogue.versions("nuclei") == (new, old)


def test_two_hundred_models_are_filtered_between_two_frames() -> None:
    many = Catalogue(
        tuple(
            card(f"Model {n}", tags=["fluorescence"], documentation="word " * 5000)
            for n in range(200)
        )
    )
    began = perf_counter()
    for end in range(1, 8):
        assert many.find(Query(words="model 1"[:end]), PLANE)
    each_ms = 1000 * (perf_counter() - began) / 7
    assert each_ms < 50, "a busy machine takes a tenth of this"


def test_a_model_of_several_inputs_fits_a_layer_that_feeds_one_of_them() -> None:
    inputs = [
        {"name": "image", "axes": ["y", "x"]},
        {"name": "cells", "kind": "labels", "axes": ["y", "x"]},
    ]
    pair = Catalogue((card("Pair", inputs=inputs),))
    labels = ImageDescription(shape=(64, 64), labels=("y", "x"), dtype="int32", kind="labels")
    points = ImageDescription(shape=(8, 2), labels=("y", "x"), dtype="float64", kind="points")
    assert names(pair, labels, fitting=True) == ["Pair"]
    assert names(pair, PLANE, fitting=True) == ["Pair"]
    assert names(pair, points, fitting=True) == []
