"""The parts of a Grafana dashboard, as far as ours need them: rows, panels, targets, and the JSON they become.

What every panel has in common is decided here, once: the data source variable, a unit, a description, what an empty
panel says, one colour per severity. The panels themselves are declared in `sources/*.yaml`, and `build` reads them.
"""

from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 41
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24

# Told apart by colour-blind people too: a blue-to-orange-to-dark ramp, never red against green.
SEVERITY_COLOURS = {"low": "#8AB8FF", "medium": "#FADE2A", "high": "#FF9830", "critical": "#C4162A"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One query; `legend` names its series by their labels."""

    expr: str
    legend: str = ""
    heatmap: bool = False
    instant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. `thresholds` are (from, colour) pairs; `empty` is what it says when there is no data."""

    title: str
    description: str
    unit: str
    targets: tuple[Target, ...]
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    stacked: bool = False
    thresholds: tuple[tuple[float, str], ...] = ()
    minimum: float | None = 0
    maximum: float | None = None
    empty: str = "no data"
    by_severity: bool = False
    link: str = ""

    def as_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return the panel as Grafana reads it, at its place in the grid."""
        panel: dict[str, Any] = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": self._defaults(), "overrides": self._overrides()},
            "options": _OPTIONS[self.kind](),
            "targets": [self._target(target, chr(65 + index)) for index, target in enumerate(self.targets)],
        }
        if self.link:
            panel["links"] = [{"title": "What to do", "url": self.link, "targetBlank": True}]
        return panel

    def _target(self, target: Target, ref: str) -> dict[str, Any]:
        return {
            "refId": ref,
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": target.expr,
            "legendFormat": target.legend or "__auto",
            "format": "heatmap" if target.heatmap else "time_series",
            "instant": target.instant,
            "range": not target.instant,
        }

    def _defaults(self) -> dict[str, Any]:
        steps: list[dict[str, object]] = [{"color": "#73BFB8", "value": None}]
        steps += [{"color": colour, "value": start} for start, colour in self.thresholds]
        defaults: dict[str, Any] = {
            "unit": self.unit,
            "noValue": self.empty,
            "color": {"mode": "thresholds" if self.kind in {"stat", "bargauge"} else "palette-classic-by-name"},
            "thresholds": {"mode": "absolute", "steps": steps},
        }
        if self.minimum is not None:
            defaults["min"] = self.minimum
        if self.maximum is not None:
            defaults["max"] = self.maximum
        if self.kind == "timeseries":
            defaults["custom"] = _lines(stacked=self.stacked, with_thresholds=bool(self.thresholds))
        return defaults

    def _overrides(self) -> list[dict[str, Any]]:
        if not self.by_severity:
            return []
        return [
            {
                "matcher": {"id": "byName", "options": severity},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
            }
            for severity, colour in SEVERITY_COLOURS.items()
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A titled band of panels, laid out from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A whole dashboard; `jobs` is the regular expression of the processes that it looks at."""

    uid: str
    title: str
    description: str
    jobs: str
    since: str
    rows: tuple[Row, ...]
    annotations: tuple[tuple[str, str], ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return the dashboard as Grafana reads it."""
        return {
            "id": None,
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["waymark"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": self.since, "to": "now"},
            "timezone": "browser",
            "links": [
                {
                    "type": "dashboards",
                    "title": "Waymark",
                    "icon": "external link",
                    "tooltip": "",
                    "tags": ["waymark"],
                    "asDropdown": False,
                    "includeVars": False,
                    "keepTime": True,
                    "targetBlank": False,
                }
            ],
            "annotations": {"list": [_annotation(name, expr) for name, expr in self.annotations]},
            "templating": {"list": [_datasource_variable(), _job_variable(self.jobs)]},
            "panels": self._panels(),
        }

    def _panels(self) -> list[dict[str, Any]]:
        panels: list[dict[str, Any]] = []
        y = 0
        for row in self.rows:
            panels.append(
                {
                    "id": len(panels) + 1,
                    "type": "row",
                    "title": row.title,
                    "collapsed": False,
                    "panels": [],
                    "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
                }
            )
            y += 1
            x = 0
            for panel in row.panels:
                if x + panel.width > WIDTH:
                    x, y = 0, y + panel.height
                panels.append(panel.as_json(len(panels) + 1, x, y))
                x += panel.width
            y += max(panel.height for panel in row.panels)
        return panels


def _lines(*, stacked: bool, with_thresholds: bool) -> dict[str, Any]:
    return {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 8,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "line" if with_thresholds else "off"},
    }


def _timeseries() -> dict[str, Any]:
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _reduced() -> dict[str, Any]:
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}


def _stat() -> dict[str, Any]:
    return {
        "reduceOptions": _reduced(),
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "auto",
        "justifyMode": "auto",
        "orientation": "auto",
    }


def _bargauge() -> dict[str, Any]:
    return {"reduceOptions": _reduced(), "displayMode": "basic", "orientation": "horizontal", "showUnfilled": True}


def _heatmap() -> dict[str, Any]:
    return {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange"},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
        "yAxis": {"axisPlacement": "left", "reverse": False},
    }


_OPTIONS = {"timeseries": _timeseries, "stat": _stat, "bargauge": _bargauge, "heatmap": _heatmap}


def _annotation(name: str, expr: str) -> dict[str, Any]:
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "#5794F2",
        "target": {"refId": "Anno", "expr": expr, "interval": "1m"},
        "titleFormat": name,
    }


def _datasource_variable() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "waymark-prometheus"},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "regex": "",
    }


def _job_variable(jobs: str) -> dict[str, Any]:
    return {
        "name": "job",
        "label": "Process",
        "type": "query",
        "datasource": DATASOURCE,
        "query": "label_values(up, job)",
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
        "includeAll": True,
        "allValue": jobs,
        "multi": True,
        "refresh": 2,
        "regex": f"/^({jobs})$/",
        "sort": 1,
    }
