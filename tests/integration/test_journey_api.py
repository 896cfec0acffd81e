"""The read API over a real database: what it finds, what it refuses, and how it pages."""

from typing import Any
from urllib.parse import quote, urljoin

import httpx2
import pytest

from services.runtime.credentials.api_keys import KeyKind, mint
from services.runtime.postgres.pools import Pool, acquire
from tests.fixtures.journey_api import store_key
from tests.fixtures.journey_rows import Rows, at, named

pytestmark = pytest.mark.local


def _customer(reference: str, suffix: str = "") -> str:
    return f"/v1/customers/{quote(reference, safe=':')}{suffix}"


async def _story(journey_rows: Rows) -> None:
    """Min-seo calls twice in half an hour; the second time is friction."""
    await journey_rows.customer("minseo", level="premium")
    await journey_rows.identifier("minseo", "phone", "+821012345678", verified=True)
    await journey_rows.identifier("minseo", "email", "minseo@mail.example")
    await journey_rows.journey("minseo", "billing", reason="billing", refs={"case_id": "T-77"}, effort=35)
    await journey_rows.touchpoint(
        "minseo", "call-1", 0, journey="billing", reason="billing", direction="inbound", text="해결이 안 됐어요"
    )
    await journey_rows.touchpoint("minseo", "call-2", 30, journey="billing", reason="billing", direction="inbound")
    await journey_rows.friction("minseo", "again", ["call-1", "call-2"], journey="billing")


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("phone:+821012345678", id="as stored"),
        pytest.param("phone:010-1234-5678", id="phone as Koreans write it"),
        pytest.param("email:MinSeo@Mail.Example", id="e-mail in any case"),
        pytest.param(f"id:{named('minseo')}", id="customer id"),
        pytest.param(str(named("minseo")), id="customer id alone"),
    ],
)
async def test_a_customer_is_found_by_any_identifier(
    reader: httpx2.AsyncClient, journey_rows: Rows, reference: str
) -> None:
    await _story(journey_rows)
    answer = await reader.get(_customer(reference))
    assert answer.status_code == 200, answer.text
    assert answer.json()["customer_id"] == str(named("minseo"))


async def test_a_customer_comes_with_identifiers_journeys_effort_and_frictions(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await _story(journey_rows)
    found = (await reader.get(_customer("phone:+821012345678"))).json()
    assert found["service_level"] == "premium"
    assert [(one["type"], one["value"], one["verified"]) for one in found["identifiers"]] == [
        ("email", "minseo@mail.example", False),
        ("phone", "+821012345678", True),
    ]
    assert found["effort"] == 35
    (journey,) = found["journeys"]
    assert (journey["id"], journey["state"], journey["refs"]) == (str(named("billing")), "open", {"case_id": "T-77"})
    (friction,) = found["frictions"]
    assert friction["id"] == str(named("again"))
    assert friction["rule"] == "repeat_contact_24h"
    assert friction["state"] == "detected"
    assert friction["journey_id"] == str(named("billing"))
    assert friction["touchpoints"] == [{"source": "ivr", "id": "call-1"}, {"source": "ivr", "id": "call-2"}]
    assert friction["refs"] == {"case_id": "T-77"}
    assert friction["detected_at"] == "2026-11-20T09:31:00.000000Z"
    assert friction["severity"] == "high"
    assert friction["title"]["ko"] == "다시 연락함"


async def test_an_absorbed_customer_leads_to_the_survivor_with_the_belongings_of_both(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await _story(journey_rows)
    await journey_rows.customer("visitor", merged_into="minseo")
    await journey_rows.customer("earlier visitor", merged_into="visitor")
    await journey_rows.identifier("earlier visitor", "cookie", "ck-1")
    await journey_rows.touchpoint("visitor", "page-1", -5, source="web", channel="web", kind="page_viewed")
    found = (await reader.get(_customer("cookie:ck-1"))).json()
    assert found["customer_id"] == str(named("minseo"))
    assert len(found["identifiers"]) == 3
    assert set(found["merged_from"]) == {str(named("visitor")), str(named("earlier visitor"))}
    timeline = (await reader.get(_customer(f"id:{named('visitor')}", "/timeline"))).json()
    assert [one["id"] for one in timeline["touchpoints"]] == ["page-1", "call-1", "call-2"]


async def test_an_unknown_customer_is_a_problem_that_helps_and_repeats_nothing(reader: httpx2.AsyncClient) -> None:
    answer = await reader.get(_customer("email:nobody@mail.example"))
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "customer_unknown"
    assert "nobody" not in answer.text


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        pytest.param("phone", "identifier_malformed", id="no colon"),
        pytest.param("phone:ring-me", "identifier_malformed", id="no phone number"),
        pytest.param("phone:12", "identifier_blocked", id="a service number"),
        pytest.param("email:nobody", "identifier_malformed", id="no e-mail address"),
        pytest.param("id:not-a-uuid", "identifier_malformed", id="no id"),
        pytest.param("cookie:null", "identifier_blocked", id="a placeholder"),
    ],
)
async def test_a_reference_that_can_name_nobody_is_refused_with_a_reason(
    reader: httpx2.AsyncClient, reference: str, code: str
) -> None:
    answer = await reader.get(_customer(reference))
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_problems_speak_korean_to_those_who_prefer_it(reader: httpx2.AsyncClient) -> None:
    answer = await reader.get(_customer("email:a@mail.example"), headers={"accept-language": "ko-KR,ko;q=0.9,en;q=0.8"})
    assert answer.headers["content-language"] == "ko"
    assert "식별자" in answer.json()["message"]


async def test_without_a_key_nothing_is_reported(stranger: httpx2.AsyncClient, journey_rows: Rows) -> None:
    await _story(journey_rows)
    answer = await stranger.get(_customer("phone:+821012345678"))
    assert (answer.status_code, answer.json()["code"]) == (401, "key_missing")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("kind", [KeyKind.READER, KeyKind.AGENT, KeyKind.ADMIN])
async def test_readers_agents_and_admins_may_read(stranger: httpx2.AsyncClient, pool: Pool, kind: KeyKind) -> None:
    key = await store_key(pool, kind)
    answer = await stranger.get("/v1/journeys", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("kind", "stored", "expected"),
    [
        pytest.param(KeyKind.SOURCE, False, (403, "key_of_a_source"), id="a producer's"),
        pytest.param(KeyKind.READER, False, (401, "key_invalid"), id="never stored"),
        pytest.param(KeyKind.READER, True, (401, "key_invalid"), id="revoked"),
    ],
)
async def test_other_keys_may_not_read(
    stranger: httpx2.AsyncClient, pool: Pool, kind: KeyKind, stored: bool, expected: tuple[int, str]
) -> None:
    key = await store_key(pool, kind, revoked=True) if stored else mint(kind).text
    answer = await stranger.get("/v1/journeys", headers={"authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == expected


async def _pages(reader: httpx2.AsyncClient, address: str, **query: Any) -> list[dict[str, Any]]:
    pages, cursor = [], None
    while True:
        answer = await reader.get(address, params={**query, **({} if cursor is None else {"cursor": cursor})})
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        cursor = pages[-1].get("next_cursor")
        if cursor is None:
            return pages


async def test_a_timeline_stands_in_event_order_with_its_journeys_and_frictions(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await _story(journey_rows)
    await journey_rows.touchpoint(
        "minseo", "same-moment-b", 30, sequence=2, source="web", channel="web", kind="page_viewed"
    )
    await journey_rows.touchpoint(
        "minseo", "same-moment-a", 30, sequence=1, source="web", channel="web", kind="page_viewed"
    )
    await journey_rows.touchpoint("minseo", "long-ago", -9000, late=True)
    (page,) = await _pages(reader, _customer("phone:+821012345678", "/timeline"))
    shown = [one["id"] for one in page["touchpoints"]]
    assert shown == ["long-ago", "call-1", "call-2", "same-moment-a", "same-moment-b"]
    assert page["touchpoints"][0]["late"] is True
    assert page["touchpoints"][1]["friction_ids"] == [str(named("again"))]
    assert page["touchpoints"][1]["text"] == "해결이 안 됐어요"
    assert [one["id"] for one in page["journeys"]] == [str(named("billing"))]
    assert [one["id"] for one in page["frictions"]] == [str(named("again"))]


async def test_a_timeline_says_where_a_time_was_put_right(reader: httpx2.AsyncClient, journey_rows: Rows) -> None:
    await _story(journey_rows)
    said = "2026-11-22T09:15:00.000000Z"
    await journey_rows.touchpoint("minseo", "device", 31, reported_at=said, sent_at=said, time_quality="corrected")
    (page,) = await _pages(reader, _customer("phone:+821012345678", "/timeline"))
    as_said, put_right = page["touchpoints"][0], page["touchpoints"][-1]
    assert (put_right["reported_at"], put_right["time_quality"]) == (said, "corrected")
    assert (as_said.get("reported_at"), as_said.get("time_quality")) == (None, None)


async def test_a_timeline_can_be_narrowed_to_a_stretch_of_event_time(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await journey_rows.customer("minseo")
    await journey_rows.identifier("minseo", "phone", "+821012345678")
    for minute in range(5):
        await journey_rows.touchpoint("minseo", f"t{minute}", minute)
    query = {"from": at(1).isoformat(), "to": at(3).isoformat()}
    (page,) = await _pages(reader, _customer("phone:+821012345678", "/timeline"), **query)
    assert [one["id"] for one in page["touchpoints"]] == ["t1", "t2"]
    answer = await reader.get(
        _customer("phone:+821012345678", "/timeline"), params={"from": query["to"], "to": query["from"]}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "range_empty")


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_a_timeline_newest_first_is_the_other_way_round(
    reader: httpx2.AsyncClient, journey_rows: Rows, limit: int
) -> None:
    await journey_rows.customer("caller")
    await journey_rows.customer("visitor", merged_into="caller")
    await journey_rows.identifier("caller", "phone", "+821012345678")
    for number in range(8):  # pairs at one time, told apart by sequence, source and id; half of them the visitor's
        await journey_rows.touchpoint(
            "caller" if number % 3 else "visitor", f"t{number}", number // 2, sequence=number % 2 + number // 4
        )
    address = _customer("phone:+821012345678", "/timeline")
    forward = await _pages(reader, address, limit=limit)
    backward = await _pages(reader, address, limit=limit, order="newest_first")
    ids = [[one["id"] for page in pages for one in page["touchpoints"]] for pages in (forward, backward)]
    assert ids[0] == [f"t{number}" for number in range(8)]
    assert ids[1] == ids[0][::-1]


async def test_a_cursor_of_the_other_order_is_refused(reader: httpx2.AsyncClient, journey_rows: Rows) -> None:
    await _story(journey_rows)
    address = _customer("phone:+821012345678", "/timeline")
    cursor = (await reader.get(address, params={"limit": 1, "order": "newest_first"})).json()["next_cursor"]
    answer = await reader.get(address, params={"limit": 1, "cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


async def test_paging_a_timeline_meets_everything_once_though_touchpoints_arrive_meanwhile(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await journey_rows.customer("minseo")
    await journey_rows.identifier("minseo", "phone", "+821012345678")
    for number in range(10):
        await journey_rows.touchpoint("minseo", f"t{number}", number // 3)
    address = _customer("phone:+821012345678", "/timeline")
    first = (await reader.get(address, params={"limit": 4})).json()
    await journey_rows.touchpoint("minseo", "came-late", -1)
    shown = [one["id"] for one in first["touchpoints"]]
    cursor = first["next_cursor"]
    while cursor:
        page = (await reader.get(address, params={"limit": 4, "cursor": cursor})).json()
        shown += [one["id"] for one in page["touchpoints"]]
        cursor = page.get("next_cursor")
    assert shown == [f"t{number}" for number in range(10)]


async def test_paging_journeys_meets_everything_once_though_they_change_meanwhile(
    reader: httpx2.AsyncClient, journey_rows: Rows, pool: Pool
) -> None:
    await journey_rows.customer("minseo")
    for number in range(7):
        await journey_rows.journey("minseo", f"j{number}")
    first = (await reader.get("/v1/journeys", params={"limit": 3})).json()
    async with acquire(pool) as connection:
        await connection.execute("UPDATE journey.journeys SET updated_at = now(), version = version + 1")
    await journey_rows.journey("minseo", "newcomer")
    shown, cursor = [one["id"] for one in first["journeys"]], first["next_cursor"]
    while cursor:
        page = (await reader.get("/v1/journeys", params={"limit": 3, "cursor": cursor})).json()
        shown += [one["id"] for one in page["journeys"]]
        cursor = page.get("next_cursor")
    assert shown == [str(named(f"j{number}")) for number in reversed(range(7))]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"state": "closed"}, {"closed"}, id="state"),
        pytest.param({"channel": "store"}, {"closed"}, id="channel"),
        pytest.param({"reason": "billing"}, {"hard"}, id="reason"),
        pytest.param({"min_effort": 50}, {"hard"}, id="effort"),
        pytest.param({"rule": "repeat_contact_24h"}, {"hard"}, id="rule"),
        pytest.param({"rule": "transfers"}, set(), id="a retracted friction does not count"),
        pytest.param({"severity": "high"}, {"hard"}, id="severity"),
        pytest.param({"severity": "low", "rule": "repeat_contact_24h"}, set(), id="rule and severity of one friction"),
        pytest.param({"updated_since": at(1).isoformat()}, {"closed", "other's"}, id="updated since"),
        pytest.param({"customer": "phone:+821012345678"}, {"hard", "closed"}, id="customer"),
        pytest.param({"customer": "phone:+821012345678", "state": "open"}, {"hard"}, id="two filters"),
    ],
)
async def test_journeys_can_be_filtered(
    reader: httpx2.AsyncClient, journey_rows: Rows, query: dict[str, Any], expected: set[str]
) -> None:
    await journey_rows.customer("minseo")
    await journey_rows.customer("other")
    await journey_rows.identifier("minseo", "phone", "+821012345678")
    await journey_rows.journey("minseo", "hard", effort=80, reason="billing")
    await journey_rows.journey("minseo", "closed", state="closed", channels=["web", "store"])
    await journey_rows.journey("other", "other's")
    await journey_rows.friction("minseo", "again", ["call-1"], journey="hard")
    await journey_rows.friction(
        "minseo", "taken back", ["call-1"], journey="closed", state="retracted", rule="transfers"
    )
    (page,) = await _pages(reader, "/v1/journeys", **query)
    assert {one["id"] for one in page["journeys"]} == {str(named(name)) for name in expected}


async def test_a_cursor_is_refused_with_other_filters_or_when_it_is_none(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await journey_rows.customer("minseo")
    for number in range(3):
        await journey_rows.journey("minseo", f"j{number}")
    cursor = (await reader.get("/v1/journeys", params={"limit": 1})).json()["next_cursor"]
    for query in ({"cursor": cursor, "state": "open"}, {"cursor": "nonsense"}, {"cursor": cursor[:-2]}):
        answer = await reader.get("/v1/journeys", params=query)
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid"), query


async def test_a_misspelt_filter_is_refused_and_not_ignored(reader: httpx2.AsyncClient) -> None:
    answer = await reader.get("/v1/journeys", params={"stat": "open"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_journey_is_told_whole(reader: httpx2.AsyncClient, journey_rows: Rows) -> None:
    await _story(journey_rows)
    found = (await reader.get(f"/v1/journeys/{named('billing')}")).json()
    assert found["id"] == str(named("billing"))
    assert "merged_into" not in found
    assert found["effort_parts"] == [{"factor": "repeat_contact", "count": 1, "points": 35.0}]
    assert [one["effort"] for one in found["effort_course"]] == [0.0, 25.9], "two contacts weigh six points"
    assert [one["id"] for one in found["touchpoints"]] == ["call-1", "call-2"]
    assert [one["id"] for one in found["frictions"]] == [str(named("again"))]
    assert found["touchpoints"][1]["friction_ids"] == [str(named("again"))]


async def test_the_id_of_a_merged_journey_leads_to_the_one_it_became(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await _story(journey_rows)
    await journey_rows.alias("minseo", "oldest", merged_into="older")
    await journey_rows.alias("minseo", "older", merged_into="billing")
    answer = await reader.get(f"/v1/journeys/{named('oldest')}")
    assert answer.status_code == 200
    assert answer.json()["id"] == answer.json()["merged_into"] == str(named("billing"))
    there = answer.headers["content-location"]
    assert urljoin("/v1/journeys/x", there) == f"/v1/journeys/{named('billing')}"
    assert urljoin("/waymark/v1/journeys/x", there) == f"/waymark/v1/journeys/{named('billing')}", "behind a prefix"


async def test_a_dissolved_journey_is_gone_and_an_unknown_one_was_never_there(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await journey_rows.customer("minseo")
    await journey_rows.alias("minseo", "nothing", merged_into=None)
    assert (await reader.get(f"/v1/journeys/{named('nothing')}")).status_code == 410
    assert (await reader.get(f"/v1/journeys/{named('never')}")).status_code == 404


async def test_the_process_is_ready_and_documents_itself_without_a_key(stranger: httpx2.AsyncClient) -> None:
    ready = await stranger.get("/readyz", params={"verbose": ""})
    assert ready.status_code == 200, ready.text
    assert "[+] postgres" in ready.text
    docs = await stranger.get("/docs")
    assert docs.status_code == 200
    assert "//cdn" not in docs.text
    paths = (await stranger.get("/openapi.json")).json()["paths"]
    assert {
        *("/v1/journeys", "/v1/journeys/{journey_id}"),
        *("/v1/customers/{reference}", "/v1/customers/{reference}/timeline", "/v1/customers/{reference}/contacts"),
    } <= set(paths)


async def test_lookups_are_counted_by_outcome_and_requests_by_template(
    reader: httpx2.AsyncClient, journey_rows: Rows
) -> None:
    await _story(journey_rows)
    await reader.get(_customer("phone:+821012345678"))
    await reader.get(_customer("phone:+821099999999"))
    metrics = (await reader.get("/metrics")).text
    assert 'waymark_journey_api_lookups_total{outcome="found"} 1.0' in metrics
    assert 'waymark_journey_api_lookups_total{outcome="unknown"} 1.0' in metrics
    assert "821012345678" not in metrics


async def test_while_the_database_is_away_callers_are_asked_to_come_back(
    reader: httpx2.AsyncClient, pool: Pool
) -> None:
    assert (await reader.get("/v1/journeys")).status_code == 200  # the key is known from now on
    await pool.close()
    answer = await reader.get("/v1/journeys")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert answer.headers["retry-after"]
    assert (await reader.get("/livez")).status_code == 200
    assert (await reader.get("/readyz")).status_code == 503
