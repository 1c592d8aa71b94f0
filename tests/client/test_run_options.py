"""What a run may be asked for: every option arrives, and a misspelt one is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_hmz.errors import RequestError
from napari_hmz.run_options import RunOptions, announcement, run_request
from napari_hmz.schema import ModelCard, Volume
from napari_hmz.testing.fake_source import FakeSource

GOLDEN = Path(__file__).parent / "golden"
CARD = ModelCard.model_validate(json.loads((GOLDEN / "model-card.json").read_text("utf-8")))
VOLUME = Volume.model_validate(json.loads((GOLDEN / "volume.json").read_text("utf-8")))


def test_a_stream_is_asked_for_with_the_announcement() -> None:
    source = FakeSource(np.zeros((4, 8, 8), np.uint8), ("z", "y", "x"))
    assert announcement(source, RunOptions()) == source.request
    asked = announcement(source, RunOptions(stream=True))
    assert asked == source.request.model_copy(update={"mode": "stream"})
    assert run_request(CARD, VOLUME.id, RunOptions(stream=True)) == run_request(CARD, VOLUME.id, {})


def test_every_option_arrives_in_the_request() -> None:
    options = RunOptions(
        region={"z": (1, 3)},
        parameters={"diameter": 12},
        channels=[1],
        outputs=["labels"],
        join_planes=True,
        block={"y": 64},
        halo={"y": 8},
        ignore_voxel_size=True,
        urgency="interactive",
    )
    request = run_request(CARD, VOLUME.id, options, inputs={"mask": VOLUME.id})
    assert request.model_dump(exclude={"model", "version", "volume", "started_by"}) == {
        "inputs": {"mask": VOLUME.id},
        "region": {"z": (1, 3)},
        "parameters": {"diameter": 12},
        "channels": (1,),
        "outputs": ("labels",),
        "join_planes": True,
        "block": {"y": 64},
        "halo": {"y": 8},
        "ignore_voxel_size": True,
        "urgency": "interactive",
    }


def test_a_misspelt_option_is_named() -> None:
    misspelt: Any = {"paramters": {"diameter": 12}}
    with pytest.raises(TypeError, match="paramters"):
        run_request(CARD, VOLUME.id, misspelt)


def test_an_option_of_the_wrong_type_is_explained() -> None:
    wrong: Any = {"block": {"y": "many"}}
    with pytest.raises(RequestError, match=r"block\.y"):
        run_request(CARD, VOLUME.id, wrong)
