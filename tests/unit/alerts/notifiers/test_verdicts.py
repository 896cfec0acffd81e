"""What vendors' answers mean. The words and codes are those of the vendors' documents, named in each notifier."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.alerts.deliver.notifiers.notifier import NotifierVerdict, ReceiverReply, ReferenceChange
from services.alerts.deliver.notifiers.registry import OURS, notifiers
from services.alerts.deliver.retry import AttemptFailure, AttemptOutcome, ReceiverAnswer

DELIVERED, RETRY, PAUSE = AttemptOutcome.DELIVERED, AttemptOutcome.RETRY, AttemptOutcome.PAUSE
THROTTLED_CONNECTOR = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
GONE, REFUSED = AttemptOutcome.GONE, AttemptOutcome.REFUSED


def judge(kind: str, status: int, body: Any = b"", *, retry_after: timedelta | None = None) -> NotifierVerdict:
    """What an answer of a vendor means."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return notifiers()[kind].judge(
        ReceiverReply(answer=ReceiverAnswer(status=status, retry_after=retry_after), body=raw)
    )


@pytest.mark.parametrize(
    ("kind", "status", "body", "outcome"),
    [
        ("standard_webhook", 204, b"", DELIVERED),
        ("standard_webhook", 404, b"", RETRY),
        ("alertmanager_v4", 500, b"", RETRY),
        ("template", 410, b"", GONE),
        ("slack_webhook", 200, b"ok", DELIVERED),
        ("slack_webhook", 200, b"<html>proxy</html>", REFUSED),
        ("slack_webhook", 400, b"invalid_payload", REFUSED),
        ("slack_webhook", 400, b"user_not_found", GONE),
        ("slack_webhook", 403, b"action_prohibited", GONE),
        ("slack_webhook", 404, b"channel_not_found", GONE),
        ("slack_webhook", 404, b"no_service", GONE),
        ("slack_webhook", 410, b"channel_is_archived", GONE),
        ("slack_webhook", 429, b"", PAUSE),
        ("slack_webhook", 500, b"rollup_error", RETRY),
        ("slack_bot", 200, {"ok": False, "error": "channel_not_found"}, GONE),
        ("slack_bot", 200, {"ok": False, "error": "token_revoked"}, GONE),
        ("slack_bot", 200, {"ok": False, "error": "invalid_blocks"}, REFUSED),
        ("slack_bot", 200, {"ok": False, "error": "msg_blocks_too_long"}, REFUSED),
        ("slack_bot", 200, {"ok": False, "error": "internal_error"}, RETRY),
        ("slack_bot", 429, {"ok": False, "error": "ratelimited"}, PAUSE),
        ("slack_bot", 200, {"ok": False, "error": "ratelimited"}, PAUSE),
        ("slack_bot", 503, b"", RETRY),
        ("slack_bot", 200, b"no json", RETRY),
        ("teams_workflow", 202, b"", DELIVERED),
        ("teams_workflow", 200, THROTTLED_CONNECTOR, PAUSE),
        ("teams_workflow", 400, {"error": {"code": "WorkflowTriggerIsNotEnabled"}}, GONE),
        ("teams_workflow", 404, {"error": {"code": "WorkflowNotFound"}}, GONE),
        ("teams_workflow", 413, b"", REFUSED),
        ("jandi", 200, b"", DELIVERED),
        ("jandi", 404, b"", GONE),
        ("dooray", 200, {"header": {"isSuccessful": True, "resultCode": 0, "resultMessage": ""}}, DELIVERED),
        ("dooray", 200, {"header": {"isSuccessful": False, "resultCode": -1, "resultMessage": "x"}}, RETRY),
        ("pagerduty", 202, {"status": "success", "message": "Event processed", "dedup_key": "k"}, DELIVERED),
        ("pagerduty", 400, {"status": "invalid event", "errors": ["'summary' is missing or blank"]}, REFUSED),
        ("pagerduty", 400, {"status": "invalid event", "errors": ["'routing_key' is invalid"]}, GONE),
        ("pagerduty", 429, b"", PAUSE),
        ("pagerduty", 500, b"", RETRY),
        ("servicenow", 200, {"result": {"Default Bulk Endpoint": "1 events were inserted"}}, DELIVERED),
        ("servicenow", 200, {"error": {"message": "Invalid records"}}, REFUSED),
        ("servicenow", 401, b"", GONE),
        ("zendesk", 201, {"ticket": {"id": 35436}}, DELIVERED),
        ("zendesk", 401, b"", GONE),
        ("zendesk", 404, {"error": "RecordNotFound"}, RETRY),
        ("zendesk", 422, {"description": "Status: closed prevents ticket update"}, RETRY),
        ("zendesk", 422, {"description": "Priority: xx is not valid"}, REFUSED),
        ("email", 250, b"2.0.0 Ok: queued", DELIVERED),
        ("email", 451, b"4.7.1 greylisted", RETRY),
        ("email", 535, b"5.7.8 authentication failed", GONE),
        ("email", 550, b"5.1.1 no such user", REFUSED),
    ],
)  # fmt: skip
def test_an_answer_means(kind: str, status: int, body: Any, outcome: AttemptOutcome) -> None:
    assert judge(kind, status, body).verdict.outcome is outcome


@pytest.mark.parametrize("kind", [one.kind for one in OURS])
def test_no_answer_at_all_is_tried_again_with_its_reason(kind: str) -> None:
    reply = ReceiverReply(answer=ReceiverAnswer(failure=AttemptFailure.TLS))

    verdict = notifiers()[kind].judge(reply).verdict

    assert (verdict.outcome, verdict.failure) == (RETRY, AttemptFailure.TLS)


def test_a_throttled_vendor_is_left_alone_as_long_as_it_says_or_a_minute() -> None:
    assert judge("slack_bot", 429, retry_after=timedelta(seconds=30)).verdict.pause == timedelta(seconds=30)
    assert judge("pagerduty", 429).verdict.pause == timedelta(minutes=1)
    assert judge("pagerduty", 429, retry_after=timedelta(days=2)).verdict.pause == timedelta(hours=1)


def test_slack_and_zendesk_say_what_they_call_the_message() -> None:
    posted = judge("slack_bot", 200, {"ok": True, "channel": "C1", "ts": "1.2", "message": {"text": "x"}})
    in_thread = judge("slack_bot", 200, {"ok": True, "channel": "C1", "ts": "1.3", "message": {"thread_ts": "1.2"}})
    ticket = judge("zendesk", 201, {"ticket": {"id": 7}})

    assert (posted.change, posted.reference) == (ReferenceChange.SET, {"channel": "C1", "ts": "1.2"})
    assert in_thread.change is ReferenceChange.KEEP
    assert ticket.reference == {"ticket": "7"}


@pytest.mark.parametrize("word", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_a_message_that_slack_no_longer_knows_is_posted_anew(word: str) -> None:
    forgotten = judge("slack_bot", 200, {"ok": False, "error": word})

    assert (forgotten.verdict.outcome, forgotten.change) == (RETRY, ReferenceChange.FORGET)
