"""All notifiers by kind: ours, and those that other packages add by the entry point `waymark.notifiers`.

An entry point names a `Notifier`, as `my_package.sms:NOTIFIER`; it cannot replace one of ours.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points

from services.alerts.deliver.notifiers.chat import dooray, jandi, slack_bot, slack_webhook, teams_workflow
from services.alerts.deliver.notifiers.documents import alertmanager_v4, standard_webhook, template
from services.alerts.deliver.notifiers.mail import email_message
from services.alerts.deliver.notifiers.notifier import Notifier
from services.alerts.deliver.notifiers.paging import pagerduty
from services.alerts.deliver.notifiers.tickets import servicenow, zendesk

GROUP = "waymark.notifiers"
OURS = (
    standard_webhook.NOTIFIER,
    alertmanager_v4.NOTIFIER,
    template.NOTIFIER,
    slack_webhook.NOTIFIER,
    slack_bot.NOTIFIER,
    teams_workflow.NOTIFIER,
    jandi.NOTIFIER,
    dooray.NOTIFIER,
    email_message.NOTIFIER,
    pagerduty.NOTIFIER,
    servicenow.NOTIFIER,
    zendesk.NOTIFIER,
)


class NotifierConflictError(Exception):
    """Two notifiers have one kind, or an entry point names something else than a notifier."""


@cache
def notifiers() -> Mapping[str, Notifier]:
    """Return every notifier by its kind, ours first.

    Raises:
        NotifierConflictError: an installed package adds one that cannot be added.
    """
    return by_kind([*OURS, *(entry.load() for entry in entry_points(group=GROUP))])


def by_kind(found: Iterable[object]) -> dict[str, Notifier]:
    """Return notifiers by their kind.

    Raises:
        NotifierConflictError: two have one kind, or one is no notifier.
    """
    kinds: dict[str, Notifier] = {}
    for notifier in found:
        if not isinstance(notifier, Notifier):
            raise NotifierConflictError(f"{GROUP}: {notifier!r} is no Notifier")
        if notifier.kind in kinds:
            raise NotifierConflictError(f"{GROUP}: the kind {notifier.kind!r} is taken")
        kinds[notifier.kind] = notifier
    return kinds
