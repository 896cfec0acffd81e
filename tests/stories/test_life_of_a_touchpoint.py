"""The life of one touchpoint, told in the nine hops of docs/life-of-a-touchpoint.md; read them side by side.

The interpreter is watched while the story is told, so a hop that the document names and the story does not take fails.
"""

import gzip
import re
import unicodedata

import pytest

from schemas.documents import friction as friction_v1
from schemas.documents import touchpoint as touchpoint_v1
from services.alerts.deliver.retry import AttemptOutcome
from services.alerts.issues.model import AlertSeverity
from services.alerts.notify.decision import NotificationReason
from services.journey.consume.decoding import PoisonCode
from services.journey.domain.names import friction_id
from services.runtime.kafka.record import ProducerRecord
from tests.stories.company import Company, at
from tests.stories.hops import HOPS, IN_SQL, ROOT, STAND_IN, STEPS, Hop, calls, code_of, definition, length, watched
from tests.stories.journey_tables import rules_of

DOCUMENT = ROOT / "docs" / "life-of-a-touchpoint.md"
LINES_IN_ALL = 160

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


async def test_one_touchpoint_from_http_to_the_signed_webhook(company: Company) -> None:
    await company.hears(
        "chatbot",
        "chat_ended",
        at("17:40", day=21),
        id="chat-330",
        channel="chat",
        direction="inbound",
        customer={"customer_id": "C-1009"},
        reason="billing",
        refs={"case_id": "T-77"},
    )
    company.clock.set(at("09:16"))

    with watched() as taken:
        # 1. Bytes come in; the source is known by its key, and the answer says what became of each touchpoint.
        answer = await company.post("ivr", CALL, traceparent=TRACE)
        assert (answer.status, answer.outcomes) == (202, ["accepted"])

        (record,) = company.carry()
        published = touchpoint_v1.decode(record.value or b"")

        # 2. It was held to the contract, and its text put into one spelling.
        assert published.text == WORDS != CALL["text"]

        # 3. It was accepted in its normal form: one spelling of the phone, UTC, whose it is and when it came.
        assert published.customer["phone"].value == "+821012345678"
        assert (published.source, published.id) == ("ivr", "call-8841-end")
        assert published.occurred_at == at("09:15")
        assert published.received_at == at("09:16")

        # 4. Kafka has acknowledged it: the id and the trace are headers, and the key tells nobody's number.
        assert header(record, "ce_source") == "/waymark/ingest/ivr"
        assert header(record, "ce_id") == "call-8841-end"
        assert header(record, "traceparent") == TRACE
        assert b"C-1009" not in (record.key or b"")

        # 5. The worker applies it, and when it is delivered again it is not applied again.
        frictions = company.journey.read_on()
        assert company.journey.read_on(rewind=2) == []
        customer = company.journey.of("customer_id", "C-1009")
        assert company.journey.of("phone", "+821012345678") is customer

        # 6. The customer's touchpoints, ordered, are one journey: yesterday's chat and this call.
        assert customer.projection is not None
        (journey,) = customer.projection.journeys
        assert (journey.contact_count, journey.channels) == (2, ("chat", "phone"))

        # 7. Rules find what is hard about it. Each friction names its evidence, and the trace goes with it.
        assert rules_of(customer) == ["long_wait", "repeat_contact_24h", "repeat_contact_7d"]
        repeat = next(one for one in map(read, frictions) if one.rule == "repeat_contact_24h")
        assert repeat.id == str(
            friction_id("repeat_contact_24h", "ivr", interaction_id="call-8841", touchpoint_id="call-8841-end")
        )
        assert [(one.source, one.id) for one in repeat.touchpoints] == [
            ("chatbot", "chat-330"),
            ("ivr", "call-8841-end"),
        ]
        assert {header(one, "traceparent") for one in frictions} == {TRACE}

        # 8. All three are one issue of the billing team, who are told at once.
        (told,) = company.alerts.apply(frictions)
        issue = company.issue()
        assert (issue.severity, issue.count, issue.team) == (AlertSeverity.CRITICAL, 3, "요금상담팀")
        assert (told.reason, told.type) == (NotificationReason.FIRST, "issue.opened")

        # 9. The webhook is signed, sent, and believed by a receiver that knows the secret.
        assert await company.alerts.deliver() == [AttemptOutcome.DELIVERED]
        (webhook,) = company.alerts.desk.received
        assert webhook.headers["webhook-id"].startswith("msg_")
        assert webhook.document["data"]["title"]["ko"] == "24시간 안에 다시 문의한 고객"
        assert repeat.id in webhook.document["data"]["frictions"]
        assert not any(clear in str(webhook.document) for clear in ("C-1009", "12345678", WORDS))

    assert [hop for hop in HOPS if code_of(hop) not in taken] == [IN_SQL]
    assert code_of(STAND_IN) in taken


# --- if it fails -------------------------------------------------------------------------------------------------


async def test_1_a_body_that_is_too_large_is_refused_as_a_whole(company: Company) -> None:
    company.clock.set(at("09:16"))
    bomb = gzip.compress(b"[" + b" " * 17_000_000 + b"]")

    answer = await company.ingest.post(bomb, content_encoding="gzip")

    assert answer.status == 413
    assert company.carry() == []


async def test_2_what_breaks_the_contract_is_rejected_with_the_member_that_does(company: Company) -> None:
    company.clock.set(at("09:16"))

    answer = await company.post("ivr", {**CALL, "channel": "fax"})

    assert (answer.status, answer.results[0]["field"]) == (422, "channel")
    assert company.ingest.publisher.dead_letters[0].code == "invalid_field"


async def test_3_what_cannot_be_right_is_rejected_for_a_reason(company: Company) -> None:
    company.clock.set(at("08:00"))

    answer = await company.post("ivr", CALL)

    assert (answer.status, answer.outcomes) == (422, ["occurred_at_in_future"])


async def test_4_without_the_acknowledgement_nothing_is_called_accepted(company: Company) -> None:
    company.clock.set(at("09:16"))
    company.ingest.publisher.refuse = {touchpoint_v1.TOPIC}

    answer = await company.post("ivr", CALL)

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.results[0]["status"] == "unavailable"


async def test_5_a_record_that_is_no_touchpoint_is_buried_and_the_next_one_applied(company: Company) -> None:
    company.clock.set(at("09:16"))
    company.journey.append(ProducerRecord(topic=touchpoint_v1.TOPIC, key=b"k", value="아무 말".encode()))
    await company.post("ivr", CALL)

    company.follow()

    assert company.journey.dead_letters == [PoisonCode.NOT_A_TOUCHPOINT]
    assert rules_of(company.journey.of("customer_id", "C-1009")) == ["long_wait"]


async def test_8_an_older_revision_changes_nothing(company: Company) -> None:
    company.clock.set(at("09:16"))
    await company.post("ivr", CALL)
    frictions = company.follow()

    assert len(company.alerts.apply(frictions)) == 1
    assert company.alerts.apply(frictions) == []


async def test_9_a_receiver_that_is_away_is_tried_again_and_told_once(company: Company) -> None:
    company.clock.set(at("09:16"))
    await company.post("ivr", CALL)
    company.alerts.apply(company.follow())

    company.alerts.desk.busy = True
    assert await company.alerts.deliver() == [AttemptOutcome.RETRY]
    company.alerts.desk.busy = False
    assert await company.alerts.deliver() == [AttemptOutcome.DELIVERED]
    assert await company.alerts.deliver() == []
    assert len(company.alerts.desk.received) == 1


# --- the document ------------------------------------------------------------------------------------------------

_LINK = re.compile(r"\[`(?P<file>[^`\]]+)`\]\((?P<target>[^)#]+)\) `(?P<function>[\w.]+)`")


def rows() -> list[list[str]]:
    """Return the cells of the document's table of hops."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| *\d+ *\|", line)]


def named(text: str) -> list[Hop]:
    """Return the functions that a text names, by the files that its links lead to."""
    return [
        (str((DOCUMENT.parent / link["target"]).resolve().relative_to(ROOT)), link["function"])
        for link in _LINK.finditer(text)
    ]


def test_the_document_has_the_nine_hops_of_the_story() -> None:
    assert [row[0] for row in rows()] == [str(number) for number in range(1, 10)]
    assert [named(row[1]) for row in rows()] == [[hop] for hop in HOPS]


def test_every_row_says_what_happens_and_what_happens_if_it_fails() -> None:
    assert [row for row in rows() if len(row) != 4 or not all(row)] == []


def test_the_document_says_what_stands_at_the_end_of_its_links() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    links = list(_LINK.finditer(text))

    assert len(links) > len(HOPS)
    assert text.count("[`") == len(links), "every link to code is followed by its function"
    assert [link[0] for link in links if not link["target"].endswith(link["file"])] == []
    assert [function for function in named(text) if definition(function) is None] == []


def test_each_hop_can_be_read_in_one_sitting() -> None:
    lengths = {hop: length(hop) for hop in HOPS}

    assert {hop: lines for hop, lines in lengths.items() if lines > 30} == {}
    assert sum(lengths.values()) <= LINES_IN_ALL


@pytest.mark.parametrize("function", [IN_SQL, STAND_IN], ids=["worker", "stand-in"])
def test_the_worker_and_its_stand_in_take_the_same_steps(function: Hop) -> None:
    assert [step for step in calls(function) if step in STEPS] == list(STEPS)


def test_the_document_names_the_steps_of_the_fifth_hop() -> None:
    places = [rows()[4][2].find(f"`{step}`") for step in STEPS]

    assert -1 not in places
    assert places == sorted(places)


def test_a_function_that_is_gone_would_be_noticed() -> None:
    assert definition(("services/ingest/touchpoint/contract.py", "read")) is not None
    assert definition(("services/ingest/touchpoint/contract.py", "gone")) is None
    assert definition(("services/ingest/forms/native/post_touchpoints.py", "PostTouchpoints.gone")) is None


def read(record: ProducerRecord) -> friction_v1.FrictionDocument:
    """Return the friction in a record."""
    return friction_v1.decode(record.value or b"")


def header(record: ProducerRecord, name: str) -> str:
    """Return a header of a record."""
    return dict(record.headers)[name].decode()
