"""The life of one touchpoint, as docs/life-of-a-touchpoint.md tells it; read them side by side.

The interpreter is watched while the story is told: it fails if the page names a function that the story does not take,
or one that another function calls than the page says.
"""

import gzip
import re
import unicodedata
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from schemas.documents import friction as friction_v1
from schemas.documents import touchpoint as touchpoint_v1
from services.alerts.deliver.retry import AttemptOutcome
from services.journey.consume.decoding import PoisonCode
from services.journey.domain.names import friction_id
from services.runtime.kafka.record import ProducerRecord
from tests.stories.company import Company, at
from tests.stories.journey_tables import rules_of
from tests.stories.spine import (
    LINK,
    PAGE,
    FunctionPlace,
    definition,
    functions_in,
    read_spine,
    recorded_calls,
    steps_of,
    untrue,
)
from tests.stories.whole_way import WholeWay, open_whole_way

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

WORDS = "어제 채팅으로도 물어봤는데 아직 해결이 안 됐어요"

CALL = {
    "id": "call-8841-end",
    "occurred_at": "2026-11-22T09:15:00+09:00",
    "channel": "phone",
    "kind": "call_ended",
    "customer": {"phone": "010-1234-5678", "customer_id": {"value": "C-1009", "verified": True}},
    "direction": "inbound",
    "outcome": "unresolved",
    "reason": "billing",
    "refs": {"case_id": "T-77"},
    "interaction_id": "call-8841",
    "wait_s": 412,
    "service_level": "premium",
    "text": unicodedata.normalize("NFD", WORDS),  # as some telephone systems spell Korean
}


# --- the story ---------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def way(database: str) -> AsyncIterator[WholeWay]:
    """Return the three services on an empty database."""
    async with open_whole_way(database) as opened:
        yield opened


@pytest.mark.local
async def test_one_touchpoint_from_http_to_the_signed_webhook(way: WholeWay) -> None:
    now = way.clock.now()
    await yesterdays_chat(way, now - timedelta(hours=15))

    with recorded_calls() as calls:
        # 1 and 2. Bytes come in; the source is known by its key, and the answer says what became of each touchpoint.
        happened = now - timedelta(minutes=1)
        answer = await way.post("ivr", CALL | {"occurred_at": happened.isoformat()}, traceparent=TRACE)
        assert (answer.status, answer.outcomes) == (202, ["accepted"])
        (record,) = way.deliver()
        published = touchpoint_v1.decode(record.value or b"")

        # 3 to 5. It was held to the contract and accepted in its normal form: one spelling of text and phone, UTC.
        assert published.text == WORDS != CALL["text"]
        assert published.customer["phone"].value == "+821012345678"
        assert (published.source, published.id) == ("ivr", "call-8841-end")
        assert (published.occurred_at, published.received_at) == (happened, now)

        # 6. Kafka has acknowledged it: the id and the trace are headers, and the key tells nobody's number.
        assert header(record, "ce_source") == "/waymark/ingest/ivr"
        assert header(record, "ce_id") == "call-8841-end"
        assert header(record, "traceparent") == TRACE
        assert b"C-1009" not in (record.key or b"")

        # 7 to 18. The worker applies it in one transaction, and publishes frictions with their evidence and the trace.
        frictions = await way.apply()
        rules = [read(one).rule for one in frictions]
        assert sorted(rules) == ["long_wait", "repeat_contact_24h", "repeat_contact_7d"]
        repeat = next(one for one in map(read, frictions) if one.rule == "repeat_contact_24h")
        assert repeat.id == str(
            friction_id("repeat_contact_24h", "ivr", interaction_id="call-8841", touchpoint_id="call-8841-end")
        )
        evidence = [(one.source, one.id) for one in repeat.touchpoints]
        assert evidence == [("chatbot", "chat-330"), ("ivr", "call-8841-end")]
        assert {header(one, "traceparent") for one in frictions} == {TRACE}

        # 19 to 24. All three are one issue, and its webhook is signed, sent, and believed by who knows the secret.
        webhook = await way.notify(frictions)

    assert (webhook.type, webhook.document["reason"], webhook.issue["count"]) == ("issue.opened", "first", 3)
    assert webhook.webhook_id.startswith("msg_")
    assert repeat.id in webhook.issue["frictions"]
    assert not any(clear in str(webhook.document) for clear in ("C-1009", "12345678", WORDS))

    page = PAGE.read_text(encoding="utf-8")
    assert untrue(page, calls) == []
    assert [what for what, wrong in wrong_pages(page).items() if not untrue(wrong, calls)] == []


async def yesterdays_chat(way: WholeWay, when: datetime) -> None:
    """Let a customer chat, and let that be applied; nothing is hard about it yet."""
    way.clock.set(when)
    answer = await way.post(
        "chatbot",
        {
            "id": "chat-330",
            "occurred_at": when.isoformat(),
            "channel": "chat",
            "kind": "chat_ended",
            "direction": "inbound",
            "customer": {"customer_id": "C-1009"},
            "reason": "billing",
            "refs": {"case_id": "T-77"},
        },
    )
    assert answer.outcomes == ["accepted"]
    way.deliver()
    assert await way.apply() == []
    way.clock.set(when + timedelta(hours=15))


def wrong_pages(page: str) -> dict[str, str]:
    """Return pages that say a little less than the truth, by what is wrong with them."""
    rows = [line for line in page.splitlines() if re.match(r"\| *\d+ *\|", line)]
    wrong = {f"row {number} left out": page.replace(row, "") for number, row in enumerate(rows, start=1)}
    for upper, lower in zip(read_spine(page), read_spine(page)[1:], strict=False):
        if upper.function != lower.function:
            first, second = rows[upper.number - 1], rows[lower.number - 1]
            links = [found[0] for found in map(LINK.search, (first, second)) if found]
            swapped = page.replace(first, first.replace(links[0], links[1]))
            wrong[f"rows {upper.number} and {lower.number} exchanged"] = swapped.replace(
                second, second.replace(links[1], links[0])
            )
    wrong["a function that is gone"] = page.replace("`project_segmented`", "`projected`")
    wrong["a function that the way does not take"] = page.replace("`filter_duplicates`", "`bury_batch`")
    wrong["a caller that calls something else"] = page.replace(
        "`project_segmented` | 14 |", "`project_segmented` | 13 |"
    )
    wrong["a boundary that is none"] = page.replace("| table `outbox` |", "| table `frictions` |")
    return wrong


# --- if it fails -------------------------------------------------------------------------------------------------


async def test_a_body_that_is_too_large_is_refused_as_a_whole(company: Company) -> None:
    company.clock.set(at("09:16"))
    bomb = gzip.compress(b"[" + b" " * 17_000_000 + b"]")

    answer = await company.ingest.post(bomb, content_encoding="gzip")

    assert answer.status == 413
    assert company.carry() == []


async def test_what_breaks_the_contract_is_rejected_with_the_member_that_does(company: Company) -> None:
    company.clock.set(at("09:16"))

    answer = await company.post("ivr", {**CALL, "channel": "fax"})

    assert (answer.status, answer.results[0]["field"]) == (422, "channel")
    assert company.ingest.publisher.dead_letters[0].code == "invalid_field"


async def test_what_cannot_be_right_is_rejected_for_a_reason(company: Company) -> None:
    company.clock.set(at("08:00"))

    answer = await company.post("ivr", CALL)

    assert (answer.status, answer.outcomes) == (422, ["occurred_at_in_future"])


async def test_without_the_acknowledgement_nothing_is_called_accepted(company: Company) -> None:
    company.clock.set(at("09:16"))
    company.ingest.publisher.refuse = {touchpoint_v1.TOPIC}

    answer = await company.post("ivr", CALL)

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.results[0]["status"] == "unavailable"


async def test_a_record_that_is_no_touchpoint_is_buried_and_the_next_one_applied(company: Company) -> None:
    company.clock.set(at("09:16"))
    company.journey.append(ProducerRecord(topic=touchpoint_v1.TOPIC, key=b"k", value="아무 말".encode()))
    await company.post("ivr", CALL)

    company.follow()

    assert company.journey.dead_letters == [PoisonCode.NOT_A_TOUCHPOINT]
    assert rules_of(company.journey.of("customer_id", "C-1009")) == ["long_wait"]


async def test_an_older_revision_changes_nothing(company: Company) -> None:
    company.clock.set(at("09:16"))
    await company.post("ivr", CALL)
    frictions = company.follow()

    assert len(company.alerts.apply(frictions)) == 1
    assert company.alerts.apply(frictions) == []


async def test_a_receiver_that_is_away_is_tried_again_and_told_once(company: Company) -> None:
    company.clock.set(at("09:16"))
    await company.post("ivr", CALL)
    company.alerts.apply(company.follow())

    company.alerts.desk.busy = True
    assert await company.alerts.deliver() == [AttemptOutcome.RETRY]
    company.alerts.desk.busy = False
    assert await company.alerts.deliver() == [AttemptOutcome.DELIVERED]
    assert await company.alerts.deliver() == []
    assert len(company.alerts.desk.received) == 1


# --- the page ----------------------------------------------------------------------------------------------------

TRANSACTION = ("services/journey/apply/transaction.py", "BatchTransaction.apply")
STAND_IN = ("tests/stories/journey_tables.py", "JourneyTables.apply")
"""What takes the steps of the transaction in the other stories, without a database."""

STEPS = ("judge", "filter_duplicates", "resolve", "renew", "advance")


def test_what_the_page_links_to_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    links = list(LINK.finditer(text))

    assert text.count("[`") == len(links), "every link to code is followed by its function"
    assert [link[0] for link in links if not link["target"].endswith(link["file"])] == []
    assert [function for function in functions_in(text) if definition(function) is None] == []


@pytest.mark.parametrize("function", [TRANSACTION, STAND_IN], ids=["worker", "stand-in"])
def test_the_worker_and_its_stand_in_take_the_same_steps(function: FunctionPlace) -> None:
    assert [step for step in steps_of(function) if step in STEPS] == list(STEPS)


def read(record: ProducerRecord) -> friction_v1.FrictionDocument:
    """Return the friction in a record."""
    return friction_v1.decode(record.value or b"")


def header(record: ProducerRecord, name: str) -> str:
    """Return a header of a record."""
    return dict(record.headers)[name].decode()
