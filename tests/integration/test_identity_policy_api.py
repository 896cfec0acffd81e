"""The policy of identity over HTTP: an analyst looks, checks, tries and applies a file, with audit, and goes back."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.journey.api.identity import policy_resource
from services.runtime.credentials.api_keys import KeyKind
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint
from tests.integration.test_identity_api import caller, start_worker

pytestmark = pytest.mark.local

CARDS = """
extends: default
types:
  loyalty_id: {unique: true}
  partner_card: {title: {en: Partner card, ko: 제휴 카드}, spelling: {ignore_case: true, ignore: "-"}}
blocked:
  types: {phone: {exact: ["+82215771577"]}}
"""
MISSPELT = "extends: default\ntypes:\n  loyalty_id: {uniqe: true}\n"


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database) as opened:
        for id_, minute, customer in (
            ("a", 0, {"loyalty_id": "L-1", "phone": "+821012345678"}),
            ("b", 5, {"loyalty_id": "L-2", "phone": "+821012345678"}),
        ):
            opened.log.append(0, touchpoint(id_, minute, customer=customer, reason="billing"))
        await opened.apply()
        yield opened


@pytest_asyncio.fixture
async def admin(bench: JourneyBench) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller(bench, KeyKind.ADMIN) as client:
        yield client


async def told(client: httpx2.AsyncClient, path: str, **params: int) -> dict[str, Any]:
    answer = await client.get(f"/v1/identity/policy{path}", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def asked(client: httpx2.AsyncClient, what: str, **body: object) -> dict[str, Any]:
    answer = await client.post(f"/v1/identity/policy/{what}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_policy_is_applied_and_taken_back_with_the_audit(
    bench: JourneyBench, admin: httpx2.AsyncClient
) -> None:
    shipped = await told(admin, "")
    assert (shipped["version"], shipped["types"]["customer_id"]["unique"]) == (None, True)
    assert (await told(admin, "/history"))["versions"] == []

    applied = await asked(admin, "apply", text=CARDS, note="a card is one person's")
    assert (applied["version"], applied["applied"], applied["note"]) == (2, True, "a card is one person's")
    changes = {(one["of"], one["member"]): (one["before"], one["after"]) for one in applied["changes"]}
    assert changes["types.loyalty_id", "unique"] == (False, True)
    assert changes["types.partner_card", "spelling"] == (None, {"ignore_case": True, "ignore": "-"})
    assert changes["blocked.types.phone", "exact"] == ([], ["+82215771577"])
    now = await told(admin, "")
    assert (now["version"]["version"], now["types"]["loyalty_id"]["unique"]) == (2, True)

    back = await asked(admin, "apply", version=1, note="too strict")
    assert (back["version"], back["applied"]) == (3, True)
    assert {(one["of"], one["member"]) for one in back["changes"]} == changes.keys()
    assert (await told(admin, ""))["types"].keys() == shipped["types"].keys()
    assert (await told(admin, "", version=2))["types"]["loyalty_id"]["unique"]
    again = await asked(admin, "apply", version=1, note="once more")
    assert (again["version"], again["applied"], again["changes"]) == (3, False, [])

    label = await bench.value("SELECT coalesce(nullif(label, ''), key_id) FROM journey.api_keys")
    versions = (await told(admin, "/history"))["versions"]
    assert [(one["version"], one["author"], one["note"]) for one in versions] == [
        (3, label, "too strict"),
        (2, label, "a card is one person's"),
        (1, "waymark", "the policy that comes with Waymark"),
    ]
    assert versions[1]["changes"] == applied["changes"]
    assert versions[2]["changes"] == []
    assert [one["version"] for one in (await told(admin, "/history", limit=1))["versions"]] == [3]


async def test_a_file_is_checked_and_tried_and_changes_nothing(bench: JourneyBench) -> None:
    async with caller(bench, KeyKind.READER) as client:
        sound = await asked(client, "check", text="extends: default\ntypes: {loyalty_id: {unique: true}}\n")
        assert sound == {
            "sound": True,
            "problems": [],
            "changes": [{"of": "types.loyalty_id", "member": "unique", "before": False, "after": True}],
        }
        wrong = await asked(client, "check", text=MISSPELT)
        assert wrong == {
            "sound": False,
            "problems": ["types.loyalty_id.uniqe: Did you mean unique? (line 3)"],
            "changes": [],
        }
        early = await client.post("/v1/identity/policy/simulate", json={"text": CARDS})
        assert (early.status_code, early.json()["code"]) == (503, "no_rules_yet")
        await start_worker(bench)
        tried = await asked(client, "simulate", text=CARDS)
        assert (tried["customers"], tried["split"], tried["new_customers"], tried["merged"]) == (1, 1, 1, 0)
        assert tried["frictions"] == {"kept": 0, "new": {}, "gone": {"repeat_contact_24h": 1, "repeat_contact_7d": 1}}
        assert tried["splitting"] == [
            {"customer_id": str(await bench.value("SELECT customer_id FROM journey.customers")), "into": 2}
        ]
    assert await bench.value("SELECT count(*) FROM journey.customers") == 1
    assert await bench.value("SELECT count(*) FROM journey.policies WHERE kind = 'identity'") == 0


async def test_trying_has_its_limits(
    bench: JourneyBench, admin: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_worker(bench)
    monkeypatch.setattr(policy_resource, "MOST_TOUCHPOINTS", 1)
    answer = await admin.post("/v1/identity/policy/simulate", json={"text": CARDS})
    assert (answer.status_code, answer.json()["code"]) == (409, "rehearsal_too_large")
    async with policy_resource._rehearsing:
        answer = await admin.post("/v1/identity/policy/simulate", json={"text": CARDS})
    assert (answer.status_code, answer.json()["code"]) == (409, "rehearsal_busy")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": MISSPELT, "note": "n"}, 422, "identity_unsound"),
        ({"version": 7, "note": "n"}, 404, "identity_version_unknown"),
        ({"note": "n"}, 422, "invalid_request"),
        ({"text": CARDS}, 422, "invalid_request"),
        ({"text": CARDS, "note": " "}, 422, "invalid_request"),
        ({"text": CARDS, "version": 1, "note": "n"}, 422, "invalid_request"),
        ({"text": "x" * 200_001, "note": "n"}, 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_used_is_not_applied(
    bench: JourneyBench, admin: httpx2.AsyncClient, body: dict[str, object], status: int, code: str
) -> None:
    answer = await admin.post("/v1/identity/policy/apply", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "uniqe" not in answer.text
    assert (await admin.get("/v1/identity/policy", params={"version": 9})).status_code == 404
    assert await bench.value("SELECT count(*) FROM journey.policies WHERE kind = 'identity'") == 0


@pytest.mark.parametrize("kind", [KeyKind.READER, KeyKind.AGENT])
async def test_who_may_only_read_applies_nothing(bench: JourneyBench, kind: KeyKind) -> None:
    async with caller(bench, kind) as client:
        assert (await client.get("/v1/identity/policy")).status_code == 200
        answer = await client.post("/v1/identity/policy/apply", json={"text": CARDS, "note": "n"})
        assert (answer.status_code, answer.json()["code"]) == (403, "admin_needed")
        del client.headers["authorization"]
        for path in ("", "/history"):
            assert (await client.get(f"/v1/identity/policy{path}")).status_code == 401
        for path in ("check", "simulate", "apply"):
            answer = await client.post(f"/v1/identity/policy/{path}", json={"text": CARDS, "note": "n"})
            assert answer.status_code == 401
    assert await bench.value("SELECT count(*) FROM journey.policies WHERE kind = 'identity'") == 0
