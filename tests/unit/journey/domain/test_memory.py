"""What touchpoints, and the order that was made of them, are said to take in memory is what they take, about."""

import tracemalloc
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from services.journey.domain.comparison.memory import history_bytes
from services.journey.domain.projection import SegmentedHistory
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint
from tests.unit.journey.domain.making import POLICY

PLAIN: dict[str, Any] = {
    "source": "shop",
    "id": "order-1",
    "occurred_at": "2026-11-22T09:15:00Z",
    "received_at": "2026-11-22T09:15:01Z",
    "channel": "phone",
    "kind": "call_ended",
    "customer": {"phone": {"value": "+821000008841"}},
}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"text": "세 번째 전화인데 아직 해결이 안 됐어요" * 100},
        {"text": "a" * 8_000},
        {"attributes": {f"name{number}": number * 1_000 for number in range(100)}},
        {"attributes": {"nested": [[], [{}]] * 50}},
        {"customer": {f"type{number}": {"value": f"value{number}"} for number in range(20)}},
        {"refs": {"order": "o-1", "ticket": "t-1"}, "reason": "billing", "outcome": "unresolved", "agent": "a-17"},
    ],
    ids=["plain", "Korean text", "text", "attributes", "nested", "identifiers", "refs"],
)
def test_a_touchpoint_takes_about_what_is_said(more: dict[str, Any]) -> None:
    documents = [msgspec.json.encode({**PLAIN, "id": f"order-{number}", **more}) for number in range(200)]
    decoder = msgspec.json.Decoder(Touchpoint)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        history = [
            RecordedTouchpoint(touchpoint=decoder.decode(document), appended_at=datetime.now(UTC), journey_id=uuid4())
            for document in documents
        ]
        segmented = SegmentedHistory(history, POLICY)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(segmented.index.units) == 200
    assert 0.8 <= history_bytes(history) / taken <= 2
