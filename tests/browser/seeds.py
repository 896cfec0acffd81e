"""What the console shows in these tests: customers who must call again, sent as producers send them, and very many."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tests.waiting import until_sync

REASONS = ("billing", "delivery", "refund", "returns", "payment", "login")
WORDS = ("세 번째 전화인데 아직 해결이 안 됐어요", "Where is my parcel?", "환불이 아직 안 들어왔습니다")


def send(ready: dict[str, Any], *touchpoints: dict[str, Any]) -> None:
    """Send touchpoints as a producer does."""
    request = urllib.request.Request(
        f"{ready['ingest']}/v1/touchpoints",
        data=json.dumps({"touchpoints": touchpoints}).encode(),
        headers={"authorization": f"Bearer {ready['keys']['source']}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def ask(ready: dict[str, Any], path: str, api: str = "alerts") -> Any:
    """The answer of alerts, or of another API, to a reader."""
    headers = {"authorization": f"Bearer {ready['keys']['reader']}"}
    with urllib.request.urlopen(urllib.request.Request(f"{ready[api]}{path}", headers=headers), timeout=10) as answer:
        return json.load(answer)


def ask_journey(ready: dict[str, Any], path: str) -> Any:
    """The answer of the journey API to a reader."""
    return ask(ready, path, "journey_api")


def calls(number: int, *, minutes_ago: float = 5) -> list[dict[str, Any]]:
    """Two calls of one customer about one thing."""
    phone = f"010-7000-{number:04d}"
    reason = REASONS[number % len(REASONS)]
    began = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return [
        {
            "id": f"call-{number}-{turn}",
            "occurred_at": (began + timedelta(minutes=turn)).isoformat(),
            "channel": "phone" if number % 3 else "chat",
            "kind": "call_ended" if number % 3 else "chat_ended",
            "direction": "inbound",
            "outcome": "unresolved",
            "reason": reason,
            "customer": {"phone": phone, "customer_id": f"C-{number}"},
            "interaction_id": f"talk-{number}-{turn}",
            "service_level": ("basic", "enhanced", "premium")[number % 3],
            "text": WORDS[number % len(WORDS)],
        }
        for turn in range(3)
    ]


def open_issues(ready: dict[str, Any]) -> int:
    """How many issues are open."""
    return int(ask(ready, "/v1/issues/summary?state=unresolved&quiet=false&held=false")["total"])


def seed(ready: dict[str, Any], customers: int = 8) -> None:
    """Send a few customers, and wait for their issues."""
    send(ready, *(touchpoint for number in range(customers) for touchpoint in calls(number)))
    until_sync(lambda: open_issues(ready) >= customers, within=60)


def multiply(ready: dict[str, Any], count: int) -> None:
    """Copy an open issue `count` times, each with its own fingerprint and another priority, as if each was told."""
    with psycopg.connect(ready["postgres"]) as connection:
        columns = connection.execute(
            "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
            " WHERE table_schema = 'alerts' AND table_name = 'issues' AND is_generated = 'NEVER'"
            " AND column_name NOT IN ('issue_id', 'fingerprint', 'document', 'unheard_since')"
        ).fetchone()
        names = columns[0] if columns else ""
        connection.execute(
            f"""
            INSERT INTO alerts.issues (issue_id, fingerprint, document, {names})
            SELECT made.id, md5(made.id::text), (one.document::jsonb || jsonb_build_object(
                       'id', made.id, 'fingerprint', md5(made.id::text),
                       'priority', one.document::jsonb -> 'priority'
                                   || jsonb_build_object('score', made.n %% 40)))::json, {names}
              FROM (SELECT * FROM alerts.issues WHERE state = 'open' LIMIT 1) one,
                   (SELECT gen_random_uuid() AS id, n FROM generate_series(1, %s::int) n OFFSET 0) made
            """.encode(),
            [count],
        )
