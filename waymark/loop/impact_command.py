"""`waymark impact`: before and after of a rule, a fix, a team or a date, drawn for a terminal."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from waymark.console import CommandError, out, print_json, say
from waymark.moments import zoned_moment
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.alerts.loop.impact import Impact, ImpactScope
    from services.runtime.postgres.pools import Connection

At = Annotated[
    str,
    typer.Option("--at", metavar="TIME", help=say("When it changed (UTC).", "바뀐 시각(UTC).")),
]
Days = Annotated[
    int, typer.Option("--days", min=1, max=92, help=say("Days before and after, at most.", "앞뒤로 비교할 최대 일수."))
]
Rule = Annotated[str | None, typer.Option("--rule", help=say("Of this rule only.", "이 규칙만."))]
Team = Annotated[str | None, typer.Option("--team", help=say("Of this team only.", "이 팀만."))]
Reason = Annotated[str | None, typer.Option("--reason", help=say("Of this reason only.", "이 사유만."))]
Channel = Annotated[str | None, typer.Option("--channel", help=say("On this channel only.", "이 채널만."))]
Level = Annotated[
    str | None, typer.Option("--service-level", help=say("Of this service level only.", "이 서비스 등급만."))
]


def register(app: typer.Typer) -> None:
    """Add the command `waymark impact`."""
    app.command(
        "impact",
        help=say(
            "Compare the time before something with the time after it: recontacts, frictions, effort, contacts, value "
            "at stake, each with its 95 % interval, and what changed elsewhere meanwhile.",
            "어떤 일의 앞과 뒤를 비교합니다: 재문의, 불편, 노력도, 연락, 걸린 금액을 95% 구간과 함께, "
            "같은 기간 나머지의 변화와 나란히 보여 줍니다.",
        ),
        epilog=examples(
            "waymark impact --at 2026-11-01",
            "waymark impact --at 2026-11-01T09:00+09:00 --rule callback_missed --days 14",
            "waymark impact --at 2026-11-01 --team care --json",
        ),
    )(impact)


def impact(
    at: At,
    *,
    days: Days = 28,
    rule: Rule = None,
    team: Team = None,
    reason: Reason = None,
    channel: Channel = None,
    service_level: Level = None,
    as_json: AsJson = False,
) -> None:
    """Measure an impact and draw it."""
    import msgspec

    from services.alerts.loop.impact import ImpactScope
    from waymark.loop.impact_picture import draw_impact

    scope = ImpactScope(rule=rule, team=team, reason=reason, channel=channel, service_level=service_level)
    found = _measure(scope, zoned_moment(at).astimezone(UTC), days)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for line in draw_impact(found):
        out.print(line, markup=False, highlight=False)


def _measure(scope: "ImpactScope", at: datetime, days: int) -> "Impact":
    from services.alerts.loop.impact import TooEarlyError
    from services.alerts.loop.impact_store import measure_impact
    from waymark.database import run_in_transaction
    from waymark.target import find_target

    async def work(connection: "Connection") -> "Impact":
        return await measure_impact(connection, scope, at=at, days=days, now=datetime.now(UTC))

    try:
        return run_in_transaction(find_target(os.environ).postgres, work)
    except TooEarlyError:
        early = say(
            "not a whole day has passed since then: give an earlier --at",
            "하루도 지나지 않았습니다: --at을 더 이르게 주세요",
        )
        raise CommandError(early) from None
