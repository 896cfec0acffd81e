"""`waymark funnels`: what became of each kind of journey, and of one stage by stage; and whether the sums are right."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.moments import local_moment
from waymark.options import AsJson, JourneyApiUrl, ReadKey, examples

if TYPE_CHECKING:
    from services.journey.store.rollups.funnel_rows import FunnelDifferences

Journey = Annotated[
    str | None,
    typer.Argument(
        metavar="[JOURNEY]",
        help=say("One kind of journey, by its id; else all of them.", "여정 정의의 ID. 없으면 전체 목록."),
        show_default=False,
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="TIME", help=say("Entered then or later.", "이때부터 시작한 여정."), show_default=False
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME", help=say("Entered before.", "이때 전에 시작한 여정."), show_default=False),
]
InChannel = Annotated[
    str | None, typer.Option("--channel", help=say("Entered on this channel.", "시작한 채널."), show_default=False)
]
About = Annotated[
    str | None, typer.Option("--reason", help=say("About this reason.", "문의 사유."), show_default=False)
]
Level = Annotated[
    str | None, typer.Option("--service-level", help=say("Of this service level.", "서비스 등급."), show_default=False)
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="channel|reason|service_level",
        help=say("Also its segments side by side.", "나란히 비교할 기준."),
        show_default=False,
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help=say(
            "Count all journeys anew and compare. Exits with 0 when all is the same, 1 when something differs, 2 when "
            "it cannot look.",
            "모든 여정을 다시 세어 비교합니다. 종료 코드: 0 같음, 1 다른 곳이 있음, 2 볼 수 없음.",
        ),
    ),
]
Repair = Annotated[
    bool,
    typer.Option(
        "--repair",
        help=say(
            "With --check: correct the sums that differ; workers may run meanwhile.",
            "--check와 함께: 다른 합계를 바로잡습니다. 워커가 돌고 있어도 됩니다.",
        ),
    ),
]


def register(app: typer.Typer) -> None:
    """Add `funnels` to the application."""
    app.command(
        "funnels",
        help=say(
            "How many customers enter each kind of journey (waymark journeys), how far they come, how long each stage "
            "takes, and where they are lost.",
            "정의된 여정(waymark journeys)마다 얼마나 시작하고, 어디까지 가며, 단계마다 얼마나 걸리고, "
            "어디서 이탈하는지 보여 줍니다.",
        ),
        epilog=examples(
            "waymark funnels",
            "waymark funnels delivery --from 2026-11-01 --service-level premium",
            "waymark funnels purchase --by channel",
            "waymark funnels delivery --json | jq '.stages[] | {stage, drop_off_rate}'",
            "waymark funnels --check --repair",
        ),
    )(funnels)


def funnels(
    journey: Journey = None,
    *,
    since: Since = None,
    until: Until = None,
    channel: InChannel = None,
    reason: About = None,
    service_level: Level = None,
    by: By = None,
    check: Check = False,
    repair: Repair = False,
    key: ReadKey = None,
    url: JourneyApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """Print the list, one funnel, or what differs."""
    if repair and not check:
        raise CommandError(say("--repair goes with --check", "--repair는 --check와 함께 씁니다"), exit_code=2)
    if by is not None and journey is None:
        raise CommandError(
            say("--by goes with one journey: waymark funnels JOURNEY --by …", "--by는 여정 하나와 함께 씁니다"),
            exit_code=2,
        )
    if check:
        _check(repair=repair, as_json=as_json)
        return
    asked = {
        "from": _asked_moment("--from", since),
        "to": _asked_moment("--to", until),
        "channel": channel,
        "reason": reason,
        "service_level": service_level,
        "by": by,
    }
    _show(journey, {name: value for name, value in asked.items() if value is not None}, url, key, as_json=as_json)


def _show(journey: str | None, query: dict[str, str], url: str | None, key: str | None, *, as_json: bool) -> None:
    from urllib.parse import quote

    import msgspec

    from waymark.funnels.funnel_tables import FunnelAnswer, FunnelListAnswer, drawn_funnel, drawn_list
    from waymark.journey_api import open_journey_api

    address = "/v1/funnels" if journey is None else f"/v1/funnels/{quote(journey, safe='')}"
    with open_journey_api(url, key) as api:
        answer = api.get(address, query)
    if as_json:
        out.file.write(msgspec.json.format(answer, indent=2).decode() + "\n")
    elif journey is None:
        for table in drawn_list(msgspec.json.decode(answer, type=FunnelListAnswer)):
            out.print(table)
    else:
        for table in drawn_funnel(msgspec.json.decode(answer, type=FunnelAnswer)):
            out.print(table)


def _asked_moment(flag: str, text: str | None) -> str | None:
    return None if text is None else local_moment(flag, text).isoformat()


def _check(*, repair: bool, as_json: bool) -> None:
    from services.journey.repair.funnel_check import check_funnels
    from waymark.database import run_check

    found = run_check("waymark-funnels", lambda connection: check_funnels(connection, repair=repair), writes=repair)
    if as_json:
        print_json(_document(found, repair=repair))
    else:
        _report(found, repair=repair)
    if _differs(found) and not repair:
        raise typer.Exit(1)


def _differs(found: "FunnelDifferences") -> bool:
    return bool(found.hours or found.coarse)


def _document(found: "FunnelDifferences", *, repair: bool) -> dict[str, Any]:
    return {
        "sound": not _differs(found),
        "repaired": repair and _differs(found),
        "journeys": found.journeys,
        "differences": {"hours": len(found.hours), "days_and_months": found.coarse},
        "examples": [
            {**key._asdict(), "journeys": journeys, "took_s": took_us / 1_000_000}
            for key, journeys, took_us in found.hours[:5]
        ],
    }


def _report(found: "FunnelDifferences", *, repair: bool) -> None:
    if not _differs(found):
        out.print(say(f"sound: {found.journeys:,} journeys", f"이상 없음: 여정 {found.journeys:,}개"), highlight=False)
        return
    differing = len(found.hours) + found.coarse
    out.print(
        say(f"✗ {differing:,} sums differ of the journeys", f"✗ 합계 {differing:,}개가 여정과 다릅니다"),
        highlight=False,
    )
    for key, journeys, _ in found.hours[:5]:
        named = " ".join(filter(None, (key.definition, key.stage, key.measure)))
        out.print(f"    {key.hour:%Y-%m-%d %H:00} {named}: {journeys:+}", markup=False, highlight=False, style="dim")
    if repair:
        out.print(say("✓ repaired", "✓ 바로잡음"), highlight=False)
    else:
        err.print(say("repair it: waymark funnels --check --repair", "고치려면: waymark funnels --check --repair"))
