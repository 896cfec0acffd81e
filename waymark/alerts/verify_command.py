"""`waymark alerts verify`: whether a webhook that was received is Waymark's, and if not, why."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from waymark.console import CommandError, out, print_json, say
from waymark.options import AsJson, examples

Body = Annotated[
    Path,
    typer.Argument(
        metavar="BODY", help=say("The raw body as it arrived; - is stdin.", "받은 그대로의 본문, -는 표준 입력.")
    ),
]
Headers = Annotated[
    list[str],
    typer.Option(
        "--header", "-H", metavar="NAME:VALUE", help=say("A header of the request.", "요청의 헤더, 반복 가능.")
    ),
]
Keys = Annotated[
    list[str],
    typer.Option(
        "--key",
        metavar="KEY",
        help=say("whsec_… or whpk_…; repeat it during a rotation.", "whsec_… 또는 whpk_…, 교체 중에는 반복."),
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help=say("As if it were this time; for one that was kept.", "이 시각에 받은 것으로 봅니다(보관해 둔 웹훅)."),
    ),
]


def add(group: typer.Typer) -> None:
    """Add the command to the group `waymark alerts`."""
    group.command(
        "verify",
        help=say(
            "Say whether a received webhook was signed with your key, and if not, why. Nothing is sent.",
            "받은 웹훅이 내 키로 서명되었는지, 아니라면 이유를 알려 줍니다. 아무것도 보내지 않습니다.",
        ),
        epilog=examples(
            "waymark alerts verify body.json -H 'webhook-id: msg_1' -H 'webhook-timestamp: 1795305600' "
            "-H 'webhook-signature: v1,…' --key whsec_…",
            "waymark alerts verify body.json -H … --key whpk_… --at 2026-11-22T09:15+09:00 --json",
        ),
    )(verify_webhook)


def verify_webhook(body: Body, headers: Headers, keys: Keys, *, at: At = None, as_json: AsJson = False) -> None:
    """Say whether a received webhook is the sender's."""
    from waymark.webhooks import WebhookRefusedError, verify

    given = dict(_header(text) for text in headers)
    try:
        found = verify(_read(body), given, keys, now=_moment(at))
    except WebhookRefusedError as error:
        if as_json:
            print_json({"verified": False, "reason": error.refusal, "message": str(error)})
            raise typer.Exit(1) from None
        raise CommandError(f"{error.refusal}: {error}") from None
    if as_json:
        print_json({"verified": True, "id": found.id, "signed_at": found.signed_at, "version": found.version})
        return
    text = say(
        f"verified: {found.id}, signed at {found.signed_at.isoformat()}, {found.version}",
        f"검증됨: {found.id}, 서명 시각 {found.signed_at.isoformat()}, {found.version}",
    )
    out.print(text, highlight=False, markup=False)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise CommandError(say(f"write --header NAME:VALUE, not {text!r}", f"--header 이름:값: {text!r}"), exit_code=2)
    return name.strip(), value.strip()


def _read(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", exit_code=2) from error


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            say("--at takes a time such as 2026-11-22T09:15+09:00", "--at 예: 2026-11-22T09:15+09:00"), exit_code=2
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
