"""What Grafana shows and Prometheus looks at exists, and everything that is counted is shown."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from hmz_backend.watch.instruments import Described
from hmz_backend.watch.watch import Watch

ROOT: Final = Path(__file__).parents[3]
DEPLOY: Final = ROOT / "backend" / "deploy"
DESCRIBED: Final = {each.name: each for each in Watch().instruments.described}
SERIES: Final = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}
METRIC: Final = re.compile(r"\b((?:hmz|process)_[a-z_]+)(?:\{([^}]*)\})?")
SCRAPED: Final = {"instance", "job"}
"""Labels that Prometheus adds."""


def names(each: Described) -> set[str]:
    return {each.name + end for end in SERIES[each.kind]}


KNOWN: Final = {name: each for each in DESCRIBED.values() for name in names(each)}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/backend.json").read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def questions() -> Iterator[tuple[str, str, str]]:
    """Yield where a question stands, the question, and how its answers are called."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]
    for rule in alerts():
        yield rule["alert"], rule["expr"], rule["annotations"]["summary"].replace("$labels.", "")


def missing(text: str) -> set[str]:
    """Return names in a question, or labels it gives a metric, that there are not."""
    found = set()
    for name, selector in METRIC.findall(text):
        if name.startswith("process_"):
            continue
        if name not in KNOWN:
            found.add(name)
            continue
        labels = set(re.findall(r"(\w+)\s*[=!]~?\s*\"", selector))
        found |= labels - {*KNOWN[name].labels, *SCRAPED, "le"}
    return found


@pytest.mark.parametrize(("where", "question", "words"), list(questions()))
def test_what_is_asked_for_exists(where: str, question: str, words: str) -> None:
    assert not missing(question)
    labels = {
        label
        for name, _ in METRIC.findall(question)
        for label in getattr(KNOWN.get(name), "labels", ())
    }
    grouped = {
        label.strip() for by in re.findall(r"by \(([^)]*)\)", question) for label in by.split(",")
    }
    assert grouped <= {*labels, *SCRAPED, "le", ""}
    named = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", words))
    assert named <= {*labels, *SCRAPED}, "an answer is called by labels that it has"


def test_everything_that_is_counted_is_shown() -> None:
    asked = {
        name
        for panel in panels()
        for t in panel["targets"]
        for name, _ in METRIC.findall(t["expr"])
    }
    assert not [name for name, each in DESCRIBED.items() if not names(each) & asked]


def test_names_say_kind_and_unit() -> None:
    for name, each in DESCRIBED.items():
        assert name.endswith("_total") == (each.kind == "counter"), name
        assert (each.kind == "histogram") == name.endswith("_seconds"), name
        assert not {"person", "subject", "run", "volume", "user", "request"} & set(each.labels)


def test_panels_do_not_overlap_and_are_numbered_once() -> None:
    places: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places, panel["title"]
        assert max(x for x, _ in cells) < 24
        places |= cells
    numbers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(numbers) == len(set(numbers))


def test_provisioning_leads_to_the_dashboard_and_the_rules() -> None:
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/hmz.yml").read_text())
    assert [each["type"] for each in source["datasources"]] == ["prometheus"]
    shown = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/hmz.yml").read_text())
    assert shown["providers"][0]["type"] == "file"
    scrape = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    assert scrape["rule_files"] == ["alerts.yml"]
    assert scrape["scrape_configs"][0]["job_name"] == "hmz", "alerts and panels ask for this job"


def test_every_alert_says_what_to_do_and_has_a_test_of_its_own() -> None:
    tests = (DEPLOY / "prometheus/alerts_test.yml").read_text()
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["remedy"]
        assert f'alertname="{rule["alert"]}"' in tests
