"""The error tree: stable codes, remedies, and the way over the wire and back."""

import pytest

from napari_hmz import errors
from napari_hmz.errors import HmzError, error_classes, from_problem
from napari_hmz.schema import Problem, to_problem

LEAVES = sorted(error_classes().items())


def every_class() -> list[type[HmzError]]:
    found: list[type[HmzError]] = []
    for thing in vars(errors).values():
        if isinstance(thing, type) and issubclass(thing, HmzError):
            found.append(thing)
    return found


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in every_class()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(("code", "kind"), LEAVES)
def test_an_error_survives_the_wire(code: str, kind: type[HmzError]) -> None:
    sent = kind("what happened", remedy="what to do", request_id="r-1")
    document = to_problem(sent).model_dump_json()
    received = from_problem(Problem.model_validate_json(document))
    assert type(received) is kind
    assert (received.detail, received.remedy, received.request_id) == (
        "what happened",
        "what to do",
        "r-1",
    )


@pytest.mark.parametrize(("code", "kind"), LEAVES)
def test_an_error_is_documented_in_the_tree(code: str, kind: type[HmzError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(("code", "kind"), LEAVES)
def test_an_error_has_a_status_that_http_knows(code: str, kind: type[HmzError]) -> None:
    assert 400 <= kind.status < 600


def test_an_unknown_code_becomes_the_root() -> None:
    received = from_problem(Problem(title="new", status=500, code="of-the-future", detail="hm"))
    assert type(received) is HmzError


def test_the_text_of_an_error_is_its_sentence_and_its_remedy() -> None:
    assert str(errors.OutputExists("out.zarr is there already.")) == (
        "out.zarr is there already. "
        "Choose another name, or ask for it to be replaced (--overwrite)."
    )
