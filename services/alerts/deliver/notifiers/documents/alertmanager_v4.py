"""The notifier `alertmanager_v4`: the body of Alertmanager's webhook, so that its many receivers work unchanged.

The format is that of `notify/webhook/webhook.go` and `template/template.go` of prometheus/alertmanager (version 4; a
firing alert has the zero time of Go as its end). Unlike Alertmanager's it is signed by Standard Webhooks as well, which
receivers that do not know it ignore. An answer is judged as that of a standard webhook.
"""

from services.alerts.deliver.notifiers.documents import standard_webhook
from services.alerts.deliver.notifiers.encoding import encode, moment
from services.alerts.deliver.notifiers.notifier import (
    AddressUse,
    Notifier,
    NotifierTarget,
    Outbound,
    OutboundRequest,
    SignedOptions,
)
from services.alerts.deliver.notifiers.told_message import MessageKind, ToldIssue, ToldMessage

NEVER = "0001-01-01T00:00:00Z"
_FINGERPRINT = 16
"""Hexadecimal digits of a fingerprint in Alertmanager, which is a number of 64 bits."""


def render(message: ToldMessage, target: NotifierTarget) -> tuple[Outbound, ...]:
    """Return the signed request with one alert: the issue, or what a message about the service says."""
    body = encode(_document(message, target.name))
    return (OutboundRequest(url=target.url, body=body, headers=target.signature(body)),)


def _document(message: ToldMessage, receiver: str) -> dict[str, object]:
    labels, annotations = _labels(message), _annotations(message)
    status = "resolved" if message.kind in {MessageKind.RESOLVED, MessageKind.TEST} else "firing"
    issue = message.issue
    started = issue.first_at if issue else message.timestamp
    ended = ((issue.resolved_at if issue else None) or message.timestamp) if status == "resolved" else None
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": moment(started),
        "endsAt": moment(ended) if ended else NEVER,
        "generatorURL": message.url,
        "fingerprint": issue.fingerprint[:_FINGERPRINT] if issue else "0" * _FINGERPRINT,
    }
    group = {"issue": issue.id} if issue else {"alertname": labels["alertname"]}
    return {
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f'{name}="{value}"' for name, value in group.items()) + "}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": message.url.partition("/#")[0],
        "alerts": [alert],
    }


def _labels(message: ToldMessage) -> dict[str, str]:
    issue = message.issue
    if issue is None:
        return {"alertname": message.type, "severity": "info"}
    known = {
        "alertname": issue.rules[-1] if issue.rules else "waymark_issue",
        "severity": issue.severity.value,
        "issue": issue.id,
        "channel": issue.channel,
        "reason": issue.reason,
        "service_level": issue.service_level,
        "team": issue.team,
    }
    return {name: value for name, value in known.items() if value}


def _annotations(message: ToldMessage) -> dict[str, str]:
    issue: ToldIssue | None = message.issue
    if issue is None:
        return {"summary": message.type}
    known = {"summary": issue.title.en, "summary_ko": issue.title.ko, "notification_reason": message.reason}
    if issue.why is not None:
        known |= {"description": issue.why.en, "description_ko": issue.why.ko}
    if issue.playbook is not None:
        known |= {"playbook": issue.playbook.en, "playbook_ko": issue.playbook.ko}
    if issue.priority is not None:
        known["priority"] = str(issue.priority.score)
    return known


NOTIFIER = Notifier(
    kind="alertmanager_v4",
    title_en="Alertmanager webhook (version 4)",
    title_ko="Alertmanager 웹훅(버전 4)",
    options=SignedOptions,
    render=render,
    judge=standard_webhook.judge,
    address=AddressUse.PUBLIC,
    signed=True,
)
