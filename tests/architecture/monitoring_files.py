"""The dashboards and rules of deploy/ as values: every expression with the place that it stands in."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.tree import ROOT

DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yaml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One PromQL expression; `record` is the name that it gives its result, if it is a recording rule."""

    text: str
    place: str
    record: str = ""


def dashboard(path: Path) -> dict[str, Any]:
    """Return a dashboard's JSON."""
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def panels(path: Path) -> list[dict[str, Any]]:
    """Return the panels of a dashboard that show something; not the rows."""
    return [panel for panel in dashboard(path)["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    """Return every recording and alerting rule."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def dashboard_expressions() -> list[Expression]:
    """Return every query of every panel and annotation."""
    found = []
    for path in DASHBOARDS:
        for panel in panels(path):
            place = f"{path.stem}: {panel['title']}"
            found += [Expression(text=target["expr"], place=place) for target in panel["targets"]]
        for note in dashboard(path)["annotations"]["list"]:
            found.append(Expression(text=note["target"]["expr"], place=f"{path.stem}: annotation {note['name']}"))
    return found


def rule_expressions() -> list[Expression]:
    """Return every rule's expression."""
    return [
        Expression(text=rule["expr"], place=rule.get("alert") or rule["record"], record=rule.get("record", ""))
        for rule in rules()
    ]
