"""No way leads from outside into a failpoint: they are handed over in Python, and only tests hand over any."""

import ast
import inspect
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

import pytest

from services.alerts import app as alerts
from services.alerts.failpoints import AlertsFailpoint as AlertsPoint
from services.alerts.settings import AlertsSettings
from services.journey import worker
from services.journey.failpoints import WorkerFailpoint as WorkerPoint
from services.journey.settings import WorkerSettings
from services.runtime.failpoints import NO_FAILPOINTS, NoFailpoints
from services.runtime.settings import CommonSettings, Settings

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("services", "waymark")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for folder in SHIPPED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text())


@pytest.mark.parametrize("run", [worker.run, alerts.run], ids=["worker", "alerts"])
def test_a_service_has_none_unless_it_is_handed_some(run: Callable[..., object]) -> None:
    assert inspect.signature(run).parameters["failpoints"].default is NO_FAILPOINTS


@pytest.mark.parametrize("places", [WorkerPoint, AlertsPoint], ids=["worker", "alerts"])
async def test_what_it_has_by_default_does_nothing(places: type[StrEnum]) -> None:
    assert type(NO_FAILPOINTS) is NoFailpoints
    for point in places:
        await NO_FAILPOINTS.reached(point)  # returns, and that is all: the class has nothing else
    assert [name for name in vars(NoFailpoints) if not name.startswith("__")] == ["reached"]


def test_nothing_that_is_shipped_hands_any_over() -> None:
    """Services pass on what they got, by that name; the command that starts them knows nothing of any."""
    handed = {
        (path.relative_to(ROOT).parts[0], ast.unparse(keyword.value).rpartition(".")[2].lstrip("_"))
        for path, tree in trees()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "failpoints"
    }
    assert handed == {("services", "failpoints")}
    started_by = (ROOT / "waymark" / "processes" / "serve_command.py").read_text()
    assert "from services.journey.worker import run" in started_by
    assert "from services.alerts.app import run" in started_by
    assert "failpoint" not in started_by.lower()


def test_nothing_else_that_is_shipped_can_be_taken_for_failpoints() -> None:
    """Whatever has a method `reached` would do."""
    able = [
        (path.relative_to(ROOT).as_posix(), node.name)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(m, ast.AsyncFunctionDef | ast.FunctionDef) and m.name == "reached" for m in node.body)
    ]
    assert able == [("services/runtime/failpoints.py", name) for name in ("Failpoints", "NoFailpoints")]


@pytest.mark.parametrize("settings", [CommonSettings, WorkerSettings, AlertsSettings])
def test_no_setting_names_any(settings: type[Settings]) -> None:
    assert [name for name in settings.model_fields if "fail" in name or "fault" in name] == []
