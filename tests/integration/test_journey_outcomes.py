"""What the journey API tells ingest of touchpoints: what became of them, from what is stored."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from schemas.documents import touchpoint as touchpoint_v1
from services.ingest.inspector.follow_up import JourneyUnreachableError, LaterOutcome
from services.ingest.inspector.journey_api import JourneyApi
from services.journey.api.api_settings import ApiSettings
from services.journey.api.app import build
from services.journey.api.outcomes import TouchpointOutcome
from services.runtime.clock import SystemClock
from services.runtime.http.server import serving
from tests.fixtures.journey_api import WRITTEN_TRIALS, desk_over
from tests.fixtures.journey_bench import JourneyBench, open_bench, touchpoint

pytestmark = pytest.mark.local

SECRET = "a-secret-of-ingest-and-the-journey-api"


@pytest_asyncio.fixture
async def bench(database: str) -> AsyncIterator[JourneyBench]:
    async with open_bench(database) as opened:
        yield opened


@pytest.fixture
async def address(bench: JourneyBench) -> AsyncIterator[str]:
    settings = ApiSettings.load({"WAYMARK_JOURNEY_API_OUTCOMES_SECRET": SECRET})
    app = build(
        bench.pool, settings, SystemClock(), CollectorRegistry(), desk=desk_over(bench.pool), trials=WRITTEN_TRIALS
    )
    async with serving(app, "127.0.0.1", 0, drain_s=2.0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def ask(address: str) -> AsyncIterator[JourneyApi]:
    api = JourneyApi(address, SECRET)
    yield api
    await api.aclose()


async def told(ask: JourneyApi, *points: touchpoint_v1.TouchpointDocument) -> list[tuple[str, str | None]]:
    return [(one.outcome, one.code) for one in await ask([touchpoint_v1.encode(point) for point in points])]


async def test_each_touchpoint_is_told_what_became_of_it(bench: JourneyBench, ask: JourneyApi) -> None:
    applied = touchpoint("a", 0, duration_s=1)
    again = msgspec.structs.replace(applied, duration_s=1.0, received_at=touchpoint("x", 5).received_at)
    other = msgspec.structs.replace(applied, reason="billing", received_at=touchpoint("x", 6).received_at)
    late = touchpoint("late", 0, received_at=touchpoint("x", 60 * 73).received_at)
    await apply(bench, applied, again, other, late)
    waiting = touchpoint("waiting", 9)

    assert await told(ask, applied, again, other, late, waiting) == [
        ("applied", None),
        ("duplicate", None),
        ("conflict", "id_conflict"),
        ("late", None),
        ("waiting", None),
    ]
    assert await told(ask) == []


async def test_a_dead_letter_is_reported_with_its_code(bench: JourneyBench, ask: JourneyApi) -> None:
    nobody = touchpoint("nobody", 1, customer={"customer_id": "unknown"})
    out_of_range = touchpoint("old", 0, occurred_at=touchpoint("x", 0).occurred_at.replace(year=1980))
    await apply(bench, nobody, out_of_range)

    assert await told(ask, nobody, out_of_range) == [
        ("dead_letter", "no_usable_identifier"),
        ("dead_letter", "time_out_of_range"),
    ]


async def test_another_sources_touchpoint_of_that_id_is_nothing_to_this_one(
    bench: JourneyBench, ask: JourneyApi
) -> None:
    await apply(bench, touchpoint("a", 0, source="crm"))

    assert await told(ask, touchpoint("a", 0)) == [("waiting", None)]


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", f"Basic {SECRET}"])
async def test_without_the_secret_nothing_is_reported(address: str, authorization: str) -> None:
    async with httpx2.AsyncClient(base_url=address) as client:
        headers = {"authorization": authorization} if authorization else {}
        answer = await client.post("/v1/touchpoints/outcomes", json={"touchpoints": []}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "only_ingest_asks")


async def test_with_no_secret_set_nobody_may_ask(bench: JourneyBench) -> None:
    app = build(
        bench.pool,
        ApiSettings.load({}),
        SystemClock(),
        CollectorRegistry(),
        desk=desk_over(bench.pool),
        trials=WRITTEN_TRIALS,
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://api.test") as client:
        answer = await client.post(
            "/v1/touchpoints/outcomes", json={"touchpoints": []}, headers={"authorization": "Bearer "}
        )

    assert answer.status_code == 401


@pytest.mark.parametrize("body", [b"", b"[]", b'{"touchpoints": [1]}', b'{"touchpoints": [{"id": "a"}]}', b"\xff"])
async def test_a_question_that_is_none_is_refused(address: str, body: bytes) -> None:
    async with httpx2.AsyncClient(base_url=address, headers={"authorization": f"Bearer {SECRET}"}) as client:
        answer = await client.post("/v1/touchpoints/outcomes", content=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_an_api_that_is_away_or_knows_another_secret_is_unreachable(address: str) -> None:
    for api in (JourneyApi(address, "another-secret"), JourneyApi("http://127.0.0.1:1", SECRET)):
        with pytest.raises(JourneyUnreachableError):
            await api([touchpoint_v1.encode(touchpoint("a", 0))])
        await api.aclose()


def test_both_services_have_the_same_words() -> None:
    assert [str(one) for one in TouchpointOutcome] == [str(one) for one in LaterOutcome]


async def apply(bench: JourneyBench, *points: Any) -> None:
    for point in points:
        bench.log.append(0, point)
    await bench.apply()
