"""Flags that several sub-commands share."""

from pathlib import Path
from typing import Annotated

import typer

from waymark.console import say

AsJson = Annotated[
    bool, typer.Option("--json", help=say("Print JSON for programs.", "프로그램용 JSON으로 출력합니다."))
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="WAYMARK_DATA_DIR",
        help=say("Folder of the local stack.", "로컬 스택의 데이터 폴더입니다."),
        show_default=False,
    ),
]
ReadKey = Annotated[
    str | None,
    typer.Option("--key", help=say("A key that may read; else the environment's.", "조회 키."), show_default=False),
]
JourneyApiUrl = Annotated[
    str | None, typer.Option("--url", help=say("Where the journey API answers.", "여정 API 주소."), show_default=False)
]


def examples(*lines: str) -> str:
    """Return the end of a help page, with each example on its own line."""
    return "\n\n".join((say("Examples:", "예:"), *lines))
