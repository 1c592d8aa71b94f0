"""What is wrong with settings is said with its place and the nearest known name."""

from pathlib import Path

import pytest

from hmz_backend.setting_faults import asking, place_text, without
from hmz_backend.settings import judged_settings, load_settings
from napari_hmz.errors import SettingsInvalid

GROUP = "urn:geant:helmholtz.de:group:A#login.helmholtz.de"


def faults(tmp_path: Path, text: str) -> list[str]:
    config = tmp_path / "backend.toml"
    config.write_text(text)
    return [str(fault) for fault in judged_settings(config)[1]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prot = 1", "prot: there is no such setting; did you mean port?"),
        ("xyzzy = 1", "xyzzy: there is no such setting."),
        (
            '[[issuers]]\nurl = "https://a.de"\naudience = ["b"]\naudiences = ["b"]',
            "issuers[0].audience: there is no such setting; did you mean audiences?",
        ),
        (
            '[[issuers]]\nurl = "https://a.de"\nclients = ["b"]\n[issuers.roles.admin]\ngroup = []',
            "issuers[0].roles.admin.group: there is no such setting; did you mean groups?",
        ),
        (
            '[model_access."a/1.0"]\npublik = true',
            "model_access.a/1.0.publik: there is no such setting; did you mean public?",
        ),
        (
            '[jupyterhub]\nurl = "https://a.de"\nscope = "x"\nskope = "y"',
            "jupyterhub.skope: there is no such setting; did you mean scope?",
        ),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_and_the_rest_is_used(
    tmp_path: Path, text: str, told: str
) -> None:
    assert faults(tmp_path, f"workers = 3\n{text}") == [told]
    config = tmp_path / "backend.toml"
    settings, _ = judged_settings(config)
    assert settings is not None
    assert settings.workers == 3
    with pytest.raises(SettingsInvalid, match="no such setting"):
        load_settings(config)


def test_what_has_a_wrong_form_is_told_by_an_example_of_the_right_one(tmp_path: Path) -> None:
    assert faults(tmp_path, 'traces_url = "otel"\nmetrics_address = "9464"') == [
        "traces_url: it must look like http://127.0.0.1:4318.",
        "metrics_address: it must look like 127.0.0.1:9464.",
    ]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = f'port = 70000\nworkers = "many"\nprot = 1\n[share_weights]\n"{GROUP}" = 0'
    told = faults(tmp_path, text)
    assert len(told) == 4
    assert [each.partition(":")[0] for each in told[:2]] == ["port", "workers"]
    assert judged_settings(tmp_path / "backend.toml")[0] is None


def test_no_value_is_shown(tmp_path: Path) -> None:
    text = 'token = ["geheimnis"]\nport = "geheimnis"\ngeheim = "geheimnis"'
    assert "geheimnis" not in " ".join(faults(tmp_path, text))


def test_a_variable_that_is_no_json_is_told_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HMZ_BACKEND_ISSUERS", "geheimnis")
    with pytest.raises(SettingsInvalid, match="issuers") as told:
        load_settings()
    assert "geheimnis" not in told.value.detail


def test_groups_with_a_weight_are_compared_as_all_others(tmp_path: Path) -> None:
    older = GROUP.replace("helmholtz.de:", "h-df.de:")
    config = tmp_path / "backend.toml"
    config.write_text(f'[share_weights]\n"{older}" = 2.0')
    assert load_settings(config).share_weights == {GROUP: 2.0}


def test_places_are_written_as_people_do() -> None:
    assert place_text(("issuers", 0, "url")) == "issuers[0].url"
    assert place_text(()) == "settings"
    assert asking("no x", "ab", ["zz"]) == "no x."


def test_what_stands_at_a_place_is_left_out_and_nothing_else() -> None:
    given = {"a": [{"b": 1, "c": 2}, {"b": 3}], "d": {"e": 4}}
    assert without(given, ("a", 0, "b")) == {"a": [{"c": 2}, {"b": 3}], "d": {"e": 4}}
    assert without(given, ("d",)) == {"a": given["a"]}
