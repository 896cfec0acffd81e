"""The contacts of a customer over HTTP: what is told of each, how they page, and that the worker counts the same."""

import random
from typing import Any

import httpx2
import pytest

from schemas.documents import touchpoint as touchpoint_v1
from services.journey.read.contact_reading import ContactReader
from services.journey.read.timeline import TimelineOrder, TimelinePart, TimeSpan
from services.runtime.postgres.pools import Pool, acquire
from tests.fixtures.journey_api import caller_with_key
from tests.fixtures.journey_bench import open_bench, touchpoint
from tests.fixtures.journey_rows import Rows, named

pytestmark = pytest.mark.local

PHONE = "+821012345678"
CONTACTS = "/v1/customers/phone:%2B821012345678/contacts"


async def conversation(rows: Rows) -> None:
    """A chat with a bot and then a person, and a call two hours later."""
    await rows.customer("minseo")
    await rows.identifier("minseo", "phone", PHONE)
    await rows.journey("minseo", "billing")
    told: list[tuple[str, float, str, str | None, dict[str, Any]]] = [
        ("hello", 0, "message_received", "inbound", {"reason": "billing"}),
        ("bot", 0.5, "bot_replied", "outbound", {}),
        ("again", 1, "message_received", "inbound", {}),
        ("person", 6, "message_sent", "outbound", {"outcome": "delivered"}),
        ("thanks", 30, "message_received", "inbound", {"outcome": "resolved"}),
    ]
    for id_, minutes, kind, direction, more in told:
        chat = {"source": "line", "channel": "messenger", "kind": kind, "direction": direction, "journey": "billing"}
        await rows.touchpoint("minseo", id_, minutes, **chat, **more)
    await rows.touchpoint("minseo", "call", 150, direction="inbound", wait_s=412, transfers=1, interaction_id="i-1")
    await rows.friction("minseo", "repeat", ["hello", "call"], journey="billing")


async def test_a_contact_says_when_it_was_how_it_ended_and_how_long_the_customer_waited(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await conversation(journey_rows)
    answer = await reader.get(CONTACTS, params={"order": "oldest_first"})
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert (page["customer_id"], page["complete"], "next_cursor" in page) == (str(named("minseo")), True, False)
    chat, call = page["contacts"]
    assert chat == {
        "touchpoint": {"source": "line", "id": "hello"},
        "channel": "messenger",
        "kind": "message_received",
        "began_at": "2026-11-20T09:00:00.000000Z",
        "contacted_at": "2026-11-20T09:00:00.000000Z",
        "ended_at": "2026-11-20T09:30:00.000000Z",
        "outcome": "resolved",
        "reason": "billing",
        "refs": {},
        "message_count": 5,
        "turn_count": 5,
        "first_reply_after_s": 30.0,
        "handed_over_at": "2026-11-20T09:06:00.000000Z",
        "touchpoint_count": 5,
        "touchpoints": [{"source": "line", "id": id_} for id_ in ("hello", "bot", "again", "person", "thanks")],
        "journey_id": str(named("billing")),
        "friction_ids": [],
    }
    assert (call["interaction_id"], call["wait_s"], call["transfers"], call["message_count"]) == ("i-1", 412, 1, 0)
    assert call["friction_ids"] == [str(named("repeat"))]
    assert [one["id"] for one in page["frictions"]] == [str(named("repeat"))]


async def test_newest_come_first_and_a_span_is_of_when_the_customer_turned_to_us(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await conversation(journey_rows)

    async def shown(**query: str) -> list[str]:
        page = (await reader.get(CONTACTS, params=query)).json()
        return [one["touchpoint"]["id"] for one in page["contacts"]]

    assert await shown() == ["call", "hello"]
    assert await shown(to="2026-11-20T11:30:00Z") == ["hello"]
    assert await shown(**{"from": "2026-11-20T09:00:00.000001Z"}) == ["call"]
    empty = await reader.get(CONTACTS, params={"from": "2026-11-20T10:00:00Z", "to": "2026-11-20T10:00:00Z"})
    assert (empty.status_code, empty.json()["code"]) == (400, "range_empty")


@pytest.mark.parametrize("order", TimelineOrder)
async def test_a_walk_meets_every_contact_once_though_others_come(
    reader: httpx2.AsyncClient, journey_rows: Rows, order: TimelineOrder
) -> None:
    await journey_rows.customer("minseo")
    await journey_rows.identifier("minseo", "phone", PHONE)
    for number in range(20):
        await journey_rows.touchpoint("minseo", f"t{number}", number % 6, direction="inbound")
    shown: list[str] = []
    asked: dict[str, Any] = {"order": order, "limit": 3}
    while True:
        page = (await reader.get(CONTACTS, params=asked)).json()
        shown += [one["touchpoint"]["id"] for one in page["contacts"]]
        if "next_cursor" not in page:
            break
        asked["cursor"] = page["next_cursor"]
        await journey_rows.touchpoint("minseo", f"later-{len(shown)}", 3, direction="inbound")
    assert {f"t{number}" for number in range(20)} <= set(shown)
    assert len(shown) == len(set(shown))
    other = await reader.get(f"{CONTACTS}?limit=3&order={order}", params={**asked, "from": "2026-11-20T09:00:00Z"})
    assert (other.status_code, other.json()["code"]) == (400, "cursor_invalid")


async def test_a_walk_whose_identifier_goes_over_to_somebody_else_ends(
    reader: httpx2.AsyncClient, journey_rows: Rows, pool: Pool
) -> None:
    await conversation(journey_rows)
    cursor = (await reader.get(CONTACTS, params={"limit": 1})).json()["next_cursor"]
    await journey_rows.customer("somebody else")
    async with acquire(pool) as connection:
        await connection.execute("UPDATE journey.identifiers SET customer_id = $1", named("somebody else"))
    answer = await reader.get(CONTACTS, params={"limit": 1, "cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (410, "customer_moved")


async def test_nobody_and_a_key_that_may_not(reader: httpx2.AsyncClient, stranger: httpx2.AsyncClient) -> None:
    assert (await reader.get(CONTACTS)).json()["code"] == "customer_unknown"
    assert (await stranger.get(CONTACTS)).status_code == 401
    assert (await reader.get(CONTACTS, params={"sort": "asc"})).status_code == 422
    assert (await reader.get(CONTACTS, params={"as_of": "yesterday"})).status_code == 422


async def test_the_contacts_of_absorbed_customers_are_one_list_and_late_touchpoints_make_none(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await conversation(journey_rows)
    await journey_rows.customer("visitor", merged_into="minseo")
    line = {"source": "line", "channel": "messenger", "kind": "message_received", "direction": "inbound"}
    await journey_rows.touchpoint("visitor", "joins", 59, **line)
    await journey_rows.touchpoint("visitor", "late", 300, **line, late=True)
    page = (await reader.get(CONTACTS)).json()
    assert [(one["touchpoint"]["id"], one["touchpoint_count"]) for one in page["contacts"]] == [
        ("call", 1),
        ("hello", 6),
    ]


async def test_of_a_very_long_history_the_latest_part_is_told_and_said_to_be_so(journey_rows: Rows, pool: Pool) -> None:
    await conversation(journey_rows)
    asked = named("minseo"), TimelinePart(span=TimeSpan(), after=None, limit=50, order=TimelineOrder.OLDEST_FIRST)
    whole, cut = await ContactReader(pool, 6).contacts(*asked), await ContactReader(pool, 2).contacts(*asked)
    assert whole is not None
    assert cut is not None
    assert (whole.complete, [one.touchpoint.id for one in whole.contacts]) == (True, ["hello", "call"])
    assert (cut.complete, [one.touchpoint.id for one in cut.contacts]) == (False, ["thanks", "call"])


async def test_what_was_appended_before_contacts_were_conversations_is_told_as_it_was_judged(
    reader: httpx2.AsyncClient, journey_rows: Rows, pool: Pool
) -> None:
    await conversation(journey_rows)
    async with acquire(pool) as connection:
        await connection.execute("INSERT INTO journey.moments VALUES ('conversations', '2026-11-20T10:00:00Z')")
    page = (await reader.get(CONTACTS)).json()
    assert [one["touchpoint"]["id"] for one in page["contacts"]] == ["call", "thanks", "again", "hello"]


@pytest.mark.parametrize("seed", range(2))
async def test_the_worker_counts_the_same_contacts(database: str, pool: Pool, seed: int) -> None:
    rng = random.Random(seed)
    async with open_bench(database) as bench:
        for number in range(60):
            bench.log.append(number % 2, _anything(rng, number))
        await bench.apply(batch=7)
        counted = await bench.value("SELECT sum((payload ->> 'contact_count')::int) FROM journey.journeys")
    async with caller_with_key(pool) as reader:
        page = (await reader.get("/v1/customers/customer_id:C-1/contacts", params={"limit": 200})).json()
    assert counted == len(page["contacts"]) > 10
    assert max(one["touchpoint_count"] for one in page["contacts"]) > 1


def _anything(rng: random.Random, number: int) -> touchpoint_v1.TouchpointDocument:
    kind = rng.choice(("message_received", "message_sent", "bot_replied", "call_ended", "chat_started", "page_viewed"))
    return touchpoint(
        f"t{number}",
        rng.randrange(0, 300),
        source=rng.choice(("line", "kakao")),
        kind=kind,
        channel=rng.choice(("messenger", "chat", "phone")),
        direction="outbound" if kind in {"message_sent", "bot_replied"} else "inbound",
        interaction_id=rng.choice((None, None, "i1", "i2")),
    )


async def test_contacts_are_counted_as_they_begin_and_end(database: str) -> None:
    """Lines of a messenger in batches of their own are one contact; who is renewed without a new touchpoint is none."""
    line = {"channel": "messenger", "kind": "message_received", "direction": "inbound"}
    async with open_bench(database) as bench:
        for number in range(3):
            bench.log.append(0, touchpoint(f"line-{number}", number, **line))
            await bench.apply()
        bench.log.append(0, touchpoint("line-2", 2, **line))
        bench.log.append(0, touchpoint("call", 60, kind="call_ended", outcome="unresolved", interaction_id="i-1"))
        await bench.apply()
        counted = {
            tuple(sample.labels.values()): sample.value
            for metric in bench.registry.collect()
            for sample in metric.samples
            if sample.name == "waymark_journey_contacts_total"
        }
    assert counted == {("messenger", "began"): 1, ("phone", "began"): 1, ("phone", "unresolved"): 1}
