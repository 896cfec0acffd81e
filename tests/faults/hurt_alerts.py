"""An alert service that can be hurt from the inside: `python -m tests.faults.hurt_alerts --kill-at webhook_answered:3`.

Everything else is the service's own, settings included. Failpoints are an object that only a caller in Python can hand
over: neither the environment nor `waymark serve alerts` reaches them, so production cannot.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.alerts import app
from services.alerts.failpoints import AlertsFailpoint
from services.alerts.settings import AlertsProcessSettings
from tests.faults.fleet import Process


def hurt(process: Process, *blows: str) -> None:
    """Let the next life be one that hurts itself, `kill:webhook_answered:3`; `heal` takes that back for later lives."""
    arguments = [f"--{what}-at={place}" for what, _, place in (blow.partition(":") for blow in blows)]
    process.child.args = [sys.executable, "-m", __name__, *arguments]


def heal(process: Process) -> None:
    """Let the next life be what an operator starts."""
    process.child.args = [str(Path(sys.executable).with_name("waymark")), "serve", "alerts"]


@dataclass(slots=True, kw_only=True)
class Blows:
    """Strikes the process itself, when a place is reached for the n-th time."""

    planned: Mapping[AlertsFailpoint, tuple[int, signal.Signals]]
    reached_so_far: dict[AlertsFailpoint, int] = field(default_factory=dict)

    async def reached(self, point: AlertsFailpoint) -> None:
        """Count, and strike."""
        count = self.reached_so_far[point] = self.reached_so_far.get(point, 0) + 1
        at, number = self.planned.get(point, (0, signal.SIGKILL))
        if count == at:
            os.kill(os.getpid(), number)


def main() -> None:
    """Run the service until it is told to stop, or until what it was told to suffer."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.hurt_alerts")
    parser.add_argument("--kill-at", action="append", default=[])
    parser.add_argument("--freeze-at", action="append", default=[])
    options = parser.parse_args()
    planned = _planned(options.kill_at, signal.SIGKILL) | _planned(options.freeze_at, signal.SIGSTOP)
    asyncio.run(app.run(AlertsProcessSettings.load(os.environ), failpoints=Blows(planned=planned)))


def _planned(places: list[str], number: signal.Signals) -> dict[AlertsFailpoint, tuple[int, signal.Signals]]:
    named = (place.partition(":") for place in places)
    return {AlertsFailpoint(point): (int(count or 1), number) for point, _, count in named}


if __name__ == "__main__":
    main()
