import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx2

from tests.waiting import until
from waymark.demo.cast import coming_back
from waymark.demo.desk import LEFT, RESOLUTIONS, SupportDesk, plan_of
from waymark.demo.receiver import ReceivedAlert


def test_an_outbreak_is_taken_and_not_resolved_by_hand() -> None:
    plan = plan_of(LEFT, outbreak=True)
    assert (plan.takes, plan.resolution) == (True, None)


def test_some_are_left_and_every_outcome_is_stated() -> None:
    plans = [plan_of(number, outbreak=False) for number in range(1, 61)]
    assert sum(not plan.takes for plan in plans) == 10
    assert all(plan.takes for plan in plans if plan.resolution)
    assert {plan.resolution["resolution"] for plan in plans if plan.resolution} == {
        one["resolution"] for one in RESOLUTIONS
    }


async def test_the_desk_takes_resolves_and_knows_who_comes_back() -> None:
    asked: list[str] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return httpx2.Response(409 if "/i-7/resolve" in request.url.path else 200)

    desk = SupportDesk("http://alerts", "key")
    for number in range(1, 9):
        issue = {"id": f"i-{number}", "refs": {"case_id": f"T-{number:05d}"} if number < 4 else {}}
        desk.hear(alert("issue.opened", issue))
        desk.hear(alert("issue.updated", issue))
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as session:
        await work_through(desk, session)
    assert [path for path in asked if "/i-1/" in path] == ["/v1/issues/i-1/acknowledge", "/v1/issues/i-1/resolve"]
    assert not [path for path in asked if f"/i-{LEFT}/" in path]
    assert [issue["id"] for issue in desk.resolved] == ["i-1", "i-4"]
    assert [issue["id"] for issue in desk.returning()] == ["i-1"]
    assert desk.refused == 0


def test_whoever_comes_back_calls_about_the_same_case() -> None:
    began, ended = coming_back("T-00012", "delivery", 3700.0)
    assert began.fields["refs"] == ended.fields["refs"] == {"case_id": "T-00012"}
    assert began.fields["customer"] == {"phone": "010-0000-0012"}
    assert ended.at_s - began.at_s == 1


def alert(kind: str, issue: Mapping[str, object]) -> ReceivedAlert:
    return ReceivedAlert(
        webhook_id="", received_at=datetime(2026, 11, 22, tzinfo=UTC), kind=kind, issue=dict(issue), body=b""
    )


async def work_through(desk: SupportDesk, session: httpx2.AsyncClient) -> None:
    """Let the desk work until its inbox is empty."""
    working = asyncio.create_task(desk.work(session))
    await until(lambda: desk.idle)
    working.cancel()
