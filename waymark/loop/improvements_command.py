"""`waymark improvements`: the register of improvements in the terminal."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from waymark.console import CommandError, out, print_json, say
from waymark.loop.impact_command import Channel, Level, Reason, Rule, Team
from waymark.moments import zoned_moment
from waymark.options import AsJson, examples
from waymark.user_name import user_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.alerts.loop.improvements import Improvement
    from services.runtime.postgres.pools import Connection

Title = Annotated[str, typer.Argument(metavar="TITLE", help=say("What would be done.", "무엇을 할지."))]
ImprovementId = Annotated[str, typer.Argument(metavar="ID", help=say("The id of an improvement.", "개선안 id."))]
Because = Annotated[str, typer.Option("--because", help=say("The reason; it is kept.", "이유. 기록에 남습니다."))]
Reduction = Annotated[
    float,
    typer.Option(
        "--reduction", min=0.01, max=1, help=say("Share of frictions that would stay away.", "사라질 불편의 비율.")
    ),
]
Decline = Annotated[bool, typer.Option("--decline", help=say("Decline it instead.", "받아들이지 않습니다."))]
InForceAt = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help=say("Since when; else now.", "시행 시각. 없으면 지금.")),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.command(
        "list",
        help=say("List improvements with estimate and state.", "개선안과 예상 효과, 상태를 보여 줍니다."),
        epilog=examples("waymark improvements list", "waymark improvements list --json"),
    )(list_all)
    group.command(
        "propose",
        help=say(
            "Propose to remove a cause; its value is estimated from the last four weeks.",
            "불편의 원인을 없애자고 제안합니다. 지난 4주의 수치로 효과를 어림합니다.",
        ),
        epilog=examples(
            'waymark improvements propose "Call by noon" --rule callback_missed --reduction 0.5 --because "staffed now"'
        ),
    )(propose)
    group.command(
        "decide",
        help=say(
            "Accept an improvement, or decline it, with the reason.", "이유와 함께 개선안을 받아들이거나 거절합니다."
        ),
        epilog=examples('waymark improvements decide ID --because "cheap, and 40 customers a week"'),
    )(decide)
    group.command(
        "done",
        help=say(
            "Say since when it is in force; what it brought is measured five weeks later.",
            "언제부터 시행했는지 알립니다. 5주 뒤 효과를 측정합니다.",
        ),
        epilog=examples("waymark improvements done ID --at 2026-11-01"),
    )(done)
    app.add_typer(group, name="improvements", help=say("What would help, and what did.", "개선안과 그 효과."))


def list_all(*, as_json: AsJson = False) -> None:
    """List the register of improvements."""

    async def work(connection: "Connection") -> "list[Improvement]":
        from services.alerts.loop.improvement_store import list_improvements

        return await list_improvements(connection, None)

    _show(_run(work), as_json=as_json)


def propose(
    title: Title,
    *,
    because: Because,
    reduction: Reduction,
    rule: Rule = None,
    team: Team = None,
    reason: Reason = None,
    channel: Channel = None,
    service_level: Level = None,
    as_json: AsJson = False,
) -> None:
    """Propose an improvement with its estimate."""
    from services.alerts.loop import improvement_store, improvements
    from services.alerts.loop.impact import ImpactScope
    from services.alerts.loop.improvements import ImprovementState, ImprovementStep
    from services.runtime.clock import new_id

    scope = ImpactScope(rule=rule, team=team, reason=reason, channel=channel, service_level=service_level)
    if scope.everything:
        wrong = say("say which frictions: --rule, --team, --reason …", "어떤 불편인지: --rule, --team, --reason …")
        raise CommandError(wrong, exit_code=2)
    now = datetime.now(UTC)

    async def work(connection: "Connection") -> "list[Improvement]":
        estimate = improvements.estimate_value(await improvement_store.count_cause(connection, scope, now), reduction)
        step = ImprovementStep(at=now, actor=_actor(), state=ImprovementState.PROPOSED, reason=because)
        made = improvements.propose(new_id(), step, title=title, scope=scope, estimate=estimate)
        await improvement_store.save_improvement(connection, made)
        return [made]

    _show(_run(work), as_json=as_json)


def decide(improvement: ImprovementId, *, because: Because, decline: Decline = False, as_json: AsJson = False) -> None:
    """Accept or decline with a reason."""
    from services.alerts.loop import improvements

    now = datetime.now(UTC)
    _change(
        improvement,
        lambda one: improvements.decide(one, accept=not decline, reason=because, actor=_actor(), now=now),
        as_json=as_json,
    )


def done(improvement: ImprovementId, *, at: InForceAt = None, because: Because = "", as_json: AsJson = False) -> None:
    """Say that it is in force."""
    from datetime import timedelta

    from services.alerts.loop import improvements

    now = datetime.now(UTC)
    since = zoned_moment(at).astimezone(UTC) if at else now
    _change(
        improvement,
        lambda one: improvements.complete(
            one, in_force_at=since, watched=timedelta(days=7), reason=because, actor=_actor(), now=now
        ),
        as_json=as_json,
    )


def _change(text: str, change: "Callable[[Improvement], Improvement]", *, as_json: bool) -> None:
    from services.alerts.loop.improvement_store import lock_improvement, save_improvement
    from services.alerts.loop.improvements import WrongStepError

    try:
        improvement_id = UUID(text)
    except ValueError:
        wrong = say(f"{text!r} is no id of an improvement", f"{text!r}: 개선안 id가 아닙니다")
        raise CommandError(wrong, exit_code=2) from None

    async def work(connection: "Connection") -> "list[Improvement]":
        found = await lock_improvement(connection, improvement_id)
        if found is None:
            raise CommandError(say(f"there is no improvement {text}", f"개선안 {text} 없음"))
        try:
            after = change(found)
        except WrongStepError as error:
            raise CommandError(str(error)) from None
        await save_improvement(connection, after)
        return [after]

    _show(_run(work), as_json=as_json)


def _run(work: "Callable[[Connection], Awaitable[list[Improvement]]]") -> "list[Improvement]":
    from waymark.database import run_in_transaction
    from waymark.target import find_target

    return run_in_transaction(find_target(os.environ).postgres, work)


def _show(found: "list[Improvement]", *, as_json: bool) -> None:
    if as_json:
        import msgspec

        print_json({"improvements": msgspec.to_builtins(found)})
        return
    for one in found:
        counts, estimate = one.estimate.counts, one.estimate
        out.print(f"{one.id}  {one.state}  {one.title}", markup=False, highlight=False)
        value = f", {estimate.value:,.0f} {counts.currency}" if counts.currency else ""
        out.print(
            say(
                f"    {counts.frictions} frictions of {counts.customers} customers in {counts.days} days; "
                f"would spare {estimate.frictions:,.0f}{value}",
                f"    {counts.days}일에 고객 {counts.customers}명, 불편 {counts.frictions}건; "
                f"예상 효과 {estimate.frictions:,.0f}건{value}",
            ),
            markup=False,
            highlight=False,
        )
        for change in one.changes:
            out.print(f"    {change.name}: {change.verdict}", markup=False, highlight=False)


def _actor() -> str:
    return f"command:{user_name()}"
