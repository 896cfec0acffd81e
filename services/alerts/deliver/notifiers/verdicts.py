"""What replies of vendors mean: the verdicts that several notifiers share. The body may know better than the status.

Pure. The schedule of retries and the health of an endpoint are left to `retry`.
"""

from collections.abc import Mapping
from datetime import timedelta

from services.alerts.deliver.notifiers.notifier import NotifierVerdict, ReceiverReply, ReferenceChange
from services.alerts.deliver.retry import (
    LONGEST_RETRY_AFTER,
    AttemptFailure,
    AttemptOutcome,
    AttemptVerdict,
    judge_answer,
)

DELIVERED = NotifierVerdict(verdict=AttemptVerdict(outcome=AttemptOutcome.DELIVERED, failure=AttemptFailure.NONE))
REVOKED = NotifierVerdict(verdict=AttemptVerdict(outcome=AttemptOutcome.GONE, failure=AttemptFailure.REVOKED))
REFUSED = NotifierVerdict(verdict=AttemptVerdict(outcome=AttemptOutcome.REFUSED, failure=AttemptFailure.REFUSED))
AGAIN = NotifierVerdict(verdict=AttemptVerdict(outcome=AttemptOutcome.RETRY, failure=AttemptFailure.SERVER_ERROR))
FORGOTTEN = NotifierVerdict(
    verdict=AttemptVerdict(outcome=AttemptOutcome.RETRY, failure=AttemptFailure.CLIENT_ERROR),
    change=ReferenceChange.FORGET,
)
"""The receiver no longer knows the message that was to be changed; the next attempt makes a new one."""

USUAL_PAUSE = timedelta(seconds=60)
"""How long a vendor is left alone that throttles without saying for how long: their windows are a minute."""


def delivered(reference: Mapping[str, str]) -> NotifierVerdict:
    """Return that it was taken, and what the receiver calls it."""
    return NotifierVerdict(verdict=DELIVERED.verdict, change=ReferenceChange.SET, reference=reference)


def throttled(reply: ReceiverReply) -> NotifierVerdict:
    """Return that the vendor asks for a pause: as long as it says, or a minute."""
    pause = min(reply.answer.retry_after or USUAL_PAUSE, LONGEST_RETRY_AFTER)
    verdict = AttemptVerdict(outcome=AttemptOutcome.PAUSE, failure=AttemptFailure.THROTTLED, pause=pause)
    return NotifierVerdict(verdict=verdict)


def by_status(
    reply: ReceiverReply,
    *,
    revoked: frozenset[int] = frozenset({401, 403, 404, 410}),
    refused: frozenset[int] = frozenset({400, 413, 422}),
) -> NotifierVerdict:
    """Return what the status means: `revoked` ones disable the endpoint, `refused` ones end the delivery at once."""
    status = reply.answer.status
    if status == 429:
        return throttled(reply)
    if status in revoked:
        return REVOKED
    if status in refused:
        return REFUSED
    return NotifierVerdict(verdict=judge_answer(reply.answer))
