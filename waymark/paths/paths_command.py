"""`waymark paths`: whether the graph of paths says what the touchpoints say."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import err, out, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from services.journey.store.path_rows import PathDifference, PathDifferences

EXAMPLES = 5

Repair = Annotated[
    bool,
    typer.Option(
        "--repair",
        help=say(
            "Correct the sums that differ; workers may run meanwhile.",
            "다른 합계를 바로잡습니다. 워커가 돌고 있어도 됩니다.",
        ),
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_group)
    group.command(
        "check",
        help=say(
            "Count every step of every journey anew and compare with the graph behind /v1/paths. Exits with 0 when all "
            "is the same, 1 when something differs, 2 when it cannot look.",
            "모든 여정의 걸음을 다시 세어 /v1/paths의 그래프와 비교합니다. "
            "종료 코드: 0 같음, 1 다른 곳이 있음, 2 볼 수 없음.",
        ),
        epilog=examples("waymark paths check", "waymark paths check --repair", "waymark paths check --json"),
    )(check)
    app.add_typer(group, name="paths", help=say("The graph of paths.", "경로 그래프."))


def _group() -> None:
    """Keep `check` a command of the group while it is the only one."""


def check(*, repair: Repair = False, as_json: AsJson = False) -> None:
    """Compare, and repair if asked."""
    from services.journey.repair.path_check import check_paths
    from waymark.database import run_check

    found = run_check("waymark-paths", lambda connection: check_paths(connection, repair=repair), writes=repair)
    if as_json:
        print_json(_document(found, repair=repair))
    else:
        _report(found, repair=repair)
    if found.differing and not repair:
        raise typer.Exit(1)


def _document(found: "PathDifferences", *, repair: bool) -> dict[str, Any]:
    return {
        "sound": not found.differing,
        "repaired": repair and bool(found.differing),
        "steps": found.steps,
        "differences": {"hours": len(found.hours), "rules": found.rules, "days_and_months": found.coarse},
        "examples": [
            {**one.key._asdict(), "steps": one.steps, "frictions": one.frictions, "gap_s": one.gap_us / 1_000_000}
            for one in found.hours[:EXAMPLES]
        ],
    }


def _report(found: "PathDifferences", *, repair: bool) -> None:
    differing = found.differing
    if not differing:
        out.print(say(f"sound: {found.steps:,} steps", f"이상 없음: 걸음 {found.steps:,}개"), highlight=False)
        return
    out.print(
        say(f"✗ {differing:,} sums differ of the touchpoints", f"✗ 합계 {differing:,}개가 접점과 다릅니다"),
        highlight=False,
    )
    for one in found.hours[:EXAMPLES]:
        out.print(f"    {_line(one)}", markup=False, highlight=False, style="dim")
    if repair:
        out.print(say("✓ repaired", "✓ 바로잡음"), highlight=False)
    else:
        err.print(say("repair it: waymark paths check --repair", "고치려면: waymark paths check --repair"))


def _line(one: "PathDifference") -> str:
    key = one.key
    origin, to = f"{key.from_channel} {key.from_kind}".strip(), f"{key.to_channel} {key.to_kind}".strip()
    missing = say(
        f"{one.steps:+} steps, {one.frictions:+} with friction", f"걸음 {one.steps:+}, 불편 있는 걸음 {one.frictions:+}"
    )
    return f"{key.hour:%Y-%m-%d %H:00} {origin} → {to}: {missing}"
