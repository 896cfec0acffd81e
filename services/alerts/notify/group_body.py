"""Renders a message about a group: what its issues share, how many there are, and as many of them as have room.

The body has the form of every other message, `{type, timestamp, reason, sequence, data}`; `data` has the `group` and
its `issues` as issue v1. The most severe issues come first, then the latest; `truncated` counts those without room.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from schemas.codec import utc_text
from schemas.documents import issue as issue_v1
from services.alerts.hold.groups import AlertGroup, FlushPlan
from services.alerts.issues.contract import write_issue
from services.alerts.issues.model import AlertSeverity, Issue, worst_severity
from services.alerts.notify.webhook_body import MAX_BYTES

_ROOM = MAX_BYTES - 2_000
"""Bytes for issues; the rest is for the head and the labels."""


def group_type(plan: FlushPlan) -> str:
    """Return the type of the message about a flush."""
    return "group.firing" if plan.firing else "group.resolved"


def render_group(group: AlertGroup, plan: FlushPlan, *, route: str, sequence: int, now: datetime) -> bytes:
    """Return the bytes to sign and send."""
    ordered = sorted([*plan.firing, *plan.resolved], key=_rank)
    shown = _shown(ordered)
    severity: AlertSeverity | None = worst_severity(*(issue.loud_severity for issue in plan.firing))
    return msgspec.json.encode(
        {
            "type": group_type(plan),
            "timestamp": utc_text(now),
            "reason": plan.reason,
            "sequence": sequence,
            "data": {
                "message": _sentence(group, plan, route),
                "group": {
                    "id": str(group.id),
                    "route": route,
                    "labels": {name: value[:200] for name, value in group.labels.items()},
                    "firing": len(plan.firing),
                    "resolved": len(plan.resolved),
                    "severity": severity,
                },
                "issues": shown,
                "truncated": len(ordered) - len(shown),
            },
        }
    )


def _sentence(group: AlertGroup, plan: FlushPlan, route: str) -> str:
    """Return what the message says, in English and Korean, for receivers that show one sentence."""
    shared = ", ".join(f"{name}={value[:100]}" for name, value in group.labels.items())
    what = f"{route} ({shared})" if shared else route
    fire, over = len(plan.firing), len(plan.resolved)
    return f"{what}: {fire} open, {over} resolved / 열린 이슈 {fire}건, 해결 {over}건"


def _rank(issue: Issue) -> tuple[bool, int, int, float]:
    """Return what comes first: open before resolved, then the most urgent, as in the inbox."""
    severity = issue.loud_severity or issue.severity
    score = issue.priority.score if issue.priority else 0
    return (not issue.unresolved, -score, -severity.rank, -issue.last_at.timestamp())


def _shown(ordered: Sequence[Issue]) -> list[msgspec.Raw]:
    """Return as many issues as have room, without frictions, timelines and references: each can be read by its id."""
    shown: list[msgspec.Raw] = []
    used = 0
    for issue in ordered:
        document = msgspec.structs.replace(write_issue(issue), frictions=(), timeline=(), refs={})
        encoded = issue_v1.encode(document)
        used += len(encoded) + 1
        if used > _ROOM:
            break
        shown.append(msgspec.Raw(encoded))
    return shown
