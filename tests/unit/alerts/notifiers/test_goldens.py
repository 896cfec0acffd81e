"""Every kind sends what its golden says, and the samples that goldens are made of look like stored messages."""

import json
from dataclasses import replace

import pytest

from services.alerts.deliver.notifiers.notifier import Notifier, ReaderOptions
from services.alerts.deliver.notifiers.registry import GROUP, OURS, NotifierConflictError, by_kind, notifiers
from services.alerts.deliver.notifiers.samples import sample_bodies, sample_messages
from services.alerts.deliver.notifiers.told_message import MessageKind, read_message
from services.alerts.deliver.notifiers.wording import word_message
from services.alerts.notify.decision import NotificationReason
from services.alerts.notify.notification import Notification
from services.alerts.notify.webhook_body import render_webhook
from tests.unit.alerts.builders import NOW, an_issue
from tests.unit.alerts.notifiers.rendering import GOLDENS, golden_text


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


WHOLE = {"template", "standard_webhook", "alertmanager_v4"}
"""Kinds whose readers are programs: they get all of it."""


def shown_by(kind: str, sample: str) -> str:
    """What a kind sends for a sample, as one text without escapes."""
    golden = json.loads((GOLDENS / f"{kind}.json").read_text(encoding="utf-8"))[sample]
    return json.dumps(golden, ensure_ascii=False).replace('\\"', '"')


@pytest.mark.parametrize("kind", [one.kind for one in OURS if one.kind != "template"])
@pytest.mark.parametrize("sample", ["opened", "outbreak", "reminder"])
def test_every_kind_shows_why_what_to_do_and_the_priority(kind: str, sample: str) -> None:
    issue = sample_messages()[sample].issue
    assert issue is not None
    assert issue.why is not None
    assert issue.playbook is not None
    shown = shown_by(kind, sample)

    assert issue.why.en in shown or issue.why.ko in shown
    assert issue.playbook.en in shown or issue.playbook.ko in shown
    assert any(text in shown for text in ("54/100", '"score": 54', '"priority": "54"', '"priority":"54"'))


@pytest.mark.parametrize(
    "kind", [one.kind for one in OURS if one.kind not in {"template", "standard_webhook", "alertmanager_v4"}]
)
def test_nothing_is_to_be_done_about_what_is_over(kind: str) -> None:
    issue = sample_messages()["resolved"].issue
    assert issue is not None
    assert issue.playbook is not None
    shown = json.dumps(
        json.loads((GOLDENS / f"{kind}.json").read_text(encoding="utf-8"))["resolved"], ensure_ascii=False
    )

    assert issue.playbook.en not in shown
    assert issue.playbook.ko not in shown


def test_a_repeat_says_that_it_is_still_open_and_an_outbreak_how_many_customers_it_has() -> None:
    stored = json.loads(sample_bodies()["updated"])
    repeat = read_message(json.dumps({**stored, "reason": NotificationReason.REPEATED}).encode())

    assert repeat.kind is MessageKind.REMINDER
    worded = word_message(sample_messages()["outbreak"], ReaderOptions(language="ko"))
    facts = dict(worded.facts)
    assert (facts["고객 수"], facts["채널"], facts["평소(5분)"]) == ("218", "웹 (201), 앱 (18)", "0.4")
    assert "고객" not in facts


def test_whoever_is_assigned_an_issue_reads_that_and_who_else_has_it() -> None:
    stored = json.loads(sample_bodies()["updated"])
    stored["data"]["teams"] = [{"name": "billing", "acknowledged_by": "kim"}, {"name": "payments", "assigned": True}]
    stored["data"]["owner"] = "민지"
    message = read_message(json.dumps({**stored, "reason": NotificationReason.ASSIGNED}).encode())
    english, korean = (word_message(message, ReaderOptions(language=language)) for language in ("en", "ko"))

    assert message.kind is MessageKind.ASSIGNED
    assert english.headline.startswith("Assigned to you: ")
    assert korean.headline.startswith("담당 배정: ")
    assert dict(english.facts)["Team"] == "billing (✓ kim), payments"
    assert dict(korean.facts)["담당자"] == "민지"
