"""The habits of good dashboards, each a test: the rules of Grafana's dashboard linter and a few of our own."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.build import sources
from deploy.grafana.panels import SEVERITY_COLOURS
from tests.architecture.monitoring_files import DASHBOARDS, dashboard, panels
from tests.architecture.promql import RANGE_FUNCTIONS, selectors

_PANELS = [panel for path in DASHBOARDS for panel in panels(path)]
_UNITS = {"none", "s", "percentunit", "reqps", "ops", "bytes", "short", "dateTimeFromNow"}
# Windows longer than a few scrapes, where the number itself is about that window; the title or description says so.
_LONG_WINDOWS = {"1h": "hour", "6h": "6 h", "24h": "24 h", "1d": "day", "7d": "7 d", "30d": "30 d"}


def _panels_where(is_wrong: Callable[[dict[str, Any]], bool]) -> list[str]:
    return [panel["title"] for panel in _PANELS if is_wrong(panel)]


def _queries_where(is_wrong: Callable[[str], bool]) -> list[str]:
    return [target["expr"] for panel in _PANELS for target in panel["targets"] if is_wrong(target["expr"])]


def test_both_dashboards_are_there() -> None:
    assert [path.stem for path in DASHBOARDS] == ["journey-health", "pipeline-health"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_what_its_source_builds(path: Path) -> None:
    assert dashboard(path) == json.loads(json.dumps(sources()[path.stem].as_json())), "run: make dashboards"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_versioned_not_edited(path: Path) -> None:
    board = dashboard(path)

    assert board["id"] is None
    assert board["uid"] == f"waymark-{path.stem}"
    assert board["editable"] is False
    assert board["schemaVersion"] >= 39
    assert board["refresh"] == "30s"
    assert not {"__inputs", "__requires", "iteration", "version"} & set(board)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_data_source_and_job_are_variables(path: Path) -> None:
    variables = {variable["name"]: variable for variable in dashboard(path)["templating"]["list"]}

    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["job"]["datasource"]["uid"] == "${datasource}"
    assert variables["job"]["multi"]
    assert variables["job"]["includeAll"]
    assert variables["job"]["allValue"] != ".*"
    assert variables["job"]["refresh"] == 2


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_titles_are_different_and_panels_do_not_overlap(path: Path) -> None:
    shown = panels(path)
    titles = [panel["title"] for panel in shown]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard(path)["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(set(titles)) == len(titles)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_every_panel_explains_itself() -> None:
    def silent(panel: dict[str, Any]) -> bool:
        defaults = panel["fieldConfig"]["defaults"]
        sentence = panel["description"]
        return len(sentence) < 30 or not sentence.endswith(".") or not defaults["noValue"] or not panel["targets"]

    assert _panels_where(silent) == []
    assert _panels_where(lambda panel: panel["type"] not in {"timeseries", "stat", "bargauge", "heatmap"}) == []
    assert _panels_where(lambda panel: panel["fieldConfig"]["defaults"]["unit"] not in _UNITS) == []


def test_every_panel_reads_the_chosen_data_source() -> None:
    def reads_another(panel: dict[str, Any]) -> bool:
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        return {source["uid"] for source in sources} != {"${datasource}"}

    assert _panels_where(reads_another) == []


def test_every_query_looks_at_the_chosen_processes() -> None:
    def looks_elsewhere(query: str) -> bool:
        # A recorded ratio is of the whole service and has no job left.
        return any("job" not in found.matched and not found.name.startswith("slo:") for found in selectors(query))

    assert _queries_where(looks_elsewhere) == []
    assert _queries_where(lambda query: 'job="' in query) == []


def test_a_rate_fits_the_scrape_interval_or_names_its_window() -> None:
    unexplained = [
        (panel["title"], window)
        for panel in _PANELS
        for target in panel["targets"]
        for window in re.findall(r"\[([^\]:]+)\]", target["expr"])
        if window != "$__rate_interval" and _LONG_WINDOWS[window] not in panel["title"] + panel["description"]
    ]

    assert unexplained == []


def test_no_query_flaps_averages_averages_or_sums_before_the_rate() -> None:
    assert _queries_where(lambda query: "topk" in query) == [], "the members of topk change with every step"
    assert _queries_where(lambda query: "avg" in query) == [], "a ratio of sums, not an average of ratios"
    assert _queries_where(lambda query: bool(re.search(rf"({'|'.join(RANGE_FUNCTIONS)})\(\s*sum", query))) == []


def test_a_gauge_that_every_replica_shows_is_never_summed_over_replicas() -> None:
    ours = "issues|deliveries|endpoints|unpublished_changes|ways|dead_endpoints|living_endpoints|unheard_issues"
    shared = rf"waymark_journey_(open|recent)_\w+|waymark_alerts_({ours})\{{"
    naked = rf"sum(?: by \([\w, ]+\))? ?\((?:{shared})"

    assert re.search(naked, "sum by (state) (waymark_alerts_issues{})")
    assert _queries_where(lambda query: bool(re.search(naked, query))) == []


def test_a_heatmap_is_made_of_buckets() -> None:
    def muddled(panel: dict[str, Any]) -> bool:
        wanted = "heatmap" if panel["type"] == "heatmap" else "time_series"
        return any(
            target["format"] != wanted or (wanted == "heatmap" and "sum by (le) (increase(" not in target["expr"])
            for target in panel["targets"]
        )

    assert _panels_where(muddled) == []


def test_a_ratio_has_a_scale() -> None:
    def unscaled(panel: dict[str, Any]) -> bool:
        defaults = panel["fieldConfig"]["defaults"]
        return defaults["unit"] == "percentunit" and panel["type"] == "timeseries" and "max" not in defaults

    assert _panels_where(unscaled) == []


def test_a_severity_has_one_colour_everywhere() -> None:
    def coloured_otherwise(panel: dict[str, Any]) -> bool:
        if not any("{{severity}}" in target["legendFormat"] for target in panel["targets"]):
            return False
        overrides = panel["fieldConfig"]["overrides"]
        colours = {one["matcher"]["options"]: one["properties"][0]["value"]["fixedColor"] for one in overrides}
        return colours != SEVERITY_COLOURS

    assert _panels_where(coloured_otherwise) == []
