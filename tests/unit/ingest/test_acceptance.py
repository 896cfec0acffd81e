from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas.documents.touchpoint import (
    IdentifierValue,
    PostedTouchpoint,
    ScoreDocument,
    TouchpointDocument,
)
from schemas.identifiers.spelling import DropReason
from schemas.vocabulary import Channel, MoneyDocument, TimeQuality
from services.ingest.reasons import TouchpointRejection
from services.ingest.results.item_result import DroppedIdentifier, ItemResult, reject
from services.ingest.sources.source import Source, SourceScope
from services.ingest.timing.touchpoint_time import TouchpointTime, as_reported
from services.ingest.touchpoint.acceptance import (
    AcceptanceRules,
    AcceptedTouchpoint,
    accept,
)
from services.ingest.touchpoint.contract import read
from tests.fixtures.ingest_bench import NOW, a_touchpoint

POLICY = AcceptanceRules(future_tolerance=timedelta(minutes=5), phone_region="KR")
HOUR = timedelta(hours=1)
IVR = Source(name="ivr")
IMPORT = Source(name="import", scopes=frozenset({SourceScope.WRITE, SourceScope.REPLAY}))


def decide(by: Source = IVR, /, **members: Any) -> AcceptedTouchpoint | ItemResult:
    posted = read(a_touchpoint(**members), by.defaults, composed=True)
    assert isinstance(posted, PostedTouchpoint), posted
    return accept(posted, by, as_reported(posted), NOW, POLICY)


def accepted(by: Source = IVR, /, **members: Any) -> AcceptedTouchpoint:
    found = decide(by, **members)
    assert isinstance(found, AcceptedTouchpoint), found
    return found


def after(**step: float) -> str:
    return (NOW + timedelta(**step)).isoformat()


def test_an_accepted_touchpoint_stands_in_its_normal_form() -> None:
    normal = accepted(
        occurred_at="2026-11-22T09:14:00+09:00",
        due_at="2026-11-22T12:00:00+09:00",
        customer={"phone": "010-1234-5678", "customer_id": {"value": " C-1 ", "verified": True}},
        received_at="2020-01-01T00:00:00Z",
        text="안녕",
    ).touchpoint

    assert normal.occurred_at == datetime(2026, 11, 22, 0, 14, tzinfo=UTC)
    assert normal.due_at == datetime(2026, 11, 22, 3, tzinfo=UTC)
    assert normal.due_at.tzinfo is UTC
    assert (normal.source, normal.received_at, normal.replay) == ("ivr", NOW, False)
    assert normal.text == "안녕"
    assert normal.customer == {
        "phone": IdentifierValue(value="+821012345678", verified=False),
        "customer_id": IdentifierValue(value="C-1", verified=True),
    }


def test_nothing_that_was_posted_is_forgotten() -> None:
    members: dict[str, Any] = {
        "id": "a",
        "channel": "phone",
        "kind": "call_ended",
        "direction": "inbound",
        "outcome": "unresolved",
        "reason": "billing",
        "refs": {"case_id": "T-77"},
        "interaction_id": "i",
        "wait_s": 1.5,
        "duration_s": 2,
        "hold_s": 3,
        "transfers": 4,
        "queue": "billing-ko",
        "agent": "a-31",
        "sequence": 7,
        "text": "안녕",
        "sentiment": -0.6,
        "score": ScoreDocument(metric="ces", value=2, scale=7),
        "service_level": "premium",
        "value": MoneyDocument(amount=129000, currency="KRW"),
        "attributes": {"ivr_path": "2-1-9"},
        "replay": True,
    }
    posted = msgspec.convert(
        {**a_touchpoint(), **msgspec.to_builtins(members), "due_at": NOW, "sent_at": NOW},
        PostedTouchpoint,
        strict=False,
    )
    timed = TouchpointTime(occurred_at=NOW - HOUR, reported_at=NOW - 2 * HOUR, quality=TimeQuality.CORRECTED)

    found = accept(posted, IMPORT, timed, NOW, POLICY)

    assert isinstance(found, AcceptedTouchpoint)
    told = {
        "occurred_at": NOW - HOUR,
        "reported_at": NOW - 2 * HOUR,
        "time_quality": TimeQuality.CORRECTED,
        "due_at": NOW,
        "sent_at": NOW,
        "received_at": NOW,
        "source": "import",
        "sentiment_by": None,
    }
    normal = {
        name: getattr(found.touchpoint, name) for name in TouchpointDocument.__struct_fields__ if name != "customer"
    }
    assert normal == members | told


@pytest.mark.parametrize(
    ("kind", "given", "direction"),
    [
        pytest.param("email_received", ..., "inbound", id="a kind that implies it"),
        pytest.param("email_received", "outbound", "outbound", id="the producer's word stands"),
        pytest.param("call_ended", ..., None, id="a kind that does not imply it"),
        pytest.param("acme.loan_offered", ..., None, id="a kind of one's own"),
    ],
)
def test_the_direction_is_filled_in_where_the_kind_implies_it(kind: str, given: Any, direction: str | None) -> None:
    assert accepted(kind=kind, direction=given).touchpoint.direction == direction


@pytest.mark.parametrize(
    ("occurred_at", "reason"),
    [
        pytest.param(after(seconds=0), None, id="now"),
        pytest.param(after(minutes=5), None, id="five minutes ahead"),
        pytest.param(after(minutes=5, seconds=1), TouchpointRejection.OCCURRED_AT_IN_FUTURE, id="a second more"),
        pytest.param(after(days=400), TouchpointRejection.OCCURRED_AT_IN_FUTURE, id="next year"),
        pytest.param(after(days=-3000), None, id="years ago"),
        pytest.param("2000-01-01T00:00:00Z", None, id="the first moment of 2000"),
    ],
)
def test_a_clock_that_is_wrong_is_noticed(occurred_at: str, reason: TouchpointRejection | None) -> None:
    found = decide(occurred_at=occurred_at)

    assert (found.reason if isinstance(found, ItemResult) else None) is reason


def test_the_tolerance_is_said() -> None:
    found = decide(occurred_at=after(hours=1))

    assert isinstance(found, ItemResult)
    assert (found.field, found.facts) == ("occurred_at", {"limit": "300"})


def test_a_source_may_send_its_channels_only() -> None:
    web = Source(name="shop", channels=frozenset({Channel.WEB, Channel.APP}))

    assert isinstance(decide(web, channel="web"), AcceptedTouchpoint)
    assert decide(web, channel="phone") == reject(
        TouchpointRejection.CHANNEL_NOT_ALLOWED, id_="call-1", field="channel", allowed="app, web"
    )


def test_a_source_whose_channels_are_all_unknown_may_send_none() -> None:
    assert isinstance(decide(Source(name="old", channels=frozenset()), channel="web"), ItemResult)


@pytest.mark.parametrize(
    ("scopes", "replay", "reason"),
    [
        pytest.param({SourceScope.WRITE}, False, None, id="a writer writes"),
        pytest.param({SourceScope.WRITE}, True, TouchpointRejection.REPLAY_NOT_ALLOWED, id="a writer may not replay"),
        pytest.param({SourceScope.REPLAY}, True, None, id="an importer replays"),
        pytest.param(
            {SourceScope.REPLAY}, False, TouchpointRejection.WRITE_NOT_ALLOWED, id="an importer may not write"
        ),
        pytest.param({SourceScope.WRITE, SourceScope.REPLAY}, True, None, id="both may replay"),
        pytest.param({SourceScope.WRITE, SourceScope.REPLAY}, False, None, id="both may write"),
    ],
)
def test_scopes_say_who_may_replay(scopes: set[SourceScope], replay: bool, reason: TouchpointRejection | None) -> None:
    found = decide(Source(name="x", scopes=frozenset(scopes)), replay=replay)

    if isinstance(found, AcceptedTouchpoint):
        assert (reason, found.touchpoint.replay) == (None, replay)
    else:
        assert (found.reason, found.field) == (reason, "replay")


def test_another_sources_name_is_refused_and_ones_own_is_not() -> None:
    assert decide(IVR, source="web") == reject(TouchpointRejection.SOURCE_MISMATCH, id_="call-1", field="source")
    assert accepted(IVR, source="ivr").touchpoint.source == "ivr"


def test_an_identifier_that_names_nobody_is_left_out() -> None:
    found = accepted(customer={"phone": "1588-1234", "email": "null", "cookie": "c-77", "customer_id": "C-1"})

    assert set(found.touchpoint.customer) == {"cookie", "customer_id"}
    assert found.dropped == (
        DroppedIdentifier(type="phone", reason=DropReason.SERVICE_NUMBER),
        DroppedIdentifier(type="email", reason=DropReason.BLOCKED),
    )


def test_a_touchpoint_without_a_usable_identifier_is_rejected_with_what_was_left_out() -> None:
    assert decide(customer={"phone": "114", "email": "kim@"}) == reject(
        TouchpointRejection.NO_USABLE_IDENTIFIER,
        id_="call-1",
        field="customer",
        dropped=(
            DroppedIdentifier(type="phone", reason=DropReason.SERVICE_NUMBER),
            DroppedIdentifier(type="email", reason=DropReason.INVALID),
        ),
    )


@pytest.mark.parametrize(
    ("customer", "key"),
    [
        ({"cookie": "c", "phone": "010-1234-5678"}, ("phone", "+821012345678")),
        ({"phone": "010-1234-5678", "email": "A@Example.com"}, ("email", "a@example.com")),
        ({"email": "a@example.com", "customer_id": {"value": "C-1", "verified": True}}, ("customer_id", "C-1")),
        ({"customer_id": "null", "session_id": "s", "cookie": "c"}, ("cookie", "c")),
        ({"acme_id": "x", "device_id": "d"}, ("acme_id", "x")),
    ],
)
def test_the_strongest_usable_identifier_keys_the_record(customer: dict[str, Any], key: tuple[str, str]) -> None:
    assert accepted(customer=customer).key == key
