"""deploy/monitoring: alerts and dashboard ask for what the endpoint really tells, and find each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
import yaml

from tests.conftest import MakeSettings
from tests.deploy.compose import ROOT, services
from tests.docs.pages import code, rows, text
from tests.scheduler.scraping import lived_through_everything

FOLDER = ROOT / "deploy" / "monitoring"
ALERTS_TEST = ROOT / "tests" / "deploy" / "alerts" / "alerts_test.yml"
SERVICES = services(LINE_FOLDER="/srv/digitline")
PROMETHEUS = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
GROUPS = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
RULES = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "digitline.json").read_text())
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"] if panel["type"] != "row"}
QUERIES = {
    **{name: rule["expr"] for name, rule in RULES.items()},
    **{f"{title}, {target['refId']}": target["expr"] for title, panel in PANELS.items() for target in panel["targets"]},
}

#: What PromQL says of time: `5m`, `7d`.
_DURATION = re.compile(r"(\d+[smhd])+")
#: A metric and its matchers, if it has any.
_SELECTOR = re.compile(r"(?P<metric>(?:digitline|process)_\w+)(?:\{(?P<matchers>[^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=|!=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


@pytest.fixture
def told(settings: MakeSettings, sqlite_url: str, redis_url: str) -> dict[str, list[dict[str, str]]]:
    """The labels of every sample that a line tells in which everything has happened, by the sample's name."""
    samples: dict[str, list[dict[str, str]]] = {}
    with lived_through_everything(settings(database_url=sqlite_url, broker_url=redis_url)) as scrape:
        for family in scrape.families.values():
            for sample in family.samples:
                samples.setdefault(sample.name, []).append(sample.labels)
    return samples


def _selectors(query: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    for found in _SELECTOR.finditer(query):
        yield found["metric"], _MATCHER.findall(found["matchers"] or "")


def _durations(text_: str) -> bool:
    return _DURATION.fullmatch(text_) is not None


def test_every_metric_that_is_asked_for_is_told(told: dict[str, list[dict[str, str]]]) -> None:
    asked = {metric for query in QUERIES.values() for metric, _ in _selectors(query)}
    assert asked - told.keys() == set()


def test_every_label_that_is_asked_for_is_told_with_that_value(told: dict[str, list[dict[str, str]]]) -> None:
    of_prometheus = {"job", "instance"}
    amiss = [
        (where, metric, label, value)
        for where, query in QUERIES.items()
        for metric, matchers in _selectors(query)
        for label, _, value in matchers
        if label not in of_prometheus and not any(labels.get(label) == value for labels in told[metric])
    ]
    assert amiss == []


def test_every_label_that_is_grouped_by_is_of_a_metric_in_the_query(told: dict[str, list[dict[str, str]]]) -> None:
    for where, query in QUERIES.items():
        grouped = {label.strip() for group in _GROUPING.findall(query) for label in group.split(",")} - {""}
        there = {label for metric, _ in _selectors(query) for labels in told[metric] for label in labels}
        assert grouped <= there, where


def test_a_query_for_a_metric_that_is_not_told_would_be_seen(told: dict[str, list[dict[str, str]]]) -> None:
    ((metric, matchers),) = _selectors('rate(digitline_pictures_total{outcome!="scored"}[5m])')
    assert metric not in told
    assert matchers == [("outcome", "!=", "scored")]


def test_rates_are_taken_of_counters_and_of_nothing_else(told: dict[str, list[dict[str, str]]]) -> None:
    for where, query in QUERIES.items():
        taken = re.findall(r"(?:rate|increase)\((\w+)", query)
        assert all(metric.endswith(("_total", "_sum", "_count", "_bucket")) for metric in taken), where
        assert set(taken) <= told.keys()


def test_alerts_have_the_form_that_prometheus_reads() -> None:
    assert len(RULES) == sum(len(group["rules"]) for group in GROUPS)
    assert len({group["name"] for group in GROUPS}) == len(GROUPS)
    for name, rule in RULES.items():
        assert name.startswith("Digitline")
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert isinstance(rule["expr"], str)
        assert rule["expr"].count("(") == rule["expr"].count(")"), name
        assert _durations(rule.get("for", "0s")), name
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]


def test_promtool_reads_rules_and_configuration_and_finds_that_alerts_fire_when_they_should() -> None:
    """Where it is installed; everywhere, the configuration names files that are there."""
    named = [FOLDER / file for file in PROMETHEUS["rule_files"]]
    assert all(file.is_file() for file in named)
    promtool = shutil.which("promtool")
    if promtool is not None:
        subprocess.run([promtool, "check", "rules", *named], check=True, capture_output=True)
        subprocess.run([promtool, "check", "config", FOLDER / "prometheus.yml"], check=True, capture_output=True)
        subprocess.run([promtool, "test", "rules", ALERTS_TEST], check=True, capture_output=True)


def test_every_alert_is_tested_to_fire_and_where_it_waits_to_hold_still_until_then() -> None:
    tested = yaml.safe_load(ALERTS_TEST.read_text())
    assert [(ALERTS_TEST.parent / file).resolve() for file in tested["rule_files"]] == [FOLDER / "alerts.yml"]
    cases = [case for group in tested["tests"] for case in group["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(RULES)
    quiet = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert {name for name, rule in RULES.items() if "for" in rule} <= quiet


def test_the_page_says_what_to_do_about_every_alert() -> None:
    listed = [code(cells[0])[0] for cells in rows(text("metrics.md")) if cells[0].startswith("`Digitline")]
    assert listed == list(RULES)


def test_prometheus_asks_the_scheduler_on_the_port_that_it_is_given() -> None:
    (job,) = PROMETHEUS["scrape_configs"]
    (targets,) = (config["targets"] for config in job["static_configs"])
    environment = SERVICES["scheduler"]["environment"]
    assert targets == [f"scheduler:{environment['DIGITLINE_METRICS_PORT']}"]
    assert environment["DIGITLINE_METRICS_ADDRESS"] == "0.0.0.0"
    assert "ports" not in SERVICES["scheduler"]
    assert job["job_name"] in RULES["DigitlineSchedulerDown"]["expr"]
    assert _durations(PROMETHEUS["global"]["scrape_interval"])


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_what_is_mounted_is_there(name: str) -> None:
    mounted = [volume.split(":")[0] for volume in SERVICES[name]["volumes"] if volume.startswith("./")]
    assert mounted
    assert all((ROOT / path).exists() for path in mounted)


def test_grafana_finds_the_dashboard_and_the_dashboard_its_data() -> None:
    provisioning = FOLDER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "digitline.yml").read_text())["providers"]
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert mounted["./deploy/monitoring/grafana/dashboards"] == provider["options"]["path"]
    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in PANELS.values()} == {source["uid"]}


def test_nobody_can_change_anything_in_grafana_and_no_password_is_needed_to_look() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert DASHBOARD["editable"] is False


def test_the_panels_have_titles_of_their_own_and_do_not_overlap() -> None:
    shown = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert len(PANELS) == len(shown)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places = [place for panel in DASHBOARD["panels"] for place in _places(panel["gridPos"])]
    assert len(places) == len(set(places))
    assert all(column < 24 for column, _ in places)


def _places(position: dict[str, int]) -> list[tuple[int, int]]:
    columns = range(position["x"], position["x"] + position["w"])
    return [(column, row) for column in columns for row in range(position["y"], position["y"] + position["h"])]
