"""Every field shows its start, gives it back, takes another value, and says when it changed."""

from unittest.mock import Mock

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtTest import QTest

from hmz_widgets.fields import NumberView, RangeView, TextView, field_view
from napari_hmz.form.fields import field_of
from napari_hmz.schema import Choice, ParameterSpec, ParameterValue, resolve_parameters

TWO = (Choice(value="a", label="First"), Choice(value="b", label="Second"))
SAME = (Choice(value=1, label="x"), Choice(value=2, label="x"))
CASES: list[tuple[ParameterSpec, ParameterValue, ParameterValue]] = [
    (ParameterSpec(type="number", default=30, minimum=5, maximum=400, scale="log"), 30.0, 7.5),
    (ParameterSpec(type="number", default=0.5, minimum=0, maximum=1), 0.5, 0.25),
    (ParameterSpec(type="number", default=1e-6), 1e-6, 3e-6),
    (ParameterSpec(type="number", default=-12.5), -12.5, 1234567.0),
    (ParameterSpec(type="number", default=None, optional=True), None, 4.0),
    (ParameterSpec(type="number", default=None), None, 4.5),
    (ParameterSpec(type="integer", default=70000), 70000, -1),
    (ParameterSpec(type="integer", default=2**40), 2**40, 3),
    (ParameterSpec(type="integer", default=None, optional=True, minimum=1, maximum=9), None, 9),
    (ParameterSpec(type="boolean", default=True), True, False),
    (ParameterSpec(type="boolean", default=None, optional=True), None, False),
    (ParameterSpec(type="string", default="text"), "text", "3"),
    (ParameterSpec(type="string", default="a", choices=TWO), "a", "b"),
    (ParameterSpec(type="integer", default=1, choices=SAME), 1, 2),
    (
        ParameterSpec(type="range", default=(1, 99.8), minimum=0, maximum=100),
        (1.0, 99.8),
        (2.0, 50.5),
    ),
    (ParameterSpec(type="range", default=None, optional=True), None, (-4.0, 1e6)),
    (ParameterSpec(type="hologram", default=7), 7, (1.0, 2.0)),
    (ParameterSpec(type="hologram", optional=True), None, "free text"),
]


@pytest.mark.parametrize(("spec", "start", "other"), CASES, ids=range(len(CASES)))
def test_values_go_in_and_come_out(
    qtbot: QtBot, spec: ParameterSpec, start: ParameterValue, other: ParameterValue
) -> None:
    view = field_view(field_of("p", spec))
    qtbot.addWidget(view.native)
    heard = Mock()
    view.changed.connect(heard)
    assert view.value() == start
    assert type(view.value()) is type(start)
    for value in (other, start):
        view.show(value)
        assert view.value() == value
        assert type(view.value()) is type(value)
    heard.assert_not_called()


def test_slider_and_box_follow_each_other(qtbot: QtBot) -> None:
    spec = ParameterSpec(type="number", default=10, minimum=1, maximum=100, scale="log")
    view = NumberView(field_of("p", spec))
    qtbot.addWidget(view.native)
    heard = Mock()
    view.changed.connect(heard)
    assert view._slider is not None
    assert view._slider.value() == 500
    view._slider.setValue(1000)
    assert view.value() == 100
    view._box.value = 1
    assert view._slider.value() == 0
    assert heard.call_count == 2


def test_the_handles_of_a_range_set_its_boxes(qtbot: QtBot) -> None:
    view = RangeView(field_of("p", ParameterSpec(type="range", minimum=0, maximum=10)))
    qtbot.addWidget(view.native)
    heard = Mock()
    view.changed.connect(heard)
    assert view._slider is not None
    view._slider.setValue((0.2, 0.5))
    assert view.value() == (2.0, 5.0)
    view._low.value = 7
    assert view.value() == (7.0, 5.0), "upside down is shown and refused, not mended in silence"
    assert heard.called


def test_typing_is_heard(qtbot: QtBot) -> None:
    view = TextView(field_of("p", ParameterSpec(type="hologram", default=1)))
    qtbot.addWidget(view.native)
    heard = Mock()
    view.changed.connect(heard)
    view._box.native.clear()
    QTest.keyClicks(view._box.native, "12")
    assert view.value() == 12
    assert heard.called


def test_a_switch_opens_a_field_that_may_be_left_open(qtbot: QtBot) -> None:
    spec = ParameterSpec(type="number", optional=True, minimum=2, maximum=3)
    view = field_view(field_of("p", spec))
    qtbot.addWidget(view.native)
    switch = view.native.layout().itemAt(0).widget()
    switch.click()
    assert view.value() == 2.0
    switch.click()
    assert view.value() is None


KINDS: dict[str, dict[str, object]] = {
    "number": {"type": "number"},
    "number, one end": {"type": "number", "minimum": -1e4},
    "slider": {"type": "number", "minimum": -1e4, "maximum": 1e4},
    "log slider": {"type": "number", "minimum": 1e-7, "maximum": 1e4, "scale": "log"},
    "steps": {"type": "number", "minimum": 0, "maximum": 2000, "step": 0.5, "unit": "µm"},
    "integer": {"type": "integer"},
    "integer slider": {"type": "integer", "minimum": -2000, "maximum": 2000},
    "boolean": {"type": "boolean"},
    "text": {"type": "string"},
    "choice": {"type": "string", "choices": TWO},
    "choice of numbers": {
        "type": "number",
        "choices": [{"value": v, "label": str(v)} for v in (-12.5, 1e-6, 1500)],
    },
    "range": {"type": "range", "minimum": -1e4, "maximum": 1e4},
    "open range": {"type": "range"},
    "unknown": {"type": "hologram"},
}
DEFAULTS: dict[str, ParameterValue] = {
    "None": None,
    "negative": -12.5,
    "large": 1500,
    "tiny": 1e-6,
}


@pytest.mark.parametrize("optional", [True, False], ids=["optional", "needed"])
@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_field_takes_every_default(
    qtbot: QtBot, kind: str, default: str, *, optional: bool
) -> None:
    """A default that fits is shown to the last digit; one that does not is replaced and said."""
    value = DEFAULTS[default]
    if value is not None and KINDS[kind]["type"] == "range":
        number = float(str(value))
        value = (min(number, 0.0), max(number, 0.0))
    spec = ParameterSpec.model_validate(KINDS[kind] | {"default": value, "optional": optional})
    field = field_of("p", spec)
    view = field_view(field)
    qtbot.addWidget(view.native)
    fits = not resolve_parameters({"p": spec}, {})[1]
    assert view.value() == field.start, "what is shown is what the form starts with"
    if fits:
        assert (view.value(), bool(field.note)) == (spec.default, kind == "unknown")
    elif value is not None and kind != "boolean":
        assert field.note, "a default that cannot be shown is told"
    needs_answer = value is None and not optional and field.kind == "text" and kind != "text"
    assert bool(resolve_parameters({"p": spec}, {"p": view.value()})[1]) == needs_answer
