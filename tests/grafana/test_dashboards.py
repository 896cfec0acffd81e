"""The dashboards are what Grafana's own types say a dashboard is, down to the options of each kind of panel.

Grafana's makers ship the types with `@grafana/schema`; TypeScript's compiler holds our JSON to them as a literal, so
that an unknown member is a mistake as well as a wrong value. `make test-panels` installs both (npm).
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
DASHBOARDS = HERE.parents[1] / "deploy" / "grafana" / "dashboards"
NAMES = ("journey-health", "pipeline-health")

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(120)]


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[dict[str, Any]], list[str]]:
    """What the compiler says against a dashboard, line by line."""
    for name in ("schema.d.ts", "tsconfig.json"):
        shutil.copy(HERE / name, tmp_path / name)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")

    def judge(dashboard: dict[str, Any]) -> list[str]:
        literal = json.dumps(dashboard, indent=1)
        (tmp_path / "dashboard.ts").write_text(
            f'import type {{ Dashboard }} from "./schema";\nexport default {literal} satisfies Dashboard;\n'
        )
        compiler = tmp_path / "node_modules" / "typescript" / "bin" / "tsc"
        command = ("node", compiler, "--project", tmp_path)
        told = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
        assert (told.returncode == 0) == (told.stdout == ""), told
        return told.stdout.splitlines()

    return judge


def dashboard(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((DASHBOARDS / f"{name}.json").read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_what_grafana_says_it_is(name: str, judged: Callable[[dict[str, Any]], list[str]]) -> None:
    assert judged(dashboard(name)) == []


def _wrong_option(panel: dict[str, Any]) -> None:
    panel["options"]["graphMode"] = "volcano"


def _unknown_member(panel: dict[str, Any]) -> None:
    panel["fieldConfig"]["defaults"]["noValeu"] = "none"


def _unknown_kind(panel: dict[str, Any]) -> None:
    panel["type"] = "pie"


@pytest.mark.parametrize("spoil", [_wrong_option, _unknown_member, _unknown_kind])
def test_a_mistake_is_noticed(
    spoil: Callable[[dict[str, Any]], None], judged: Callable[[dict[str, Any]], list[str]]
) -> None:
    spoilt = dashboard("journey-health")
    spoil(next(panel for panel in spoilt["panels"] if panel["type"] == "stat"))

    assert judged(spoilt) != []
