"""The five processes of Waymark as children of the local stack: their environment, their start, their health."""

import http.client
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from waymark.launchers.child_process import ChildProcess

READY_S = 90.0
RESTARTS = 3
RESTART_WINDOW_S = 60.0
PREFIXES = {
    "ingest": "WAYMARK_INGEST",
    "journey": "WAYMARK_JOURNEY",
    "journey-api": "WAYMARK_JOURNEY_API",
    "alerts": "WAYMARK_ALERTS",
    "console": "WAYMARK_CONSOLE",
}


class RestartDecision(StrEnum):
    """What to do about a service that ended by itself."""

    RESTART = "restart"
    GIVE_UP = "give_up"


def decide_restart(deaths: Sequence[float], now: float) -> RestartDecision:
    """Restart, unless this service has ended too often lately. `deaths` and `now` are seconds of one clock."""
    recent = [at for at in deaths if now - at < RESTART_WINDOW_S]
    return RestartDecision.GIVE_UP if len(recent) > RESTARTS else RestartDecision.RESTART


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProcess:
    """One process of Waymark and where it answers."""

    name: str
    port: int
    child: ChildProcess

    @property
    def url(self) -> str:
        """Base of its HTTP addresses."""
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        """Whether `/readyz` says yes."""
        return ask(self.port, "/readyz")[0] == 200

    def doubts(self) -> str:
        """What `/readyz` complains about, for a person."""
        return ask(self.port, "/readyz?verbose")[1].strip()


def make_service(name: str, *, ports: Mapping[str, int], environment: Mapping[str, str], logs: Path) -> ServiceProcess:
    """A service of the plan, not started yet, listening on loopback."""
    own = {f"{PREFIXES[name]}_HOST": "127.0.0.1", f"{PREFIXES[name]}_PORT": str(ports[name])}
    command = [sys.executable, "-m", "waymark.cli", "serve", name]
    child = ChildProcess(name, command, log=logs / f"{name}.log", env={**environment, **own})
    return ServiceProcess(name=name, port=ports[name], child=child)


def ask(port: int, path: str) -> tuple[int, str]:
    """GET from a loopback port: status and text, or status 0 and the kind of failure."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3.0)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, type(error).__name__
    finally:
        connection.close()
