"""The form of a card: every kind of field, and cards that make no sense."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_hmz.form import Field, form_of, number_line, parse_text, proposed_axes
from napari_hmz.form.fields import field_of
from napari_hmz.form.text import write_text
from napari_hmz.schema import Choice, InputSpec, ParameterSpec, ParameterValue
from napari_hmz.testing.fake_card import fake_card

ends = st.none() | st.floats(allow_nan=True, allow_infinity=True)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
specs = st.builds(
    ParameterSpec,
    type=st.sampled_from(["number", "integer", "boolean", "string", "range", "colour", ""]),
    title=st.text(max_size=8),
    default=scalars | st.tuples(st.floats(), st.floats()),
    optional=st.booleans(),
    minimum=ends,
    maximum=ends,
    step=st.none() | st.floats(min_value=0, exclude_min=True),
    scale=st.sampled_from(["linear", "log"]),
    choices=st.lists(
        st.builds(Choice, value=st.integers() | st.text(max_size=3), label=st.text(max_size=3)),
        max_size=3,
    ).map(tuple),
)


CASES: list[tuple[ParameterSpec, str, ParameterValue]] = [
    (ParameterSpec(type="number", default=30, minimum=5, maximum=400), "number", 30.0),
    (ParameterSpec(type="number", default=1e-6), "number", 1e-6),
    (ParameterSpec(type="number", default=-4096.5), "number", -4096.5),
    (ParameterSpec(type="number", default=None, optional=True), "number", None),
    (ParameterSpec(type="number", default=None), "text", None),
    (ParameterSpec(type="integer", default=70000), "integer", 70000),
    (ParameterSpec(type="integer", default=-3, minimum=-5, maximum=5), "integer", -3),
    (ParameterSpec(type="boolean", default=True), "boolean", True),
    (ParameterSpec(type="boolean", default=None, optional=True), "choice", None),
    (ParameterSpec(type="string", default="a"), "text", "a"),
    (ParameterSpec(type="range", default=(1, 99.8), minimum=0, maximum=100), "range", (1.0, 99.8)),
    (ParameterSpec(type="range", minimum=0, maximum=100), "range", (0.0, 100.0)),
    (ParameterSpec(type="hologram", default=3), "text", 3),
    (
        ParameterSpec(type="string", default="b", choices=(Choice(value="b", label="B"),)),
        "choice",
        "b",
    ),
    (
        ParameterSpec(type="integer", default=2, choices=(Choice(value=2, label="two"),)),
        "choice",
        2,
    ),
]


@pytest.mark.parametrize(("spec", "kind", "start"), CASES, ids=range(len(CASES)))
def test_every_kind_of_parameter_gets_its_field(
    spec: ParameterSpec, kind: str, start: ParameterValue
) -> None:
    field = field_of("p", spec)
    assert (field.kind, field.start, type(field.start)) == (kind, start, type(start))
    assert bool(field.note) == (spec.type == "hologram" or (start is None and not spec.optional))


def test_whole_numbers_lie_between_whole_ends() -> None:
    field = field_of("p", ParameterSpec(type="integer", default=0, minimum=-4.5, maximum=-0.5))
    assert field.line is not None
    assert (field.start, field.line.low, field.line.high) == (-1, -4, -1)
    assert "does not fit" in field.note


@given(specs)
def test_no_card_breaks_the_mapper(spec: ParameterSpec) -> None:
    form = form_of(fake_card({"p": spec}))
    (field,) = form.fields
    assert form.visible(form.start()) == {"p"}
    assert field.label.strip() or spec.title
    if field.line is not None:
        assert_usable(field)


def assert_usable(field: Field) -> None:
    line = field.line
    assert line is not None
    assert -math.inf < line.low < line.high < math.inf
    assert math.isfinite(line.step)
    assert line.step > 0
    for number in field.start if isinstance(field.start, tuple) else (field.start,):
        if number is not None:
            assert line.low <= float(number) <= line.high


@given(
    st.floats(-1e6, 1e6) | st.floats(0, 1e-6),
    st.floats(1e-3, 1e6),
    st.floats(0, 1),
    st.sampled_from(["linear", "log"]),
    st.sampled_from(["number", "integer"]),
)
def test_a_slider_and_its_number_agree(
    low: float, span: float, place: float, scale: str, kind: str
) -> None:
    spec = ParameterSpec.model_validate(
        {"type": kind, "minimum": low, "maximum": low + span, "scale": scale, "default": low}
    )
    line = number_line(spec, low)
    value = line.value_at(place)
    assert line.low <= value <= line.high
    grid = max(line.snap or 0.0, 10.0**-line.decimals)
    assert line.value_at(line.place(value)) == pytest.approx(value, rel=1e-9, abs=grid)


def test_equal_ways_on_a_log_slider_are_equal_factors() -> None:
    spec = ParameterSpec(type="number", minimum=1, maximum=10_000, scale="log")
    line = number_line(spec)
    values = [line.value_at(place) for place in (0, 0.25, 0.5, 0.75, 1)]
    assert values == pytest.approx([1, 10, 100, 1000, 10_000])


def test_a_small_default_keeps_its_digits() -> None:
    line = number_line(ParameterSpec(type="number"), 1e-6)
    assert round(1e-6, line.decimals) == 1e-6
    assert line.step <= 1e-6


def test_a_default_outside_its_own_range_is_clamped_and_said() -> None:
    field = field_of("p", ParameterSpec(type="number", default=9, minimum=0, maximum=1))
    assert field.start == 1.0
    assert "9" in field.note


def test_a_field_that_does_not_matter_is_hidden() -> None:
    form = form_of(
        fake_card(
            {
                "method": ParameterSpec(type="string", default="otsu"),
                "level": ParameterSpec(
                    type="number", default=1, visible_when={"method": "manual", "other": 1}
                ),
            }
        )
    )
    assert form.visible(form.start()) == {"method"}
    assert form.visible({"method": "manual", "level": 1}) == {"method", "level"}


def test_faults_stand_at_their_field() -> None:
    form = form_of(
        fake_card(
            {
                "a": ParameterSpec(type="number", default=1, maximum=2),
                "b": ParameterSpec(type="hologram", default=1, maximum=2),
                "c": ParameterSpec(type="number", default=None),
            }
        )
    )
    faults = form.faults({"a": 3, "b": 5, "c": None})
    assert set(faults) == {"a", "b", "c"}
    assert "maximum" in faults["b"]


def test_hostile_text_is_shown_as_text() -> None:
    field = field_of("p", ParameterSpec(type="number", default=1, description="<img src=x>"))
    assert "<img" not in field.tooltip
    assert "&lt;img" in field.tooltip


@given(st.none() | st.booleans() | st.integers() | st.tuples(st.floats(-9, 9), st.floats(-9, 9)))
def test_text_of_an_unknown_type_reads_back(value: ParameterValue) -> None:
    assert parse_text(ParameterSpec(type="hologram"), write_text(value)) == value


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    parse_text(ParameterSpec(type="hologram"), text)
    assert parse_text(ParameterSpec(type="string"), text) == text


@pytest.mark.parametrize(
    ("shape", "labels", "channels", "expected"),
    [
        ((9, 9), ("-2", "-1"), 1, "yx"),
        ((9, 9, 9), ("-3", "-2", "-1"), 1, "zyx"),
        ((9, 9, 9), ("Time", "Y", "X"), 1, "tyx"),
        ((9, 9, 9), ("planes", "rows", "columns"), 1, "zyx"),
        ((9, 9, 9), ("y", "y", "x"), 1, "zyx"),
        ((2, 9, 9), ("", "", ""), 2, "cyx"),
        ((9, 2, 9, 9), ("", "", "", ""), 2, "tcyx"),
        ((9, 9, 9, 9), ("", "", "", ""), 2, "tzyx"),
        ((9, 9, 9, 9, 9), ("", "", "", "", ""), 1, "tczyx"),
    ],
)
def test_axes_are_proposed(
    shape: tuple[int, ...], labels: tuple[str, ...], channels: int, expected: str
) -> None:
    names = tuple(f"c{i}" for i in range(channels))
    spec = InputSpec(name="image", axes=("y", "x"), channels=names)
    offers = proposed_axes(shape, labels, spec)
    assert "".join(offers[0]) == expected
    assert len(set(offers)) == len(offers)


def test_too_many_axes_have_no_names() -> None:
    assert proposed_axes((2,) * 6, [""] * 6, InputSpec(name="image", axes=("y", "x"))) == ()
