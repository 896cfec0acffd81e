"""`waymark tail`: what a source sends, as it comes, with what is wrong and how to mend it."""

import os
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from waymark.console import CommandError, err, out, say
from waymark.options import AsJson, examples

if TYPE_CHECKING:
    import httpx2

    from waymark.touchpoints.inspector_stream import StreamEvent, StreamRequest

STYLES = {
    "accepted": ("✓", "green"),
    "duplicate": ("=", "blue"),
    "rejected": ("✗", "red"),
    "refused": ("✗", "red"),
    "unavailable": ("?", "yellow"),
}
KOREAN = {
    "accepted": "수락",
    "duplicate": "중복",
    "rejected": "거부",
    "refused": "요청 거절",
    "unavailable": "저장 못 함",
}

FATES = {
    "applied": ("applied", "반영됨", "green"),
    "late": ("late", "늦음", "yellow"),
    "duplicate": ("was there before", "이미 있음", "blue"),
    "conflict": ("conflict", "충돌", "red"),
    "dead_letter": ("dead letter", "보류", "red"),
    "waiting": ("waiting", "처리 대기", "dim"),
    "unknown": ("not known", "알 수 없음", "yellow"),
}
"""What became of an accepted one later: in English, in Korean, and its colour."""

SourceName = Annotated[
    str | None, typer.Option("--source", help=say("Only this source; with an operator's key.", "이 소스만(운영자 키)."))
]
Rejected = Annotated[bool, typer.Option("--rejected", "-r", help=say("Only what was refused.", "거부된 것만."))]
Back = Annotated[
    int, typer.Option("--last", min=0, max=200, help=say("So many of the past first.", "먼저 볼 지난 건수."))
]
Key = Annotated[
    str | None,
    typer.Option(
        help=say("A source's or an operator's key; else the environment's.", "소스 키 또는 운영자 키."),
        show_default=False,
    ),
]
Url = Annotated[str | None, typer.Option(help=say("Where ingest answers.", "수신 서버 주소."), show_default=False)]
Once = Annotated[bool, typer.Option("--once", help=say("Show the past and stop.", "지난 것만 보여 주고 끝냅니다."))]


def register(app: typer.Typer) -> None:
    """Add `tail` to the application."""
    app.command(
        "tail",
        help=say(
            "Follow what sources send, as it comes: taken or refused, why, and how to mend it. Values are never shown.",
            "소스가 보내는 것을 실시간으로 봅니다. 왜 거부됐고 어떻게 고치는지 알려 주며, 값은 보여 주지 않습니다.",
        ),
        epilog=examples(
            "waymark tail",
            "waymark tail --rejected --source ivr",
            "waymark tail --once --last 200 --json | jq -r .code",
        ),
    )(tail)


def tail(
    *,
    source: SourceName = None,
    rejected: Rejected = False,
    last: Back = 10,
    once: Once = False,
    key: Key = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Follow the stream until Ctrl-C."""
    import asyncio

    from waymark.target import find_target
    from waymark.touchpoints.inspector_stream import StreamRequest

    target = find_target(os.environ)
    known = key or os.environ.get("WAYMARK_KEY_SOURCE") or target.keys.get("reader") or target.keys.get("source")
    if not known:
        raise CommandError("a key is needed: --key, WAYMARK_KEY_SOURCE, or a running `waymark up`")
    watch = StreamRequest(
        url=(url or target.ingest).rstrip("/"), key=known, source=source, rejected=rejected, back=last
    )
    asyncio.run(_run(watch, once=once, as_json=as_json))


async def _run(watch: "StreamRequest", *, once: bool, as_json: bool) -> None:
    import httpx2

    from waymark.touchpoints.inspector_stream import recent

    async with httpx2.AsyncClient(timeout=10.0) as client:
        for entry in await recent(client, watch):
            _show(entry, as_json)
        if not once:
            await _follow(client, watch, as_json)


async def _follow(client: "httpx2.AsyncClient", watch: "StreamRequest", as_json: bool) -> None:
    from waymark.touchpoints.inspector_stream import follow

    err.print(say("following; Ctrl-C ends", "실시간으로 봅니다. Ctrl-C로 끝냅니다"), style="dim")
    async for event in follow(client, watch):
        if event.name in STYLES:
            _show(event.document, as_json)
        elif event.name == "later":
            _show_later(event.document, as_json)
        elif note := _note(event):
            err.print(note, style="dim", highlight=False)


def _note(event: "StreamEvent") -> str:
    """Return what to say about an event that is not an entry; nothing about most."""
    if event.name == "skipped":
        about = event.document.get("about", 0)
        return say(f"… about {about} more, too fast to show", f"… 너무 빨라 약 {about}건 생략")
    if event.name in {"lost", "bye"}:
        return say("connection lost, trying again", "연결이 끊겨 다시 시도합니다")
    return ""


def _show(entry: dict[str, Any], as_json: bool) -> None:
    if as_json:
        import orjson

        out.file.write(orjson.dumps(entry).decode() + "\n")
        out.file.flush()
        return
    out.print(_line(entry), highlight=False)
    for fault in [*entry.get("errors", []), *entry.get("warnings", [])]:
        _explain(fault.get("path", ""), fault)
    if not entry.get("errors") and entry.get("message"):
        _explain("", entry)
    if entry.get("later", {}).get("outcome") in {"conflict", "dead_letter"}:
        _explain("", entry["later"])


def _show_later(news: dict[str, Any], as_json: bool) -> None:
    """Show the result of an entry that was printed before; an entry that still waits is not mentioned."""
    if as_json:
        import orjson

        out.file.write(orjson.dumps({"event": "later", **news}).decode() + "\n")
        out.file.flush()
    elif news["later"]["outcome"] != "waiting":
        lead = (f"{news['source'] or '?'} ", "cyan"), (news.get("id") or "", "bold")
        out.print(Text.assemble(" " * 9, _describe_result(news["later"]), " ", *lead), highlight=False)
        if news["later"]["outcome"] != "applied":
            _explain("", news["later"])


def _describe_result(later: dict[str, Any]) -> tuple[str, str]:
    """Return the words and the colour for the result of an entry."""
    english, korean, colour = FATES[later["outcome"]]
    code = f" {later['code']}" if "code" in later else ""
    return f"→ {say(english, korean)}{code}", colour


def _line(entry: dict[str, Any]) -> Text:
    mark, colour = STYLES[entry["outcome"]]
    word = say(entry["outcome"], KOREAN[entry["outcome"]])
    became = entry.get("became", {})
    what = entry.get("id") or entry.get("request", {}).get("route", "")
    return Text.assemble(
        (f"{datetime.fromisoformat(entry['received_at']).astimezone():%H:%M:%S} ", "dim"),
        (f"{mark} {word} ", colour),
        (f"{entry['source'] or '?'} ", "cyan"),
        (what, "bold"),
        (f" {became['kind']} · {became['channel']}" if became else "", ""),
        (f" {entry['code']}" if "code" in entry else "", colour),
        *((" ", _describe_result(entry["later"])) if "later" in entry else ()),
    )


def _explain(path: str, fault: dict[str, Any]) -> None:
    shape = f" [{fault['sent']}]" if isinstance(fault.get("sent"), str) else ""
    lead = f"{path}{shape}: " if path or shape else ""
    out.print(Text.assemble(" " * 9, (lead, "dim"), fault["message"]), highlight=False)
    if fault.get("hint"):
        out.print(Text.assemble(" " * 9, (f"→ {fault['hint']}", "yellow")), highlight=False)
