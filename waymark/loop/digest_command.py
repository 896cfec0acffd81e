"""`waymark digest`: what a day was like, as the leaders of a team get it."""

import os
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from waymark.console import CommandError, is_korean, out, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.alerts.digest.daily_digest import DailyDigest
    from services.runtime.postgres.pools import Connection

Day = Annotated[str | None, typer.Option("--day", metavar="DATE", help=say("Else yesterday.", "없으면 어제."))]
Team = Annotated[str | None, typer.Option("--team", help=say("Of this team only.", "이 팀만."))]
Zone = Annotated[str, typer.Option("--time-zone", help=say("Whose days.", "하루의 기준 시간대."))]


def register(app: typer.Typer) -> None:
    """Add the command `waymark digest`."""
    app.command(
        "digest",
        help=say(
            "Show the digest of a day: hardest journeys, outbreaks, service levels, ten issues drawn at random. "
            "Nothing is sent.",
            "하루 요약을 보여 줍니다: 가장 힘든 여정, 여러 고객이 함께 겪은 일, 서비스 등급, 무작위 이슈 열 건. "
            "아무것도 보내지 않습니다.",
        ),
        epilog=examples("waymark digest", "waymark digest --day 2026-11-28 --team care", "waymark digest --json"),
    )(digest)


def digest(*, day: Day = None, team: Team = None, time_zone: Zone = "Asia/Seoul", as_json: AsJson = False) -> None:
    """Make a digest and print it."""
    import msgspec

    from services.alerts.digest.daily_digest import digest_lines

    found = _make(day, team, time_zone)
    if as_json:
        shown = {"en": digest_lines(found, korean=False), "ko": digest_lines(found, korean=True)}
        counts = msgspec.to_builtins(found.counts)
        drawn = [str(issue.id) for issue in found.drawn]
        print_json({"day": found.day.isoformat(), "team": found.team, "counts": counts, "drawn": drawn, **shown})
        return
    for line in digest_lines(found, korean=is_korean()):
        out.print(line, markup=False, highlight=False)


def _make(day: str | None, team: str | None, time_zone: str) -> "DailyDigest":
    from services.alerts.digest.digest_store import make_digest
    from waymark.database import run_in_transaction
    from waymark.target import find_target

    now = datetime.now(UTC)
    try:
        zone = ZoneInfo(time_zone)
        wanted = date.fromisoformat(day) if day else now.astimezone(zone).date() - timedelta(days=1)
    except (ValueError, ZoneInfoNotFoundError):
        wrong = say("write --day 2026-11-28, --time-zone Asia/Seoul", "--day 2026-11-28, --time-zone Asia/Seoul 형식")
        raise CommandError(wrong, exit_code=2) from None

    async def work(connection: "Connection") -> "DailyDigest":
        return await make_digest(connection, day=wanted, team=team, time_zone=time_zone, now=now)

    return run_in_transaction(find_target(os.environ).postgres, work)
