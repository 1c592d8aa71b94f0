"""Model parameters: defaults are filled in, and what does not fit is named."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hmz.schema import Choice, ParameterSpec, ParameterValue, resolve_parameters

DIAMETER = ParameterSpec(type="number", default=30, minimum=5, maximum=400)
SPECS = {
    "diameter": DIAMETER,
    "count": ParameterSpec(type="integer", default=1, minimum=0),
    "fast": ParameterSpec(type="boolean", default=False),
    "mode": ParameterSpec(
        type="string",
        default="a",
        choices=(Choice(value="a", label="A"), Choice(value="b", label="B")),
    ),
    "limits": ParameterSpec(type="range", default=(0.0, 1.0), minimum=0, maximum=10),
    "threshold": ParameterSpec(type="number", optional=True),
}


def problems(**given: ParameterValue) -> dict[str, str]:
    return {problem.name: problem.message for problem in resolve_parameters(SPECS, given)[1]}


def test_defaults_fill_what_is_not_given() -> None:
    values, found = resolve_parameters(SPECS, {"diameter": 12})
    assert not found
    assert values == {
        "diameter": 12.0,
        "count": 1,
        "fast": False,
        "mode": "a",
        "limits": (0.0, 1.0),
        "threshold": None,
    }


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("diametre", 30, "unknown parameter"),
        ("diameter", 4, "below the minimum 5"),
        ("diameter", 401, "above the maximum 400"),
        ("diameter", "30", "not of type number"),
        ("diameter", True, "not of type number"),
        ("diameter", math.nan, "not a number"),
        ("diameter", None, "a value is needed"),
        ("count", 1.5, "not of type integer"),
        ("fast", 1, "not of type boolean"),
        ("mode", "c", "not one of"),
        ("limits", (3.0, 1.0), "upside down"),
        ("limits", (3.0, 11.0), "above the maximum"),
    ],
)
def test_what_does_not_fit_is_named(name: str, value: ParameterValue, words: str) -> None:
    assert words in problems(**{name: value})[name]


def test_a_whole_float_is_an_integer() -> None:
    values, found = resolve_parameters(SPECS, {"count": 3.0})
    assert not found
    assert values["count"] == 3
    assert isinstance(values["count"], int)


def test_a_type_of_the_future_is_passed_on() -> None:
    values, found = resolve_parameters({"new": ParameterSpec(type="curve")}, {"new": "x"})
    assert (values, found) == ({"new": "x"}, [])


@given(st.floats(allow_nan=False))
def test_a_number_is_taken_exactly_if_it_lies_in_the_range(value: float) -> None:
    values, found = resolve_parameters({"diameter": DIAMETER}, {"diameter": value})
    assert (not found) == (5 <= value <= 400)
    if not found:
        assert values["diameter"] == value
