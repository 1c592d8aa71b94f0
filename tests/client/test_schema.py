"""The vocabulary on the wire: golden messages, tolerance, and axes by name.

The golden files are what clients and backends of this protocol version have sent. A change that
cannot read them any more breaks every peer: raise `PROTOCOL_VERSION` instead of editing them.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_hmz.schema import (
    EVENT,
    ApiToken,
    Health,
    Me,
    ModelCard,
    NewToken,
    Plan,
    Problem,
    Run,
    RunRequest,
    Share,
    ShareRequest,
    SignIn,
    TokenRequest,
    Usage,
    Volume,
    VolumeRequest,
    Wanted,
    extents,
    full_region,
    sizes_of,
    slices,
)
from napari_hmz.schema.base import Message

GOLDEN = Path(__file__).parent / "golden"
KINDS: dict[str, type[Message]] = {
    "health": Health,
    "me": Me,
    "model-card": ModelCard,
    "plan": Plan,
    "new-token": NewToken,
    "problem": Problem,
    "run": Run,
    "run-request": RunRequest,
    "sign-in": SignIn,
    "token": ApiToken,
    "token-request": TokenRequest,
    "share": Share,
    "share-request": ShareRequest,
    "usage": Usage,
    "volume": Volume,
    "volume-request": VolumeRequest,
    "wanted": Wanted,
}


def golden(name: str) -> dict[str, object]:
    document: dict[str, object] = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    return document


def test_every_kind_of_message_has_a_golden_one() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {*KINDS, "events"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_golden_message_is_read_and_written_unchanged(name: str) -> None:
    document = golden(name)
    assert json.loads(KINDS[name].model_validate(document).model_dump_json()) == document


@pytest.mark.parametrize("name", sorted(KINDS))
def test_fields_of_the_future_are_dropped(name: str) -> None:
    document = golden(name)
    message = KINDS[name].model_validate({**document, "of_the_future": {"a": 1}})
    assert message == KINDS[name].model_validate(document)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_messages_are_frozen(name: str) -> None:
    message = KINDS[name].model_validate(golden(name))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(message, next(iter(KINDS[name].model_fields)), None)


def test_events_keep_their_kind_and_number() -> None:
    for document in json.loads((GOLDEN / "events.json").read_text("utf-8")):
        event = EVENT.validate_python(document)
        assert json.loads(EVENT.dump_json(event)) == document


def test_a_volume_whose_shape_lacks_an_axis_is_refused() -> None:
    document = golden("volume-request")
    document["shape"] = {"y": 4, "x": 4}
    with pytest.raises(ValidationError, match="exactly the axes"):
        VolumeRequest.model_validate(document)


@given(
    st.permutations(["t", "c", "z", "y", "x"]), st.lists(st.integers(0, 9), min_size=5, max_size=5)
)
def test_axes_go_by_name(axes: list[str], shape: list[int]) -> None:
    names = tuple(axes)
    sizes = sizes_of(names, shape)  # type: ignore[arg-type] # permutations() widens the literal
    region = full_region(sizes)
    assert extents(region) == sizes
    assert [cut.stop for cut in slices(region, names)] == shape  # type: ignore[arg-type] # as above
