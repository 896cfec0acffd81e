"""Rules over HTTP: an analyst looks, checks and applies, sees what changed and who did it, and goes back."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.journey.versions.in_force import PolicyCache
from services.runtime.credentials.api_keys import KeyKind
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint
from tests.integration.test_identity_api import caller, start_worker

pytestmark = pytest.mark.local

STRICTER = "extends: default\nchange:\n  long_wait: {severity: critical}\n  repeat_contact_24h: {enabled: false}\n"
MISSPELT = "extends: default\nchange:\n  long_wate: {severity: high}\n"


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database, policies=PolicyCache(), partitions=1) as opened:
        yield opened


@pytest_asyncio.fixture
async def admin(bench: JourneyBench) -> AsyncIterator[httpx2.AsyncClient]:
    async with caller(bench, KeyKind.ADMIN) as client:
        yield client


async def told(client: httpx2.AsyncClient, path: str, **params: int) -> dict[str, Any]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def applied(client: httpx2.AsyncClient, **body: object) -> dict[str, Any]:
    answer = await client.post("/v1/rules/apply", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def in_short(document: dict[str, Any], id_: str) -> tuple[str, bool]:
    [rule] = [one for one in document["rules"] if one["id"] == id_]
    return rule["severity"], rule["enabled"]


async def test_rules_are_applied_and_taken_back(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    await start_worker(bench)
    first = await told(admin, "/v1/rules")
    severity, enabled = in_short(first, "long_wait")
    assert (first["version"], enabled) == (1, True)
    assert {rule["since_version"] for rule in first["rules"]} == {1}

    change = await applied(admin, text=STRICTER, note="premium customers complained")
    assert (change["version"], change["applied"], change["note"]) == (2, True, "premium customers complained")
    assert (change["changes"]["changed"], change["changes"]["off"]) == (
        {"long_wait": ["severity"]},
        ["repeat_contact_24h"],
    )
    now = await told(admin, "/v1/rules")
    assert (in_short(now, "long_wait"), in_short(now, "repeat_contact_24h")[1]) == (("critical", True), False)
    assert {rule["id"] for rule in now["rules"] if rule["since_version"] == 2} == {"long_wait", "repeat_contact_24h"}

    back = await applied(admin, version=1, note="back")
    assert (back["version"], back["changes"]["on"], back["note"]) == (3, ["repeat_contact_24h"], "back")
    assert in_short(await told(admin, "/v1/rules"), "long_wait")[0] == severity
    assert in_short(await told(admin, "/v1/rules", version=2), "long_wait")[0] == "critical"
    label = await bench.value("SELECT coalesce(nullif(label, ''), key_id) FROM journey.api_keys")
    history = (await told(admin, "/v1/rules/history"))["versions"]
    assert [(one["version"], one["author"]) for one in history] == [(3, label), (2, label), (1, "waymark")]
    assert [one["version"] for one in (await told(admin, "/v1/rules/history", limit=2))["versions"]] == [3, 2]
    assert history[1]["changes"] == change["changes"]


async def test_a_version_is_a_file_to_write_on(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    await start_worker(bench)
    await applied(admin, text=STRICTER, note="premium customers complained")
    file = await told(admin, "/v1/rules/file")
    assert (file["version"], file["written"]) == (2, STRICTER)
    whole = {rule["id"]: rule for rule in file["rules"]}
    assert whole["long_wait"] == (await told(admin, "/v1/rules/long_wait"))["rule"]
    assert set(whole) == {rule["id"] for rule in (await told(admin, "/v1/rules"))["rules"]}
    assert (await told(admin, "/v1/rules/file", version=1))["written"] != STRICTER
    again = await applied(admin, text=json.dumps({"rules": file["rules"]}), note="the same, written otherwise")
    assert again["applied"] is False


async def test_what_is_applied_judges_what_comes_next(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    await start_worker(bench)
    now = datetime.now(UTC)
    bench.log.append(0, touchpoint("before", wait_s=3_600, occurred_at=now, received_at=now), now)
    await bench.apply()
    change = await applied(admin, text=STRICTER, note="a trial")
    later = datetime.fromisoformat(change["in_force_from"]) + timedelta(milliseconds=1)
    bench.log.append(0, touchpoint("after", wait_s=3_600, occurred_at=later, received_at=later), later)
    await bench.apply()
    rows = await bench.rows("SELECT payload::jsonb ->> 'severity' AS s FROM journey.frictions WHERE rule = 'long_wait'")
    assert sorted(row["s"] for row in rows).count("critical") == 1
    assert len(rows) == 2
    listed = (await told(admin, "/v1/rules"))["rules"]
    assert [(rule["frictions"], rule["customers_without_answer"]) for rule in listed if rule["id"] == "long_wait"] == [
        (2, 0)
    ]


async def test_the_same_rules_again_change_nothing(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    await start_worker(bench)
    await applied(admin, text=STRICTER, note="a trial")
    again = await applied(admin, text=STRICTER + "# a remark\n", note="a trial")
    assert (again["version"], again["applied"]) == (2, False)
    assert again["changes"] == {"new": [], "gone": [], "on": [], "off": [], "changed": {}}
    assert await bench.value("SELECT count(*) FROM journey.policies WHERE kind = 'rules'") == 2


async def test_a_file_is_checked_and_not_stored(bench: JourneyBench) -> None:
    await start_worker(bench)
    async with caller(bench, KeyKind.READER) as client:
        sound = (await client.post("/v1/rules/check", json={"text": STRICTER})).json()
        wrong = (await client.post("/v1/rules/check", json={"text": MISSPELT})).json()
        bomb = "a: &a [x, x]\n" + "".join(
            f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        )
        broken = [(await client.post("/v1/rules/check", json={"text": text})).json() for text in ("[", "x: y", bomb)]
    assert (sound["sound"], sound["problems"], "long_wait" in sound["rules"]) == (True, [], True)
    assert sound["changes"]["changed"] == {"long_wait": ["severity"]}
    assert (wrong["sound"], wrong["rules"], "changes" in wrong) == (False, [], False)
    assert "no shipped rule of this id" in wrong["problems"][0]
    assert "line 3" in wrong["problems"][0]
    assert [(one["sound"], bool(one["problems"])) for one in broken] == [(False, True)] * 3
    assert await bench.value("SELECT count(*) FROM journey.policies WHERE kind = 'rules'") == 1


async def test_what_cannot_be_used_is_not_applied(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    await start_worker(bench)
    for body, status, code in (
        ({"text": MISSPELT, "note": "why"}, 422, "rules_unsound"),
        ({"version": 7, "note": "why"}, 404, "rules_version_unknown"),
        ({"text": STRICTER}, 422, "invalid_request"),
        ({"text": STRICTER, "note": "  "}, 422, "invalid_request"),
        ({"note": "why"}, 422, "invalid_request"),
        ({"text": STRICTER, "version": 1, "note": "why"}, 422, "invalid_request"),
        ({"text": "x" * 300_001, "note": "why"}, 422, "invalid_request"),
        ({"text": STRICTER, "note": "why", "colour": "red"}, 422, "invalid_request"),
    ):
        answer = await admin.post("/v1/rules/apply", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "long_wate" not in answer.text
    assert await bench.value("SELECT count(*) FROM journey.policies WHERE kind = 'rules'") == 1


@pytest.mark.parametrize("kind", [KeyKind.READER, KeyKind.AGENT])
async def test_who_may_only_read_looks_and_changes_nothing(bench: JourneyBench, kind: KeyKind) -> None:
    await start_worker(bench)
    async with caller(bench, kind) as client:
        whole = await told(client, "/v1/rules/long_wait")
        assert (whole["version"], whole["rule"]["id"], whole["rule"]["shape"]) == (1, "long_wait", "threshold")
        for path, code in (
            ("/v1/rules/long_wate", "rule_unknown"),
            ("/v1/rules/long_wait?version=9", "rules_version_unknown"),
        ):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, code)
        answer = await client.post("/v1/rules/apply", json={"text": STRICTER, "note": "why"})
        assert (answer.status_code, answer.json()["code"]) == (403, "admin_needed")
        del client.headers["authorization"]
        assert (await client.get("/v1/rules")).status_code == 401
        assert (await client.post("/v1/rules/check", json={"text": STRICTER})).status_code == 401
    assert await bench.value("SELECT count(*) FROM journey.policies WHERE kind = 'rules'") == 1


async def test_before_any_worker_has_started(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    await bench.execute("DELETE FROM journey.policies")
    answer = await admin.get("/v1/rules")
    assert (answer.status_code, answer.json()["code"]) == (503, "no_rules_yet")
    assert await told(admin, "/v1/rules/history") == {"versions": []}
    assert "changes" not in (await admin.post("/v1/rules/check", json={"text": STRICTER})).json()


async def test_the_shadow_over_http(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    await start_worker(bench)
    assert await told(admin, "/v1/rules/shadow") == {"rules": []}
    shorter = "extends: default\nchange: {long_wait: {limits: [{gt: 30}]}}\n"
    answer = await admin.post("/v1/rules/shadow", json={"text": shorter, "note": "too often?"})
    assert answer.status_code == 200, answer.text
    assert [(one["id"], one["differs"]) for one in answer.json()["rules"]] == [("long_wait", ["limits"])]
    later = datetime.fromisoformat(answer.json()["rules"][0]["since"]) + timedelta(milliseconds=1)
    bench.log.append(0, touchpoint("a", wait_s=60, occurred_at=later, received_at=later), later)
    await bench.apply()
    shown = await told(admin, "/v1/rules/shadow")
    [rule] = shown["rules"]
    assert [rule[name] for name in ("found", "in_force", "new", "gone")] == [1, 0, 1, 0]
    assert [(one["anchor"], one["in_shadow"]) for one in rule["examples"]] == [("a", True)]
    assert (await told(admin, "/v1/rules/shadow", examples=0))["rules"][0]["examples"] == []
    assert (shown["note"], (await told(admin, "/v1/rules"))["version"]) == ("too often?", 1)

    answer = await admin.post("/v1/rules/shadow/apply", json={"note": "it helps"})
    assert (answer.json()["version"], answer.json()["changes"]["changed"]) == (2, {"long_wait": ["limits"]})
    assert await told(admin, "/v1/rules/shadow") == {"rules": []}
    assert await bench.value("SELECT count(*) FROM journey.shadow_frictions") == 0


async def test_what_cannot_be_tried_is_refused(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    await start_worker(bench)
    for path, body, status, code in (
        ("/v1/rules/shadow/end", {"note": "why"}, 404, "nothing_to_try"),
        ("/v1/rules/shadow/apply", {"note": "why"}, 404, "nothing_to_try"),
        ("/v1/rules/shadow", {"text": "extends: default", "note": "why"}, 404, "nothing_to_try"),
        ("/v1/rules/shadow", {"text": MISSPELT, "note": "why"}, 422, "rules_unsound"),
        ("/v1/rules/shadow", {"text": STRICTER}, 422, "invalid_request"),
    ):
        answer = await admin.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    await admin.post("/v1/rules/shadow", json={"text": STRICTER, "note": "once more"})
    assert (await admin.post("/v1/rules/shadow/end", json={"note": "no"})).json() == {"rules": []}
    async with caller(bench, KeyKind.AGENT) as agent:
        for path, body in (
            ("/v1/rules/shadow", {"text": STRICTER, "note": "why"}),
            ("/v1/rules/shadow/apply", {"note": "why"}),
            ("/v1/rules/shadow/end", {"note": "why"}),
        ):
            answer = await agent.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "admin_needed")
        assert await told(agent, "/v1/rules/shadow") == {"rules": []}


async def test_why_a_rule_fires_or_not(bench: JourneyBench, admin: httpx2.AsyncClient) -> None:
    await start_worker(bench)
    bench.log.append(0, touchpoint("first", 0, reason="billing"))
    bench.log.append(0, touchpoint("second", 60, reason="billing"))
    bench.log.append(0, touchpoint("other", 0, reason="billing", customer={"customer_id": "C-2"}))
    await bench.apply()

    fires = await explained(admin, customer="customer_id:C-1", rule="repeat_contact_24h")
    [found] = fires["fired"]
    assert (found["anchor"], found["severity"]) == ("second", "high")
    assert [one["id"] for one in found["touchpoints"]] == ["first", "second"]
    assert found["title"]["ko"]
    assert fires["conditions"] == []
    stored = await bench.value("SELECT friction_id FROM journey.frictions WHERE rule = 'repeat_contact_24h'")
    assert found["friction_id"] == str(stored)

    quiet = await explained(admin, customer="customer_id:C-2", rule="repeat_contact_24h")
    assert (quiet["fired"], quiet["touchpoints"], quiet["looked_at"]) == ([], 1, 1)
    assert {"member": "at_least", "wanted": "2", "holds": False, "found": "1"} in quiet["conditions"]

    stricter = "extends: default\nchange: {repeat_contact_24h: {within: 30m}}\n"
    tried = await explained(admin, customer="customer_id:C-1", rule="repeat_contact_24h", text=stricter)
    assert tried["fired"] == []
    assert {"member": "within", "wanted": "30m", "holds": False, "found": "1h"} in tried["conditions"]

    for body, status, code in (
        ({"customer": "customer_id:C-1", "rule": "long_wate"}, 404, "rule_unknown"),
        ({"customer": "customer_id:C-9", "rule": "long_wait"}, 404, "customer_unknown"),
        ({"customer": "nobody", "rule": "long_wait"}, 400, "identifier_malformed"),
        ({"customer": "customer_id:C-1", "rule": "long_wait", "text": MISSPELT}, 422, "rules_unsound"),
        ({"customer": "customer_id:C-1"}, 422, "invalid_request"),
    ):
        answer = await admin.post("/v1/rules/explain", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "C-9" not in answer.text


CASES = """\
tests:
  - name: an hour of waiting
    defaults: {channel: phone, kind: call_ended, direction: inbound}
    touchpoints: [{id: a, occurred_at: +0m, wait_s: 3600}]
    expect: [{rule: long_wait, anchor: a, severity: critical}]
  - name: a second call
    defaults: {channel: phone, kind: call_ended}
    touchpoints: [{id: a, occurred_at: +0m, reason: billing}, {id: b, occurred_at: +1h, reason: billing}]
    expect: [{rule: repeat_contact_24h, anchor: b}]
"""


async def tried(client: httpx2.AsyncClient, cases: str, *, language: str = "en", **body: str) -> dict[str, Any]:
    answer = await client.post("/v1/rules/test", json={"cases": cases, **body}, headers={"accept-language": language})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_rules_are_tried_on_written_cases_and_nothing_is_stored(
    bench: JourneyBench, admin: httpx2.AsyncClient
) -> None:
    await start_worker(bench)
    async with caller(bench, KeyKind.READER) as client:
        before = await tried(client, CASES)
        drafted = await tried(client, CASES, text=STRICTER.replace("{enabled: false}", "{within: 1d}"))
        await applied(admin, text=STRICTER.replace("{enabled: false}", "{within: 1d}"), note="stricter waits")
        in_force = await tried(client, CASES)
        shipped = await tried(client, f"rules: default\n{CASES}")

    for told_of, passed in ((before, [False, False]), (drafted, [True, False]), (in_force, [True, False])):
        assert [one["passed"] for one in told_of["tests"]] == passed
        assert (told_of["sound"], told_of["passed"], told_of["failed"]) == (
            True,
            passed.count(True),
            passed.count(False),
        )
    assert [one["passed"] for one in shipped["tests"]] == [False, False]
    wait, call = before["tests"]
    assert wait["missing"] == [{"rule": "long_wait", "anchor": "a", "severity": "critical"}]
    [stands] = wait["unexpected"]
    assert (stands["rule"], stands["anchor"], stands["at"]) == ("long_wait", "a", "2026-03-02T00:00:00.000000Z")
    assert (call["missing"][0]["rule"], call["undirected"]) == ("repeat_contact_24h", ["a", "b"])
    assert await bench.value("SELECT count(*) FROM journey.touchpoints") == 0
    assert await bench.value("SELECT count(*) FROM journey.frictions") == 0


async def test_every_mistake_in_cases_is_told_with_its_line(bench: JourneyBench) -> None:
    await start_worker(bench)
    misspelt = CASES.replace("long_wait", "long_wat").replace("repeat_contact_24h", "transferred")
    async with caller(bench, KeyKind.READER) as client:
        unknown = await tried(client, misspelt)
        korean = await tried(client, misspelt, language="ko")
        unread = await tried(client, CASES.replace("wait_s: 3600", "wait: 3600"))
        off = await tried(client, CASES, text=STRICTER)
        bomb = "x: &x {id: a, occurred_at: +0m}\nb: &b [*x, *x, *x, *x, *x, *x, *x, *x, *x, *x]\n"
        broken = [await tried(client, text) for text in ("[", "tests: []", "tests: [{name: a, touchpoint: []}]", bomb)]
        many = ", ".join(f"{{id: t{at}, occurred_at: +0m}}" for at in range(5_001))
        too_many = await tried(client, f"tests: [{{name: a, touchpoints: [{many}], expect: []}}]")

    assert unknown["problems"] == [
        "tests[0].expect[0].rule: long_wat: there is no such rule; did you mean long_wait? (line 5)",
        "tests[1].expect[0].rule: transferred: there is no such rule; did you mean transfers? (line 9)",
    ]
    assert korean["problems"][0] == (
        "tests[0].expect[0].rule: long_wat: 그런 규칙이 없습니다. long_wait 아닌가요? (line 5)"
    )
    assert "tests[0].touchpoints[0].wait:" in unread["problems"][0]
    assert "(line 4)" in unread["problems"][0]
    assert off["problems"] == ["tests[1].expect[0].rule: repeat_contact_24h: this rule is switched off (line 9)"]
    assert "did you mean `touchpoints`?" in str(broken[2]["problems"])
    assert "5,000" in too_many["problems"][0]
    for one in (unknown, unread, off, *broken, too_many):
        assert (one["sound"], bool(one["problems"]), one["tests"]) == (False, True, [])


async def test_what_tests_refuse(bench: JourneyBench) -> None:
    await start_worker(bench)
    async with caller(bench, KeyKind.READER) as client:
        for body, status, code in (
            ({"cases": f"rules: /etc/hostname\n{CASES}"}, 422, "rules_of_cases_missing"),
            ({"cases": CASES, "text": MISSPELT}, 422, "rules_unsound"),
            ({"cases": ""}, 422, "invalid_request"),
            ({"cases": "x" * 300_001}, 422, "invalid_request"),
            ({"text": STRICTER}, 422, "invalid_request"),
            ({"cases": CASES, "rules": "default"}, 422, "invalid_request"),
        ):
            answer = await client.post("/v1/rules/test", json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert "/etc/hostname" not in answer.text
        named = {"cases": f"rules: ours.yaml\n{CASES}", "text": STRICTER.replace("{enabled: false}", "{within: 1d}")}
        answer = await client.post("/v1/rules/test", json=named)
        assert answer.json()["passed"] == 1
        client.headers.pop("authorization")
        assert (await client.post("/v1/rules/test", json={"cases": CASES})).status_code == 401


async def explained(client: httpx2.AsyncClient, **body: str) -> dict[str, Any]:
    answer = await client.post("/v1/rules/explain", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
