"""What holds for anything at all that is sent to Segment's addresses: an answer, never an error of ours."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.forms.segment.fields import _OWN
from services.ingest.forms.segment.segment_mapping import CallType
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import NOW, IngestBench

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["nan", "inf", "9" * 400, "9" * 5000, "2026-11-22T00:14:00Z", "web", "inbound", "KRW", "\ud800"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
PROPERTIES = st.dictionaries(
    st.sampled_from([*_OWN, "channel", "total", "currency", "value"]) | st.text(max_size=8), VALUES, max_size=5
)
NAMES = (
    "messageId",
    "userId",
    "anonymousId",
    "previousId",
    "event",
    "name",
    "timestamp",
    "originalTimestamp",
    "sentAt",
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*CallType]) | VALUES,
        "properties": PROPERTIES | VALUES,
        "traits": PROPERTIES | VALUES,
        "context": st.dictionaries(st.sampled_from(["traits", "device", "page", "app"]), VALUES, max_size=3) | VALUES,
        **dict.fromkeys(NAMES, VALUES),
    },
)


@pytest.fixture(scope="module")
async def worn_bench() -> IngestBench:
    """A bench that serves all examples: what one leaves behind must not matter to the next."""
    return await IngestBench(clock=SteppingClock(NOW)).started()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=st.lists(MESSAGES | VALUES, max_size=3), batch=VALUES, as_batch=st.booleans())
async def test_anything_at_all_gets_an_answer_and_every_call_its_outcome(
    worn_bench: IngestBench, messages: list[Any], batch: Any, as_batch: bool
) -> None:
    document = {"batch": messages, "sentAt": batch, "context": batch} if as_batch else (messages or [batch])[0]
    body = json.dumps(document).encode()

    answer = await worn_bench.call("POST", [body], {"authorization": f"Bearer {worn_bench.key.text}"}, at="/v1/batch")

    assert answer.status in {200, 400}
    if answer.status == 200:
        told = answer.json
        count = told["accepted"] + told["duplicate"] + told["ignored"] + len(told["rejected"])
        assert count == (len(messages) if as_batch else 1)


@pytest.mark.parametrize("name", sorted(_OWN))
@pytest.mark.parametrize("value", [[], {}, [1], {"a": 1}, None, True, "", 0, -1, 1e308, 2**63])
def test_a_property_with_a_member_s_name_can_hold_anything(name: str, value: Any) -> None:
    _, fits = _OWN[name]
    assert fits(value) in {True, False}
