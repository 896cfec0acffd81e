"""Checks of the five processes: alive, ready, and if not, what they say themselves."""

from collections.abc import Iterable

import httpx2

from waymark.console import say
from waymark.doctor.finding import DoctorFinding, broken, fine, look
from waymark.target import CommandTarget

TIMEOUT_S = 4.0


def examine_processes(target: CommandTarget) -> Iterable[DoctorFinding]:
    """Return a finding for each service."""
    with httpx2.Client(timeout=TIMEOUT_S) as client:
        for name, command, url in (
            ("ingest", "ingest", target.ingest),
            ("journey worker", "journey", target.journey),
            ("journey API", "journey-api", target.journey_api),
            ("alerts", "alerts", target.alerts),
            ("console", "console", target.console),
        ):
            yield _examine(client, name, command, url)


def _examine(client: httpx2.Client, name: str, command: str, url: str) -> DoctorFinding:
    try:
        alive = client.get(f"{url}/livez").status_code == httpx2.codes.OK
        answer = client.get(f"{url}/readyz", params={"verbose": ""})
    except httpx2.TransportError as error:
        fix = say(
            f"start it: `waymark serve {command}` (or everything: `waymark up`)",
            f"`waymark serve {command}`로 시작하세요 (전체는 `waymark up`)",
        )
        reason = type(error).__name__
        return broken(name, say(f"{url} does not answer: {reason}", f"{url}: 응답하지 않습니다 ({reason})"), fix)
    lines = answer.text.strip().splitlines()
    doubts = [line for line in lines if line.startswith(("[-]", "[~]"))]
    told = "; ".join(doubts)
    if not alive:
        fix = say("restart it; its log says what it met", "다시 시작하세요. 원인은 로그에 있습니다")
        return broken(name, say(f"{url} is not alive: {told}", f"{url}: 정상 동작하지 않습니다 ({told})"), fix)
    if answer.status_code != httpx2.codes.OK:
        fix = say("mend what it names; it gets ready by itself", "표시된 문제를 해결하면 자동으로 준비됩니다")
        return broken(name, say(f"{url} is not ready: {told}", f"{url}: 아직 준비되지 않았습니다 ({told})"), fix)
    if doubts:
        detail = say(f"{url} is ready, with doubts: {told}", f"{url}: 준비됨, 확인할 점 있음 ({told})")
        return look(name, detail, say("see its log", "로그를 확인하세요"))
    return fine(name, say(f"{url} is ready", f"{url}: 준비됨"))
