"""`waymark migrate`: bring the database up to date."""

import os
from typing import Annotated

import typer

from waymark.console import out, print_json, say
from waymark.options import AsJson, examples


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "migrate",
        help=say(
            "Create or update the tables of every service. Running it twice, or twice at once, is harmless.",
            "모든 서비스의 테이블을 만들거나 갱신합니다. 여러 번 실행해도 안전합니다.",
        ),
        epilog=examples("waymark migrate", "waymark migrate --check"),
    )(migrate)


def migrate(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help=say("Change nothing; exit 1 if something is missing.", "바꾸지 않고 확인만 합니다.")
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Apply the migrations, or only compare."""
    from services.runtime.settings import CommonSettings
    from waymark.target import check_url, find_target

    target = find_target(os.environ)
    url = target.postgres_direct or target.postgres
    variable = CommonSettings.variable_of("postgres_direct" if target.postgres_direct else "postgres")
    check_url(url, variable)

    from sqlalchemy.exc import OperationalError  # after that: what is wrong is said at once

    from waymark.migrations.migrate import migrate as apply
    from waymark.migrations.migrate import status, unusable

    try:
        found = status(url) if check else apply(url)
    except OperationalError as error:
        raise unusable(url, error, variable) from error
    if as_json:
        print_json({"current": found.current, "wanted": found.wanted, "up_to_date": found.up_to_date})
    else:
        out.print(_sentence(found.up_to_date, ", ".join(found.current) or "-"), highlight=False)
    if not found.up_to_date:
        raise typer.Exit(1)


def _sentence(up_to_date: bool, current: str) -> str:
    if up_to_date:
        return f"[green]{say('up to date', '최신 상태')}[/]: {current}"
    verdict = say("not up to date, run `waymark migrate`", "최신이 아님, `waymark migrate`를 실행하세요")
    return f"[red]{verdict}[/]: {current}"
