"""Checks of the four services: alive, ready, and if not, what they say themselves."""

from collections.abc import Iterable

import httpx2

from waymark.doctor.finding import Finding, broken, fine, look
from waymark.target import Target

TIMEOUT_S = 4.0


def examine_processes(target: Target) -> Iterable[Finding]:
    """A finding for each service."""
    with httpx2.Client(timeout=TIMEOUT_S) as client:
        for name, command, url in (
            ("ingest", "ingest", target.ingest),
            ("journey worker", "journey", target.journey),
            ("journey API", "journey-api", target.journey_api),
            ("alerts", "alerts", target.alerts),
        ):
            yield _examine(client, name, command, url)


def _examine(client: httpx2.Client, name: str, command: str, url: str) -> Finding:
    try:
        alive = client.get(f"{url}/livez").status_code == httpx2.codes.OK
        answer = client.get(f"{url}/readyz", params={"verbose": ""})
    except httpx2.TransportError as error:
        fix = f"start it: `waymark serve {command}` (or everything: `waymark up`)"
        return broken(name, f"{url} does not answer: {type(error).__name__}", fix)
    lines = answer.text.strip().splitlines()
    doubts = [line for line in lines if line.startswith(("[-]", "[~]"))]
    if not alive:
        return broken(name, f"{url} is not alive: {'; '.join(doubts)}", "restart it; its log says what it met")
    if answer.status_code != httpx2.codes.OK:
        return broken(name, f"{url} is not ready: {'; '.join(doubts)}", "mend what it names; it gets ready by itself")
    if doubts:
        return look(name, f"{url} is ready, with doubts: {'; '.join(doubts)}", "see its log")
    return fine(name, f"{url} is ready")
