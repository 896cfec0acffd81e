"""Turns journeys of accounts into the documents and records that other services read: journey v1 without a customer."""

from datetime import datetime
from uuid import UUID, uuid5

import msgspec

from schemas.documents import journey as journey_v1
from services.journey.domain.accounts.account_comparison import AccountJourneyChange, GoneAccountJourney
from services.journey.domain.names import WAYMARK
from services.journey.outbox.outbox_rows import OutgoingRecord
from services.runtime.kafka.record import ProducerRecord


def journey(account_id: str, change: AccountJourneyChange, now: datetime) -> OutgoingRecord:
    """Return a journey of an account as journey v1, updated `now`, keyed by its id."""
    said, progress = change.passage.said, change.passage.progress
    members = {
        "id": str(change.id),
        "version": change.version,
        "state": "open" if progress.end is None else "closed",
        "account_id": account_id,
        "opened_at": progress.entered_at,
        "last_at": said.last_at,
        "updated_at": now,
        "touchpoint_count": len(change.passage.members),
        "contact_count": said.contact_count,
        "friction_count": 0,
        "effort": said.effort.score,
        "reason": said.reason,
        "refs": said.refs,
        "channels": said.channels,
        "service_level": said.service_level,
        "outcome": said.outcome,
        "closed_at": progress.ended_at,
        "value": said.value,
        "latest": said.latest,
        "progress": (progress,),
    }
    return _record(account_id, msgspec.convert(members, journey_v1.JourneyDocument, from_attributes=True))


def gone_journey(account_id: str, last: str, gone: GoneAccountJourney, now: datetime) -> OutgoingRecord:
    """Return the final record of a journey that is gone, made from the document published `last`."""
    target = gone.merged_into
    said = msgspec.structs.replace(
        journey_v1.decode(last.encode()),
        version=gone.version,
        state=journey_v1.JourneyDocumentState.DISSOLVED if target is None else journey_v1.JourneyDocumentState.MERGED,
        merged_into=None if target is None else str(target),
        updated_at=now,
    )
    return _record(account_id, said)


def _record(account_id: str, said: journey_v1.JourneyDocument) -> OutgoingRecord:
    record = ProducerRecord(
        topic=journey_v1.TOPIC, key=said.id.encode(), value=journey_v1.encode(said), headers=journey_v1.headers(said)
    )
    return OutgoingRecord(customer_id=_order(account_id), record=record)


def _order(account_id: str) -> UUID:
    """Return what the outbox keeps the records of one account in order by, as those of one customer."""
    return uuid5(WAYMARK, f"account\x1f{account_id}")
