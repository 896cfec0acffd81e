"""`waymark send`: one touchpoint from flags, or many from JSON Lines, to try things out by hand."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waymark.console import CommandError, err, out, print_json, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    from waymark.target import CommandTarget

MARKS = {"accepted": "[green]✓[/]", "duplicate": "[yellow]=[/]", "rejected": "[red]✗[/]", "unavailable": "[red]?[/]"}
CONNECT_S = 5.0
"""A host that does not even answer a call is told soon; one that works on it has its time."""

File = Annotated[
    Path | None,
    typer.Argument(
        help=say("JSON Lines to send; `-` reads standard input.", "보낼 JSONL 파일, `-`는 표준 입력."),
        show_default=False,
    ),
]
Kind = Annotated[str | None, typer.Option("--kind", "-k", help=say("What happened.", "무슨 일인지(kind)."))]
Customer = Annotated[
    list[str] | None,
    typer.Option("--customer", "-c", metavar="TYPE=VALUE", help=say("An identifier; repeat it.", "식별자, 반복 가능.")),
]
Channel = Annotated[str | None, typer.Option(help=say("Where; else the kind's usual one.", "채널입니다."))]
Reason = Annotated[str | None, typer.Option(help=say("Why the customer came.", "문의 사유입니다."))]
Refs = Annotated[
    list[str] | None, typer.Option("--ref", metavar="NAME=ID", help=say("A case, an order; repeat it.", "참조 번호."))
]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help=say("When; else now.", "발생 시각, 기본은 지금."))]
Fields = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help=say("Any other field; repeat it.", "그 밖의 필드, 반복 가능.")),
]
Key = Annotated[
    str | None, typer.Option(envvar="WAYMARK_KEY_SOURCE", help=say("A source's key.", "소스 키."), show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add `send` to the application."""
    app.command(
        "send",
        help=say(
            "Send a touchpoint made of flags, or many from JSON Lines. Beside a running `waymark up` no key is needed.",
            "접점을 하나 또는 여러 개 보냅니다. `waymark up`이 실행 중이면 키가 필요 없습니다.",
        ),
        epilog=examples(
            "waymark send --kind call_started --customer phone=010-1234-5678 --reason billing",
            "waymark send -k call_ended -c customer_id=C-1009 --set wait_s=412 --set outcome=unresolved",
            "waymark send touchpoints.jsonl",
            "cat touchpoints.jsonl | waymark send -",
        ),
    )(send)


def send(
    file: File = None,
    *,
    kind: Kind = None,
    customer: Customer = None,
    channel: Channel = None,
    reason: Reason = None,
    refs: Refs = None,
    at: At = None,
    fields: Fields = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Build the touchpoints, post them and show the results. Exits with 1 when any was not accepted."""
    from waymark.target import find_target

    if (file is None) == (kind is None):
        raise CommandError("give either a file (or `-`), or --kind with --customer", exit_code=2)
    if file is not None:
        documents = _read(file)
    else:
        known = {"kind": kind, "channel": channel, "reason": reason, "occurred_at": at}
        documents = [_made(known, customer or [], refs or [], fields or [])]
    target = find_target(os.environ)
    answer = _post(target, key or target.keys.get("source"), documents)
    if as_json:
        print_json(answer)
    else:
        _show(answer)
    if answer.get("rejected") or answer.get("unavailable") or "results" not in answer:
        raise typer.Exit(1)


def _read(file: Path) -> list[Any]:
    import json

    text = sys.stdin.read() if str(file) == "-" else _text(file)
    documents = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                documents.append(json.loads(line))
            except ValueError as error:
                raise CommandError(f"line {number} is not JSON") from error
    if not documents:
        raise CommandError("there is nothing to send")
    return documents


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error


def _made(known: dict[str, str | None], customer: list[str], refs: list[str], fields: list[str]) -> dict[str, Any]:
    """Return a touchpoint from the flags; missing fields are filled in as the kind usually has them."""
    from schemas import kinds
    from services.runtime.clock import SystemClock, new_id

    clock = SystemClock()
    kind = known["kind"] or ""
    usual = kinds.load().get(kind)
    document: dict[str, Any] = {
        "id": f"cli-{new_id()}",
        "occurred_at": known["occurred_at"] or clock.now().isoformat().replace("+00:00", "Z"),
        "channel": known["channel"] or (str(usual.channels[0]) if usual and usual.channels else "api"),
        "kind": kind,
        "customer": dict(_pair(text, "--customer") for text in customer),
    }
    if not document["customer"]:
        raise CommandError("say who: --customer phone=010-1234-5678", exit_code=2)
    if usual is not None and usual.contact:
        document["direction"] = "inbound"
    if known["reason"]:
        document["reason"] = known["reason"]
    if refs:
        document["refs"] = dict(_pair(text, "--ref") for text in refs)
    return document | {name: _value(value) for name, value in (_pair(text, "--set") for text in fields)}


def _pair(text: str, flag: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise CommandError(f"{flag} wants NAME=VALUE, not {text!r}", exit_code=2)
    return name, value


def _value(text: str) -> Any:
    """Return what `--set` means: JSON where it is JSON (a number, true, an object), else the text itself."""
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


def _post(target: "CommandTarget", key: str | None, documents: list[Any]) -> dict[str, Any]:
    import httpx2

    if not key:
        raise CommandError(
            "a source key is needed: waymark keys create --source NAME, then --key or WAYMARK_KEY_SOURCE"
        )
    headers = {"authorization": f"Bearer {key}", "accept-language": say("en", "ko")}
    try:
        answer = httpx2.post(
            f"{target.ingest}/v1/touchpoints",
            json={"touchpoints": documents},
            headers=headers,
            timeout=httpx2.Timeout(30.0, connect=CONNECT_S),
        )
    except httpx2.TransportError as error:
        hint = "is it running? `waymark up` starts everything"
        raise CommandError(f"ingest at {target.ingest} does not answer ({type(error).__name__}); {hint}") from error
    try:
        document: dict[str, Any] = answer.json()
    except ValueError as error:
        raise CommandError(f"ingest at {target.ingest} answers {answer.status_code} without JSON") from error
    return document


def _show(answer: dict[str, Any]) -> None:
    if "results" not in answer:
        raise CommandError(f"{answer.get('code', '')}: {answer.get('message') or answer.get('detail', '')}")
    for result in answer["results"]:
        out.print(f"{MARKS[result['status']]} {result['status']:<11}", end=" ", highlight=False)
        out.print(result.get("id") or f"#{result['index']}", markup=False, highlight=False)
        for note in result.get("errors", []) or ([result] if result.get("message") else []):
            where = note.get("path") or note.get("field")
            err.print(
                f"    {where}: {note['message']}" if where else f"    {note['message']}", markup=False, highlight=False
            )
        for note in result.get("warnings", []):
            err.print(f"    {note['path']}: {note['message']}", style="yellow", markup=False, highlight=False)
