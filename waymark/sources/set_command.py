"""`waymark sources set`: how what a source sends is read."""

import os
from pathlib import Path
from typing import Annotated

import typer

from waymark.console import CommandError, out, say

Name = Annotated[str, typer.Argument(metavar="NAME", help=say("The source.", "소스 이름입니다."))]
Mapping = Annotated[
    Path | None,
    typer.Option(
        "--segment-mapping",
        metavar="FILE",
        help=say("What its Segment calls become, JSON or YAML; `{}`: as by default.", "Segment 호출 매핑 파일입니다."),
    ),
]
Rules = Annotated[
    Path | None,
    typer.Option(
        "--cloudevents",
        metavar="FILE",
        help=say(
            "What its CloudEvents become, JSON or YAML; `{}`: as by default.", "CloudEvents 변환 규칙 파일입니다."
        ),
    ),
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--origin",
        metavar="URL",
        help=say("Web pages that may send; repeat it, `*`: every one.", "보낼 수 있는 웹 출처, 반복 가능."),
    ),
]
NoOrigins = Annotated[
    bool, typer.Option("--no-origins", help=say("No web page may send.", "웹 페이지 전송을 막습니다."))
]
Clock = Annotated[
    str | None,
    typer.Option(
        "--clock",
        metavar="estimate|formula|true_time",
        help=say("How its clock is taken; see docs/ingest.md.", "시각 보정 방식입니다."),
    ),
]
DefaultChannel = Annotated[
    str | None,
    typer.Option(
        "--default-channel",
        metavar="CHANNEL",
        help=say(
            "The channel of what comes without one; `none`: no default.", "채널이 없는 접점의 기본 채널, `none`: 없음."
        ),
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help=say("Check only.", "검사만 합니다."))]


def set_up(
    name: Name,
    segment_mapping: Mapping = None,
    cloudevents: Rules = None,
    origins: Origins = None,
    no_origins: NoOrigins = False,
    clock: Clock = None,
    default_channel: DefaultChannel = None,
    dry_run: DryRun = False,
) -> None:
    """Set how a source is read."""
    from services.ingest.sources.source_administration import SourceReading
    from services.ingest.timing.touchpoint_time import ClockMode
    from waymark.database import run_in_transaction
    from waymark.sources.source_reading import (
        checked_channel,
        checked_origins,
        dialects_of,
        read_mapping,
        read_rules,
        set_reading,
    )
    from waymark.target import find_target

    if clock is not None and clock not in set(ClockMode):
        raise CommandError(f"--clock is one of {', '.join(ClockMode)}, not {clock!r}", exit_code=2)
    asked = (segment_mapping, cloudevents, clock, default_channel)
    if all(given is None for given in asked) and not origins and not no_origins:
        raise CommandError(
            "say what to set: --default-channel, --segment-mapping, --cloudevents, --origin or --clock", exit_code=2
        )
    reading = SourceReading(
        dialects=dialects_of(
            read_mapping(segment_mapping) if segment_mapping is not None else None,
            read_rules(cloudevents) if cloudevents is not None else None,
        ),
        origins=[] if no_origins else checked_origins(origins) if origins else None,
        clock=clock,
        channel=checked_channel(default_channel) if default_channel is not None else None,
    )
    if dry_run:
        out.print(say("nothing is wrong with it", "문제가 없습니다"))
        return
    run_in_transaction(find_target(os.environ).postgres, lambda connection: set_reading(connection, name, reading))
    out.print(say(f"set: {name}", f"설정됨: {name}"), highlight=False)
