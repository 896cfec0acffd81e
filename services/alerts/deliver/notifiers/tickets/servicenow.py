"""The notifier `servicenow`: events of ServiceNow Event Management, one alert per issue.

`POST …/api/global/em/jsonv2` takes `{"records": [...]}`; `message_key` joins the events of an issue, severity 0 clears
the alert, `additional_info` is JSON as a text and times are GMT. Fields by "Event field format for event collection"
of ServiceNow's documentation: source, node, type, resource and metric name have at most 100 characters, a description
4,000.
"""

from base64 import b64encode
from datetime import UTC
from typing import cast

from services.alerts.deliver.notifiers import verdicts
from services.alerts.deliver.notifiers.cutting import cut
from services.alerts.deliver.notifiers.encoding import encode
from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
    CredentialSpec,
    Notifier,
    NotifierTarget,
    NotifierVerdict,
    Outbound,
    OutboundRequest,
    ReaderOptions,
    ReceiverReply,
)
from services.alerts.deliver.notifiers.told_message import MessageKind, ToldMessage
from services.alerts.deliver.notifiers.wording import word_message
from services.alerts.issues.model import AlertSeverity

SHORT = 100
DESCRIPTION = 4000
PATH = "/api/global/em/jsonv2"
_SEVERITIES = {AlertSeverity.CRITICAL: "1", AlertSeverity.HIGH: "2", AlertSeverity.MEDIUM: "3", AlertSeverity.LOW: "4"}
CLEAR = "0"


class ServiceNowOptions(ReaderOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of ServiceNow: the user for basic authentication, and the node that events belong to."""

    username: str = ""
    node: str = "customer-journeys"


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the request with one event."""
    options = cast("ServiceNowOptions", target.options)
    secret = target.credentials["password"]
    basic = b64encode(f"{options.username}:{secret}".encode()).decode()
    headers = {
        "authorization": f"Basic {basic}" if options.username else f"Bearer {secret}",
        "accept": "application/json",
    }
    body = encode({"records": [_record(message, options)]})
    return (OutboundRequest(url=target.url.rstrip("/") + PATH, body=body, headers=headers),)


def _record(message: ToldMessage, options: ServiceNowOptions) -> dict[str, str]:
    worded, issue = word_message(message, options), message.issue
    over = message.kind in {MessageKind.RESOLVED, MessageKind.TEST}
    lines = [worded.plain(), *([worded.status] if worded.status else []), *worded.advice(), *worded.steps]
    record = {
        "source": "Waymark",
        "event_class": "Waymark",
        "node": options.node,
        "resource": (issue.reason or issue.channel or "") if issue else message.type,
        "metric_name": issue.rules[-1] if issue and issue.rules else message.type,
        "type": (issue.channel or "customer") if issue else "waymark",
        "severity": CLEAR if over else _SEVERITIES[issue.severity] if issue else "5",
        "resolution_state": "Closing" if over else "New",
    }
    return {
        **{name: cut(value, SHORT) for name, value in record.items()},
        "message_key": f"waymark:{message.subject}",
        "time_of_event": message.timestamp.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "description": cut("\n".join(lines), DESCRIPTION),
        "additional_info": encode(_more(message)).decode(),
    }


def _more(message: ToldMessage) -> dict[str, str]:
    issue = message.issue
    known = {"url": message.url, "notification_reason": message.reason}
    if issue is not None:
        known |= {
            "issue": issue.id,
            "customer": issue.customer_id or "",
            "customers": str(issue.outbreak.customers) if issue.outbreak else "",
            "priority": str(issue.priority.score) if issue.priority else "",
            "service_level": issue.service_level or "",
            "severity": issue.severity.value,
            "count": str(issue.count),
            "acknowledged_by": issue.acknowledged_by or "",
            "resolution": issue.resolution or "",
            **{f"ref_{name}": value for name, value in issue.refs.items()},
        }
    return {name: value for name, value in known.items() if value}


def judge(reply: ReceiverReply) -> NotifierVerdict:
    """Return what the answer means: a body with `error` under a 2xx is a refusal."""
    status = reply.answer.status or 0
    if 200 <= status < 300 and "error" in reply.document():
        return verdicts.REFUSED
    return verdicts.by_status(reply)


NOTIFIER = Notifier(
    kind="servicenow",
    title_en="ServiceNow, Event Management",
    title_ko="ServiceNow 이벤트 관리",
    options=ServiceNowOptions,
    render=render,
    judge=judge,
    address=AddressUse.PUBLIC,
    credentials=(
        CredentialSpec(name="password", description="Password of `username`, or an OAuth token where there is none."),
    ),
)
