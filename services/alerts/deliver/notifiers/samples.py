"""Messages of every kind about one invented issue: to try a template when it is saved, and to show a kind.

The bodies have the form of the stored ones (`notify.webhook_body`), and a test compares the two.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.alerts.deliver.notifiers.told_message import ToldMessage, read_message

_ISSUE: dict[str, Any] = {
    "id": "01a2033b-0000-7000-8000-000000000001",
    "fingerprint": "3cb5798492453d0cebf8d001e2a0654c",
    "version": 1,
    "state": "open",
    "severity": "high",
    "title": {"en": "Called three times about a bill", "ko": "요금 문제로 세 번 전화"},
    "rules": ["repeat_contact_24h", "fcr_failed"],
    "customer_id": "01a2033b-0000-7000-8000-0000000000c1",
    "journey_id": "01a2033b-0000-7000-8000-0000000000a1",
    "channel": "phone",
    "reason": "billing",
    "service_level": "premium",
    "team": "premium care",
    "refs": {"case_id": "T-77"},
    "count": 2,
    "frictions": ["01a2033b-0000-5000-8000-0000000000f1", "01a2033b-0000-5000-8000-0000000000f2"],
    "first_at": "2026-11-22T00:05:00Z",
    "last_at": "2026-11-22T00:15:00Z",
    "opened_at": "2026-11-22T00:15:03Z",
    "updated_at": "2026-11-22T00:15:03Z",
    "timeline": [
        {"occurred_at": "2026-11-21T02:10:00Z", "channel": "web", "kind": "page_viewed"},
        {"occurred_at": "2026-11-22T00:05:00Z", "channel": "phone", "kind": "call_ended", "outcome": "unresolved"},
        {"occurred_at": "2026-11-22T00:15:00Z", "channel": "phone", "kind": "call_ended", "reason": "billing"},
    ],
}
_ISSUE["journey"] = {
    "state": "open",
    "last_at": "2026-11-22T00:17:00Z",
    "effort": 62,
    "contact_count": 3,
    "outcome": "unresolved",
    "value": {"amount": 129000, "currency": "KRW"},
    "since": [{"occurred_at": "2026-11-22T00:17:00Z", "channel": "app", "kind": "page_viewed"}],
}
_ISSUE["why"] = {
    "en": "The third call about billing within 24 hours; the last one ended unresolved.",
    "ko": "24시간 안에 요금 문제로 세 번째 전화, 마지막 통화는 해결되지 않았습니다.",
}
_ISSUE["playbook"] = {
    "en": "Call back before the next bill is due, and say what was done.",
    "ko": "다음 납기 전에 먼저 전화해 처리 결과를 알려 주세요.",
}
_ISSUE["priority"] = {
    "score": 54,
    "service_level": "premium",
    "respond_by": "2026-11-22T00:30:03Z",
    "resolve_by": "2026-11-22T04:15:03Z",
    "factors": [
        {"factor": "severity", "points": 26, "value": "high"},
        {"factor": "effort", "points": 7, "value": 62},
        {"factor": "service_level", "points": 10, "value": "premium"},
        {"factor": "repeats", "points": 4, "value": 2},
    ],
}
_ALIKE = (
    *("id", "fingerprint", "version", "state", "severity", "team", "playbook", "priority"),
    *("first_at", "last_at", "opened_at", "updated_at"),
)
_OUTBREAK: dict[str, Any] = {
    **{name: _ISSUE[name] for name in _ALIKE},
    "why": {
        "en": "219 frictions of 218 customers; usual at this hour are 0.4 in five minutes.",
        "ko": "고객 218명에게 불편 219건. 이 시각에는 5분에 0.4건이 보통입니다.",
    },
    "title": {"en": "Outbreak: Card declined — 218 customers", "ko": "동시 다발: 카드 승인 거절 — 고객 218명"},
    "rules": ["payment_declines"],
    "channel": "web",
    "reason": "payment",
    "count": 219,
    "outbreak": {
        "started_at": "2026-11-22T00:05:00Z",
        "usual": 0.4,
        "frictions": 219,
        "customers": 218,
        "segments": {"channel": {"web": 201, "app": 18}, "product": {"fibre 500": 40}},
    },
}
_SHARED: dict[str, Any] = {
    "teams": [
        {"id": "01a2033b-0000-7000-8000-0000000000c1", "name": "billing", "acknowledged_by": "minji"},
        {"id": "01a2033b-0000-7000-8000-0000000000c2", "name": "payments", "assigned": True},
    ],
    "owner": "seoyeon",
    "acknowledged_at": "2026-11-22T00:20:00Z",
    "acknowledged_by": "minji",
}
_TAKEN: dict[str, Any] = {
    "version": 3,
    "state": "acknowledged",
    "acknowledged_at": "2026-11-22T00:20:00Z",
    "acknowledged_by": "minji",
}
_OVER: dict[str, Any] = {
    "version": 4,
    "state": "resolved",
    "resolved_at": "2026-11-22T01:00:00Z",
    "resolved_by": "minji",
    "resolution": "called_back",
}


def _about(type_: str, reason: str, sequence: int, **changes: object) -> dict[str, Any]:
    return {
        "type": type_,
        "timestamp": "2026-11-22T01:00:01.120000Z",
        "reason": reason,
        "sequence": sequence,
        "data": {**_ISSUE, **changes},
        "url": "https://waymark.example/#01a2033b-0000-7000-8000-000000000001",
    }


_SAMPLES: dict[str, dict[str, Any]] = {
    "opened": _about("issue.opened", "first", 1),
    "updated": _about("issue.updated", "severity_raised", 2, severity="critical", version=2),
    "reminder": _about("issue.updated", "snooze_ended", 3),
    "assigned": _about("issue.updated", "assigned", 3, version=3, **_SHARED),
    "acknowledged": _about("issue.acknowledged", "acknowledged", 3, **_TAKEN),
    "resolved": _about("issue.resolved", "resolved", 4, **{**_TAKEN, **_OVER}),
    "withdrawn": _about("issue.resolved", "withdrawn", 4, **{**_OVER, "resolution": "retracted"}),
    "reopened": _about("issue.reopened", "reopened", 5, version=5),
    "outbreak": {**_about("issue.opened", "first", 1), "data": _OUTBREAK},
    "group": {
        "type": "group.firing",
        "timestamp": "2026-11-22T01:00:01.120000Z",
        "reason": "new_issues",
        "sequence": 2,
        "data": {
            "group": {
                "id": "01a2033b-0000-7000-8000-0000000000d1",
                "route": "payments",
                "labels": {"reason": "payment"},
                "firing": 12,
                "resolved": 1,
                "severity": "critical",
            },
            "issues": [{**_ISSUE, "severity": "critical", "refs": {}, "timeline": []}],
            "truncated": 12,
        },
    },
    "test": {
        "type": "endpoint.test",
        "timestamp": "2026-11-22T00:15:03.120000Z",
        "data": {"test": True, "endpoint": "support desk"},
    },
    "disabled": {
        "type": "endpoint.disabled",
        "timestamp": "2026-11-22T00:15:03.120000Z",
        "data": {"endpoint": "01a2033b-0000-7000-8000-0000000000e1", "name": "support desk", "reason": "gone"},
    },
}


def sample_bodies() -> Mapping[str, bytes]:
    """Return one stored body for each kind of message, by a name for it."""
    return {name: msgspec.json.encode(document) for name, document in _SAMPLES.items()}


def sample_messages() -> Mapping[str, ToldMessage]:
    """Return the messages in the sample bodies."""
    return {name: read_message(body) for name, body in sample_bodies().items()}
