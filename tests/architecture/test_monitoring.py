"""Rules and dashboards ask only for what the services tell, and every alert tells a person what to do.

promtool checks and tests the rules themselves (.ci/run). What nothing here does is render the dashboards in Grafana: no
package registry ships it.
"""

import re
from collections.abc import Iterator

import pytest

from tests.architecture.declared_metrics import Series, declared
from tests.architecture.metrics_page import PAGE, page
from tests.architecture.monitoring_files import Expression, dashboard_expressions, rule_expressions, rules
from tests.architecture.promql import RANGE_FUNCTIONS, is_grouped_by_le, selectors
from tests.architecture.tree import ROOT

# What Prometheus itself adds or tells, and prometheus_client's collectors of the process.
_TARGET_LABELS = frozenset({"job", "instance"})
_FOREIGN = re.compile(r"^(up|ALERTS|process_\w+|python_\w+|prometheus_\w+)$")
_EXPRESSIONS = dashboard_expressions() + rule_expressions()
_RECORDED = {rule["record"]: rule for rule in rules() if "record" in rule}
_ALERTS = [rule for rule in rules() if "alert" in rule]
_COUNTED = {"counter", "histogram", "summary"}


@pytest.fixture(scope="module")
def known() -> dict[str, Series]:
    return declared()


def unknown(expression: Expression, known: dict[str, Series]) -> Iterator[str]:
    """Yield the metrics and labels of an expression that no service declares."""
    for selector in selectors(expression.text):
        if selector.name in _RECORDED or _FOREIGN.match(selector.name):
            continue
        if selector.name not in known:
            yield f"{expression.place}: no service declares {selector.name}"
        elif extra := (selector.matched | selector.grouped) - _TARGET_LABELS - known[selector.name].labels:
            yield f"{expression.place}: {selector.name} has no label {sorted(extra)}"


def misread(expression: Expression, known: dict[str, Series]) -> Iterator[str]:
    """Yield the counters that are read without a rate, and the gauges that are read with one."""
    for selector in selectors(expression.text):
        series = known.get(selector.name)
        if f"unless {selector.name} offset" in expression.text:  # the birth of a counter: see rules/symptoms.yaml
            continue
        if series and (selector.function in RANGE_FUNCTIONS - {"changes"}) != (series.kind in _COUNTED):
            yield f"{expression.place}: {selector.name} is a {series.kind}"


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make metrics-page"


def test_every_expression_asks_only_for_declared_metrics_and_labels(known: dict[str, Series]) -> None:
    assert [finding for expression in _EXPRESSIONS for finding in unknown(expression, known)] == []


def test_counters_are_read_as_rates_and_gauges_as_they_are(known: dict[str, Series]) -> None:
    assert [finding for expression in _EXPRESSIONS for finding in misread(expression, known)] == []


def test_every_quantile_keeps_the_label_that_it_is_made_of() -> None:
    assert [expression.place for expression in _EXPRESSIONS if not is_grouped_by_le(expression.text)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(rate(waymark_no_such_total[5m]))",
        "sum by (customer) (rate(waymark_http_requests_total[5m]))",
        'rate(waymark_http_requests_total{url="/"}[5m])',
        "sum(waymark_http_requests_total)",
        "rate(waymark_ingest_in_flight_bytes[5m])",
    ],
)
def test_the_guard_of_expressions_bites(wrong: str, known: dict[str, Series]) -> None:
    expression = Expression(text=wrong, place="here")

    assert [*unknown(expression, known), *misread(expression, known)] != []


def test_every_metric_is_named_and_explained(known: dict[str, Series]) -> None:
    for series in known.values():
        assert re.fullmatch(r"waymark_[a-z0-9_]+", series.name), series
        assert series.help.endswith("."), series
        assert not re.search(r"_(ms|millis|kb|mb|count_total)$", series.name), f"{series.name}: base units"
        assert not series.labels & {"id", "customer", "customer_id", "issue_id", "endpoint_id", "url", "path"}, series


def test_every_metric_is_looked_at_or_explained(known: dict[str, Series]) -> None:
    """A metric that no dashboard, rule or document mentions is one that nobody will find when it matters."""
    seen = {_family(selector.name) for expression in _EXPRESSIONS for selector in selectors(expression.text)}
    seen |= set(re.findall(r"`(waymark_\w+)`", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")))

    assert sorted({_family(name) for name in known} - seen) == []


def _family(series: str) -> str:
    return re.sub(r"_(total|bucket|count|sum)$", "", series)


@pytest.mark.parametrize("alert", _ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_says_what_it_means_and_where_to_read_what_to_do(alert: dict[str, dict[str, str]]) -> None:
    name = str(alert["alert"])
    notes = alert["annotations"]
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert alert["labels"]["severity"] in {"page", "ticket", "none"}
    assert notes["summary"].endswith(".")
    assert "$value" not in notes["summary"], "a summary that changes makes a new alert each time"
    assert notes["runbook"] == f"docs/operations.md#{name.lower()}"
    assert f"### {name}\n" in operations


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^### (Waymark\w+)$", operations, re.MULTILINE)) == {
        str(alert["alert"]) for alert in _ALERTS
    }
