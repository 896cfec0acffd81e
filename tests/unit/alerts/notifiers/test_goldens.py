"""Every kind sends what its golden says, and the samples that goldens are made of look like stored messages."""

import json
from dataclasses import replace

import pytest

from services.alerts.deliver.notifiers.notifier import Notifier
from services.alerts.deliver.notifiers.registry import GROUP, OURS, NotifierConflictError, by_kind, notifiers
from services.alerts.deliver.notifiers.samples import sample_bodies, sample_messages
from services.alerts.deliver.notifiers.told_message import MessageKind, read_message
from services.alerts.notify.decision import NotificationReason
from services.alerts.notify.notification import Notification
from services.alerts.notify.webhook_body import render_webhook
from tests.unit.alerts.builders import NOW, an_issue
from tests.unit.alerts.notifiers.rendering import GOLDENS, golden_text, rendered


@pytest.mark.parametrize("notifier", OURS, ids=lambda one: one.kind)
def test_it_sends_what_its_golden_says(notifier: Notifier) -> None:
    assert golden_text(notifier.kind) == (GOLDENS / f"{notifier.kind}.json").read_text(encoding="utf-8")


def test_there_is_one_golden_for_each_kind() -> None:
    assert {path.stem for path in GOLDENS.glob("*.json")} == set(notifiers())


def test_there_is_a_sample_of_every_kind_of_message() -> None:
    assert {message.kind for message in sample_messages().values()} == set(MessageKind)


def test_a_sample_has_the_members_of_a_stored_message() -> None:
    issue = an_issue(team="care", refs={"case_id": "T"})
    notification = Notification(
        id=issue.id,
        issue=issue,
        sequence=1,
        type="issue.opened",
        reason=NotificationReason.FIRST,
        endpoints=(),
        revised_at=NOW,
        created_at=NOW,
    )
    stored = json.loads(render_webhook(notification, public_url="https://waymark.example"))
    sample = json.loads(sample_bodies()["opened"])

    assert set(stored) == set(sample)
    assert set(stored["data"]) <= set(sample["data"])


def test_a_kind_of_another_package_is_added_and_cannot_replace_ours() -> None:
    theirs = replace(OURS[0], kind="sms")

    assert list(by_kind([*OURS, theirs]))[-1] == "sms"
    with pytest.raises(NotifierConflictError, match="'standard_webhook' is taken"):
        by_kind([*OURS, replace(theirs, kind="standard_webhook")])
    with pytest.raises(NotifierConflictError, match=f"{GROUP}: 'text' is no Notifier"):
        by_kind([*OURS, "text"])


@pytest.mark.parametrize("notifier", OURS, ids=lambda one: one.kind)
def test_an_outbreak_which_has_no_customer_is_told_by_every_kind(notifier: Notifier) -> None:
    body = json.loads(sample_bodies()["opened"])
    del body["data"]["customer_id"]

    assert rendered(notifier.kind, read_message(json.dumps(body).encode()))


def test_a_repeat_says_that_it_is_still_open() -> None:
    body = json.loads(sample_bodies()["updated"])

    assert (
        read_message(json.dumps({**body, "reason": NotificationReason.REPEATED}).encode()).kind is MessageKind.REMINDER
    )
