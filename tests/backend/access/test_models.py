import pytest

from hmz_backend.access.models import ModelRules
from hmz_backend.identity.protocol import Principal
from hmz_backend.model_access import ModelAccess
from hmz_backend.testing.cards import CARDS
from napari_hmz.errors import DataRefused
from napari_hmz.schema import AccessSpec, ModelCard

GROUP = "urn:geant:helmholtz.de:group:Imaging#login.example.de"
OTHER = "urn:geant:helmholtz.de:group:Other#login.example.de"
NOBODY = Principal("anonymous", "visitor", roles=frozenset())
MEMBER = Principal("https://a.example", "ann", frozenset({GROUP}))
OUTSIDER = Principal("https://a.example", "bob", frozenset({OTHER}))
REVIEWER = Principal("https://a.example", "eve", roles=frozenset({"user", "reviewer"}))
ADMIN = Principal("https://a.example", "joe", roles=frozenset({"user", "admin"}))
EVERYBODY = (NOBODY, MEMBER, OUTSIDER, REVIEWER, ADMIN)


def card(**access: object) -> ModelCard:
    return CARDS[0].model_copy(update={"access": AccessSpec.model_validate(access)})


def admitted(rules: ModelRules, model: ModelCard) -> list[Principal]:
    return [caller for caller in EVERYBODY if rules.admits(caller, model)]


def test_the_package_says_who_may_see_a_model() -> None:
    rules = ModelRules()
    assert admitted(rules, card()) == [*EVERYBODY]
    assert admitted(rules, card(public=False, groups=(GROUP,))) == [MEMBER, REVIEWER, ADMIN]
    assert admitted(rules, card(public=False)) == [REVIEWER, ADMIN]


def test_the_admin_says_it_for_a_model_or_for_one_version() -> None:
    name, version = CARDS[0].id, CARDS[0].version
    for_others = ModelAccess(groups=(OTHER,))
    assert admitted(ModelRules({name: for_others}), card()) == [OUTSIDER, REVIEWER, ADMIN]
    opened = ModelRules({name: for_others, f"{name}/{version}": ModelAccess(public=True)})
    assert admitted(opened, card(public=False)) == [*EVERYBODY]
    elsewhere = ModelRules({"another": for_others, f"{name}/0": for_others})
    assert admitted(elsewhere, card()) == [*EVERYBODY]


def test_a_model_may_refuse_sensitive_images() -> None:
    rules = ModelRules()
    rules.check_data(card(), "sensitive")
    rules.check_data(card(data_classes=("open", "sensitive")), "sensitive")
    rules.check_data(card(data_classes=("open",)), "open")
    with pytest.raises(DataRefused, match="sensitive"):
        rules.check_data(card(data_classes=("open",)), "sensitive")
    said = ModelRules({CARDS[0].id: ModelAccess(public=True, data_classes=("open",))})
    with pytest.raises(DataRefused):
        said.check_data(card(), "sensitive")
