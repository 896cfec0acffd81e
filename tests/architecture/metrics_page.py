"""`docs/metrics.md`: every metric that the services declare, and the panels and alerts that read it.

`python -m tests.architecture.metrics_page` writes it again; `make metrics-page` runs it.
"""

from collections import defaultdict
from pathlib import Path

from tests.architecture.declared_metrics import Series, declared
from tests.architecture.monitoring_files import Expression, dashboard_expressions, rule_expressions
from tests.architecture.promql import selectors
from tests.architecture.tree import ROOT

PAGE = ROOT / "docs" / "metrics.md"

_HEAD = """\
# Metrics

Every metric that the services declare, by the module that declares it, with the panels (*dashboard: panel*) and the
alerts that read it. `make metrics-page` writes this page from the declarations; how metrics are scraped is in
[operations.md](operations.md#monitoring).

Counters and histograms belong to one process: add them up over replicas. A gauge that shows the state of the database
is the same in every replica: take its maximum, never its sum. A time is either an age in seconds (`…_seconds`) or a
moment in Unix seconds (`…_timestamp_seconds`); a moment that does not exist is NaN.
"""
_COLUMNS = "| metric | kind | labels | what it says | read by |\n|---|---|---|---|---|"
_PARTS = ("_bucket", "_count", "_sum")


def page() -> str:
    """Return the text of the page."""
    readers = _readers()
    modules: dict[str, list[Series]] = defaultdict(list)
    for series in declared().values():
        if not series.name.endswith(_PARTS[1:]) or series.kind != "histogram":
            modules[series.module].append(series)
    return _HEAD + "".join(_section(module, modules[module], readers) for module in sorted(modules))


def _section(module: str, found: list[Series], readers: dict[str, set[str]]) -> str:
    lines = [f"\n## `{module.replace('.', '/')}.py`\n\n{_COLUMNS}\n"]
    for series in sorted(found, key=lambda one: one.name):
        name = series.name.removesuffix("_bucket")
        labels = ", ".join(sorted(series.labels - {"le"}))
        shown = sorted(readers[name] | readers[name + "_bucket"] | readers[name + "_count"] | readers[name + "_sum"])
        lines.append(f"| `{name}` | {series.kind} | {labels} | {series.help} | {'; '.join(shown)} |\n")
    return "".join(lines)


def _readers() -> dict[str, set[str]]:
    """Return, for each series, the panels and alerts that read it; what reads a recorded rule reads its metrics too."""
    readers: dict[str, set[str]] = defaultdict(set)
    expressions = [*dashboard_expressions(), *rule_expressions()]
    recorded = {one.record: one for one in expressions if one.record}
    for one in expressions:
        if not one.record:
            for name in _read_by(one, recorded):
                readers[name].add(one.place)
    return readers


def _read_by(expression: Expression, recorded: dict[str, Expression]) -> set[str]:
    found: set[str] = set()
    for selector in selectors(expression.text):
        inner = recorded.get(selector.name)
        found |= _read_by(inner, recorded) if inner else {selector.name}
    return found


def main(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
