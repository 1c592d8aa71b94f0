"""The form as widgets: labels, faults at the field, what is hidden, the advanced part, reset."""

from collections.abc import Callable
from unittest.mock import Mock

import pytest
from pytestqt.qtbot import QtBot

from hmz_widgets.form import FormView
from napari_hmz.form import form_of
from napari_hmz.schema import ModelCard

MakeCard = Callable[..., ModelCard]
PARAMETERS = {
    "method": {
        "type": "string",
        "default": "otsu",
        "choices": [{"value": "otsu", "label": "Otsu"}, {"value": "fixed", "label": "Fixed"}],
    },
    "level": {
        "type": "number",
        "title": "Level & more",
        "unit": "µm",
        "default": 1.5,
        "visible_when": {"method": "fixed"},
    },
    "size": {"type": "hologram", "default": 3, "maximum": 9, "description": "<b>bold</b>"},
    "seed": {"type": "integer", "default": 0, "advanced": True},
}


@pytest.fixture
def view(qtbot: QtBot, make_card: MakeCard) -> FormView:
    view = FormView(form_of(make_card(parameters=PARAMETERS)))
    qtbot.addWidget(view.native)
    view.native.show()
    return view


def test_values_start_as_the_card_proposes(view: FormView) -> None:
    assert view.values() == {"method": "otsu", "level": 1.5, "size": 3, "seed": 0}
    assert not view.faults()
    assert view._rows["level"].label.text() == "Level & more (µm)"


def test_a_field_appears_when_it_matters(view: FormView) -> None:
    level = view._rows["level"].native
    assert not level.isVisible()
    view._rows["method"].view.native.setCurrentIndex(1)
    assert level.isVisible()


def test_a_fault_stands_at_its_field(view: FormView) -> None:
    heard = Mock()
    view.changed.connect(heard)
    view._rows["size"].view.native.setText("11")
    assert heard.called
    assert set(view.faults()) == {"size"}
    fault = view._rows["size"].fault
    assert fault.isVisible()
    assert "maximum" in fault.text()
    view._rows["size"].view.native.setText("7")
    assert fault.text() == "This version does not know fields of type 'hologram': type the value."


def test_reset_brings_back_what_the_card_proposes(view: FormView) -> None:
    view.show({"method": "fixed", "level": 9.0, "size": 1, "seed": 4, "unknown": 1})
    assert view.values()["level"] == 9.0
    view.reset()
    assert view.values() == view.form.start()


def test_one_field_is_reset_by_its_own_button(view: FormView) -> None:
    heard = Mock()
    view.changed.connect(heard)
    row = view._rows["method"]
    assert not row.back.isVisible()
    view.show({"method": "fixed", "level": 9.0})
    assert row.back.isVisible()
    row.back.click()
    assert (view.values()["method"], view.values()["level"]) == ("otsu", 9.0)
    assert not row.back.isVisible()
    assert heard.called


def test_the_advanced_part_opens(view: FormView) -> None:
    seed = view._rows["seed"].native
    assert not seed.isVisible()
    view._sections[0]._button.click()
    assert seed.isVisible()


def test_a_model_without_parameters_has_an_empty_form(qtbot: QtBot, make_card: MakeCard) -> None:
    view = FormView(form_of(make_card(parameters={})))
    qtbot.addWidget(view.native)
    assert view.values() == {}
