"""A model card that says no more than it must."""

from collections.abc import Mapping

from napari_hmz.schema import ModelCard


def fake_card(parameters: Mapping[str, object]) -> ModelCard:
    """Return the card of a model with these parameters: from a plane to a plane."""
    return ModelCard.model_validate(
        {
            "id": "m",
            "version": "1",
            "name": "M",
            "summary": "",
            "task": "restoration",
            "digest": "",
            "inputs": [{"name": "image", "axes": ["y", "x"]}],
            "outputs": [{"name": "image", "kind": "image", "axes": ["y", "x"], "dtype": "uint8"}],
            "parameters": parameters,
        }
    )
