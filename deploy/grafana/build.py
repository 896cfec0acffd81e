"""Makes the dashboards' JSON of `sources/*.yaml`, which say only what is particular to each panel.

`make dashboards` runs it; a test holds the files to their sources. Written for two readers: journey-health for those
who lead customer experience (how hard is it for customers, and is somebody on it?), pipeline-health for those who keep
Waymark running (is every touchpoint on its way?).
"""

import json
from pathlib import Path
from typing import Any

import yaml

from deploy.grafana.panels import Dashboard, Panel, Row, Target

HERE = Path(__file__).parent


def load(path: Path) -> Dashboard:
    """Read one source."""
    source = yaml.safe_load(path.read_text(encoding="utf-8"))
    rows = tuple(
        Row(title=row["title"], panels=tuple(_panel(panel) for panel in row["panels"])) for row in source.pop("rows")
    )
    annotations = tuple((note["name"], note["expr"]) for note in source.pop("annotations", ()))
    return Dashboard(uid=f"waymark-{path.stem}", rows=rows, annotations=annotations, **source)


def _panel(source: dict[str, Any]) -> Panel:
    thresholds = tuple((float(start), colour) for start, colour in source.pop("thresholds", {}).items())
    targets = tuple(Target(heatmap=source.get("kind") == "heatmap", **target) for target in source.pop("targets"))
    return Panel(targets=targets, thresholds=thresholds, **source)


def sources() -> dict[str, Dashboard]:
    """Return every dashboard by name."""
    return {path.stem: load(path) for path in sorted((HERE / "sources").glob("*.yaml"))}


def main() -> None:
    """Write the JSON files."""
    for name, dashboard in sources().items():
        text = json.dumps(dashboard.as_json(), indent=2, ensure_ascii=False) + "\n"
        (HERE / "dashboards" / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
