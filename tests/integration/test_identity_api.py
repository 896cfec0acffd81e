"""Identity over HTTP: an operator asks why, tries, says a word, sees that it holds, and takes it back; with audit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.journey.rulebook import rules_file
from services.journey.settings import WorkerSettings
from services.journey.versions import storing
from services.runtime.credentials.api_keys import KeyKind
from services.runtime.postgres.pools import transaction
from tests.fixtures.journey_api import caller_without_key, store_key
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint

pytestmark = pytest.mark.local

PHONE = "phone:+821012345678"
ACCOUNT = "customer_id:C-1"
OTHER = "customer_id:C-2"


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database) as opened:
        for id_, minute, customer in (
            ("a", 0, {"customer_id": "C-1"}),
            ("b", 1, {"customer_id": "C-1", "phone": "+821012345678"}),
            ("c", 2, {"customer_id": "C-2", "email": "ann@example.com"}),
        ):
            opened.log.append(0, touchpoint(id_, minute, customer=customer, reason="billing"))
        await opened.apply()
        yield opened


async def start_worker(bench: JourneyBench) -> None:
    """Store what a worker stores when it starts: the first version of the rules."""
    own = WorkerSettings.load({})
    first = storing.first_rules(rules_file.from_settings(own), file=own.rules)
    async with transaction(bench.pool) as connection:
        await storing.begin(connection, first, named=False)


@asynccontextmanager
async def caller(bench: JourneyBench, kind: KeyKind) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller_without_key(bench.pool) as client:
        client.headers["authorization"] = f"Bearer {await store_key(bench.pool, kind)}"
        yield client


@pytest_asyncio.fixture
async def admin(bench: JourneyBench) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller(bench, KeyKind.ADMIN) as client:
        yield client


async def said(client: httpx2.AsyncClient, word: str, one: str, other: str, **more: str) -> dict[str, Any]:
    answer = await client.post(f"/v1/identity/{word}", json={"one": one, "other": other, **more})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_why_shows_the_path_of_evidence(admin: httpx2.AsyncClient) -> None:
    answer = (await admin.get("/v1/identity/why", params={"one": "phone:010-1234-5678", "other": ACCOUNT})).json()
    assert answer["one_customer"]
    assert [(step["one"], step["other"], step["trust"], step["touchpoint_id"]) for step in answer["path"]] == [
        (ACCOUNT, PHONE, "verified", "b")
    ]
    apart = (await admin.get("/v1/identity/why", params={"one": ACCOUNT, "other": OTHER})).json()
    assert (apart["one_customer"], apart["path"]) == (False, [])
    assert len({one["customer_id"] for one in apart["asked"]}) == 2


async def test_why_a_customer_is_one(admin: httpx2.AsyncClient) -> None:
    by_phone = (await admin.get("/v1/customers/phone:010-1234-5678/why")).json()
    assert by_phone["identifiers"] == [ACCOUNT, PHONE]
    assert [(step["trust"], step["touchpoint_id"]) for step in by_phone["held_by"]] == [("verified", "b")]
    customer = by_phone["asked"][0]["customer_id"]
    by_id = (await admin.get(f"/v1/customers/{customer}/why")).json()
    assert (by_id["identifiers"], by_id["held_by"]) == (by_phone["identifiers"], by_phone["held_by"])
    for nobody in ("phone:+821099999999", "id:0191e7c0-0000-7000-8000-000000000000"):
        unknown = await admin.get(f"/v1/customers/{nobody}/why")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "customer_unknown")


async def test_what_several_customers_have_names_none_of_them(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    for id_, account in (("d", "C-1"), ("e", "C-2")):
        bench.log.append(0, touchpoint(id_, 9, customer={"customer_id": account, "cookie": "family"}))
    await bench.apply()
    for asked in ("", "/timeline", "/contacts", "/stream"):
        answer = await admin.get(f"/v1/customers/cookie:family{asked}")
        assert (answer.status_code, answer.json()["code"]) == (404, "identifier_of_many"), asked
    why = (await admin.get("/v1/customers/cookie:family/why")).json()
    assert why["asked"][0]["standing"] == "between"
    assert {step["other"] for step in why["refused"]} == {ACCOUNT, OTHER}


async def test_customers_who_have_only_what_many_share_are_told_so(
    bench: JourneyBench, admin: httpx2.AsyncClient
) -> None:
    shop = {"phone": "+821099998888"}
    bench.log.append(0, touchpoint("first", -600, customer=shop))  # nobody is known on it yet, nor within its hold
    for number in range(6):
        bench.log.append(0, touchpoint(f"s{number}", 10 + number, customer={"customer_id": f"S-{number}", **shop}))
    await bench.apply()

    async def asked(path: str, **params: str) -> dict[str, Any]:
        answer = await admin.get(f"/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    alone = await bench.value("SELECT customer_id FROM journey.touchpoints WHERE id = 'first'")
    caller_of_the_shop = await asked(f"customers/{alone}/why")
    assert (caller_of_the_shop["verdict"], caller_of_the_shop["asked"][0]["standing"]) == ("shared", "shared")
    assert "Many people use this identifier" in caller_of_the_shop["summary"]["en"]
    known = await bench.value("SELECT customer_id FROM journey.touchpoints WHERE id = 's0'")
    customer = await asked(f"customers/{known}/why")
    assert (customer["verdict"], customer["identifiers"]) == ("alone", ["customer_id:S-0"])
    assert [step["refusal"] for step in customer["refused"]] == ["shared"]
    two = await asked("identity/why", one="customer_id:S-0", other="customer_id:S-5")
    assert (two["one_customer"], two["verdict"], two["met_in"]) == (False, "meet_only", ["phone:+821099998888"])
    strangers = await asked("identity/why", one="customer_id:S-0", other=ACCOUNT)
    assert (strangers["verdict"], strangers["met_in"], strangers["refused"][0]["refusal"]) == (
        *("unconnected", []),
        "shared",
    )


async def test_a_customer_of_whom_nothing_is_left_is_told_so(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    empty = "0191e7c0-0000-7000-8000-00000000000e"
    await bench.execute("INSERT INTO journey.customers (customer_id) VALUES ($1)", empty)
    answer = await admin.get(f"/v1/customers/{empty}/why")
    assert (answer.status_code, answer.json()["verdict"], answer.json()["identifiers"]) == (200, "nothing_left", [])


async def test_a_customer_is_told_from_what_is_theirs_alone(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    """Not from a shared account that happens to stand first in the alphabet and leads to them, too."""
    customer = await bench.value("SELECT customer_id FROM journey.touchpoints WHERE id = 'a'")
    await bench.execute(
        "INSERT INTO journey.identifiers (type, value, customer_id, standing, first_seen, last_seen)"
        " VALUES ('account_id', 'big', $1, 'shared', now(), now())",
        customer,
    )
    why = (await admin.get(f"/v1/customers/{customer}/why")).json()
    assert (why["verdict"], why["identifiers"][0], len(why["held_by"])) == ("joined", ACCOUNT, 1)


async def test_a_supposition_changes_nothing(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    customer = {"phone": {"value": "+821012345678"}, "email": {"value": "ann@example.com"}}
    answer = await admin.post("/v1/identity/simulate", json={"touchpoints": [{"customer": customer}]})
    supposed = answer.json()
    assert answer.status_code == 200, answer.text
    assert supposed["not_followed"] == {"unique": 1}  # two customer numbers are two customers
    assert supposed["merged"] == 0
    assert await bench.value("SELECT count(*) FROM journey.customers WHERE merged_into IS NULL") == 2
    assert await bench.value("SELECT count(*) FROM journey.links") == 2


async def test_words_join_and_part_with_the_audit(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    before = await admin.post("/v1/identity/merge", json={"one": ACCOUNT, "other": OTHER})
    assert (before.status_code, before.json()["code"]) == (503, "no_rules_yet")

    await start_worker(bench)
    joined = await said(admin, "merge", ACCOUNT, OTHER, note="one person, two contracts")
    assert joined["done"]
    assert len(joined["merged"]) == 1
    assert len({joined["customers"][ACCOUNT], joined["customers"][OTHER]}) == 1
    assert await bench.value("SELECT count(DISTINCT customer_id) FROM journey.touchpoints") == 1

    parted = await said(admin, "separate", ACCOUNT, OTHER)
    assert parted["done"]
    assert len(parted["created"]) == 1
    assert await bench.value("SELECT count(DISTINCT customer_id) FROM journey.touchpoints") == 2

    taken_back = await said(admin, "unmerge", PHONE, ACCOUNT)
    assert taken_back["outcome"] == "split"
    words = (await admin.get("/v1/identity/words")).json()["words"]
    assert [(one["word"], one["note"]) for one in words] == [
        ("unmerge", ""),
        ("separate", ""),
        ("merge", "one person, two contracts"),
    ]
    assert all(one["said_by"] for one in words)


@pytest.mark.parametrize("kind", [KeyKind.READER, KeyKind.AGENT])
async def test_who_may_only_read_asks_and_changes_nothing(bench: JourneyBench, kind: KeyKind) -> None:
    async with caller(bench, kind) as client:
        assert (await client.get("/v1/identity/why", params={"one": PHONE})).status_code == 200
        for word in ("merge", "separate", "unmerge"):
            answer = await client.post(f"/v1/identity/{word}", json={"one": ACCOUNT, "other": OTHER})
            assert (answer.status_code, answer.json()["code"]) == (403, "admin_needed")
        assert (await client.get("/v1/identity/words")).status_code == 403
    assert await bench.value("SELECT count(*) FROM journey.identity_words") == 0


@pytest.mark.parametrize(
    ("one", "status", "code"),
    [
        ("phone:+821099999999", 404, "customer_unknown"),
        ("0191e7c0-0000-7000-8000-000000000000", 400, "pair_malformed"),
        ("email:noreply", 400, "pair_malformed"),
        ("x", 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_said_is_refused_without_repeating_it(
    admin: httpx2.AsyncClient, one: str, status: int, code: str
) -> None:
    answer = await admin.post("/v1/identity/merge", json={"one": one, "other": ACCOUNT})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(one) < 3 or one not in answer.text


async def test_nobody_without_a_key(bench: JourneyBench) -> None:
    async with caller_without_key(bench.pool) as client:
        for answer in (
            await client.get("/v1/identity/why", params={"one": PHONE}),
            await client.post("/v1/identity/merge", json={"one": ACCOUNT, "other": OTHER}),
        ):
            assert answer.status_code == 401
