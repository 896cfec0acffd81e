"""Mistakes that engineers make when they connect a system, as docs/ingest-mistakes.md shows them.

`python -m tests.unit.ingest.mistakes` writes the document again from what the service answers.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.ingest.sources.source import Source, SourceScope
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import IngestBench, Response, a_touchpoint, bench_with

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "ingest-mistakes.md"


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """What somebody sends: the body as sent, or touchpoints; `before` is sent first, rightly."""

    name: str
    name_ko: str
    shown: str
    body: Any
    code: str
    headers: dict[str, str] = field(default_factory=dict)
    before: Any = None
    key: Callable[[IngestBench], str] | None = None
    limits: dict[str, str] = field(default_factory=dict)


def _json(document: Any, encoding: str = "utf-8") -> bytes:
    return json.dumps(document, ensure_ascii=False).encode(encoding)


MISTAKES = (
    Mistake(
        name="The id is missing",
        name_ko="id가 없음",
        shown='{"occurred_at": …, "channel": "phone", …}, without `id`',
        body=a_touchpoint(id=...),
        code="invalid_field",
    ),
    Mistake(
        name="The time has no offset",
        name_ko="시각에 오프셋이 없음",
        shown='"occurred_at": "2026-11-22 09:14:00"',
        body=a_touchpoint(occurred_at="2026-11-22 09:14:00"),
        code="invalid_field",
    ),
    Mistake(
        name="Local time is sent as UTC",
        name_ko="한국 시각에 Z를 붙여 보냄",
        shown='"occurred_at": "2026-11-22T09:14:00Z", at 09:15 in Seoul (00:15Z)',
        body=a_touchpoint(occurred_at="2026-11-22T09:14:00Z"),
        code="occurred_at_in_future",
    ),
    Mistake(
        name="The time is a number of milliseconds",
        name_ko="시각을 13자리 밀리초로 보냄",
        shown='"occurred_at": 1795306440000',
        body=a_touchpoint(occurred_at=1_795_306_440_000),
        code="invalid_field",
    ),
    Mistake(
        name="The channel is not one of ours",
        name_ko="없는 채널",
        shown='"channel": "callcenter"',
        body=a_touchpoint(channel="callcenter"),
        code="invalid_field",
    ),
    Mistake(
        name="A phone number lacks its area code",
        name_ko="전화번호에 지역번호가 없음",
        shown='"customer": {"phone": "1234-567"}',
        body=a_touchpoint(customer={"phone": "1234-567"}),
        code="no_usable_identifier",
    ),
    Mistake(
        name="A placeholder stands where the e-mail address should",
        name_ko="이메일 자리에 자리표시 값",
        shown='"customer": {"email": "none@none.com"}',
        body=a_touchpoint(customer={"email": "none@none.com"}),
        code="no_usable_identifier",
    ),
    Mistake(
        name="One source's touchpoints are sent with another's key",
        name_ko="다른 소스의 키로 보냄",
        shown='"source": "crm", with the key of `ivr`',
        body=a_touchpoint(source="crm"),
        code="source_mismatch",
    ),
    Mistake(
        name="The past is sent without the scope for it",
        name_ko="replay 권한 없이 과거 데이터를 보냄",
        shown='"replay": true',
        body=a_touchpoint(replay=True, occurred_at="2026-03-01T09:14:00+09:00"),
        code="replay_not_allowed",
    ),
    Mistake(
        name="One touchpoint is too big",
        name_ko="접점 하나가 너무 큼",
        shown='"text": a whole transcript of 70,000 characters',
        body=a_touchpoint(text="x" * 70_000),
        code="item_too_large",
    ),
    Mistake(
        name="The request is too big",
        name_ko="요청이 너무 큼",
        shown="1,001 touchpoints at once",
        body=[a_touchpoint(id=str(number)) for number in range(1_001)],
        code="too_many_items",
    ),
    Mistake(
        name="The body is a form",
        name_ko="본문이 JSON이 아니라 폼",
        shown="Content-Type: application/x-www-form-urlencoded",
        body=b"id=call-1&channel=phone",
        headers={"content_type": "application/x-www-form-urlencoded"},
        code="unsupported_media_type",
    ),
    Mistake(
        name="The charset is EUC-KR, and says so",
        name_ko="EUC-KR로 보냄(헤더에 적음)",
        shown="Content-Type: application/json; charset=euc-kr",
        body=_json(a_touchpoint(text="다시 전화했어요"), "euc-kr"),
        headers={"content_type": "application/json; charset=euc-kr"},
        code="unsupported_media_type",
    ),
    Mistake(
        name="The text is EUC-KR, and does not say so",
        name_ko="EUC-KR로 보냄(헤더에 안 적음)",
        shown='"text": "다시 전화했어요", encoded as EUC-KR',
        body=_json(a_touchpoint(text="다시 전화했어요"), "euc-kr"),
        code="invalid_json",
    ),
    Mistake(
        name="Content-Encoding says gzip, the body is not",
        name_ko="gzip이라고 했지만 압축되지 않음",
        shown="Content-Encoding: gzip, over plain JSON",
        body=_json(a_touchpoint()),
        headers={"content_encoding": "gzip"},
        code="invalid_encoding",
    ),
    Mistake(
        name="A member is misspelt",
        name_ko="필드 이름을 잘못 씀",
        shown='"occured_at"',
        body={**a_touchpoint(occurred_at=...), "occured_at": "2026-11-22T09:14:00+09:00"},
        code="invalid_field",
    ),
    Mistake(
        name="A number is sent as text",
        name_ko="숫자를 문자열로 보냄",
        shown='"wait_s": "412"',
        body=a_touchpoint(wait_s="412"),
        code="invalid_field",
    ),
    Mistake(
        name="A key may only look, not send",
        name_ko="조회 전용 키로 보냄",
        shown="a key made with `--only inspect`",
        body=a_touchpoint(),
        key=lambda bench: bench.keys.add(Source(name="ivr", scopes=frozenset({SourceScope.INSPECT}))).text,
        code="write_not_allowed",
    ),
    Mistake(
        name="More is sent than the source may",
        name_ko="허용된 속도보다 빨리 보냄",
        shown="a loop without a pause, at 1 request/s allowed",
        before=a_touchpoint(id="call-0"),
        body=a_touchpoint(),
        limits={"requests_per_s": "1", "burst_s": "1"},
        code="too_many_requests",
    ),
)


async def make(mistake: Mistake) -> tuple[Response, dict[str, dict[str, Any]]]:
    """Return the answer to a mistake, and what the inspector shows of it in English and Korean."""
    clock = SteppingClock(datetime(2026, 11, 22, 0, 15, tzinfo=UTC))
    bench = await bench_with(clock, **mistake.limits).started()
    if mistake.before is not None:
        await bench.post(mistake.before)
    looking = bench.key.text
    key = mistake.key(bench) if mistake.key is not None else looking
    body = mistake.body if isinstance(mistake.body, bytes) else _json(mistake.body)
    answer = await bench.call("POST", [body], {"authorization": f"Bearer {key}", **mistake.headers})
    seen = {}
    for language in ("en", "ko"):
        listed = await bench.inspect("limit=1", key=looking, accept_language=language)
        (seen[language],) = listed.json["entries"]
    return answer, seen


async def document() -> str:
    """Return docs/ingest-mistakes.md as it should stand."""
    parts = [_HEAD]
    for number, mistake in enumerate(MISTAKES, start=1):
        answer, seen = await make(mistake)
        parts.append("\n".join(_section(number, mistake, answer, seen)))
    return "\n\n".join(parts) + "\n"


_HEAD = """# Mistakes, and what the inspector says

Connecting a system, these happen to everybody. Each stands here with what the inspector answers, in English and in
Korean. The answer to the request says the same, but for the **bold** guesses: these are the inspector's own. See for
yourself: open `/inspector` at ingest with your source's key, or run `waymark tail`. What was sent is shown by its shape
(`9` a digit, `a` a letter, `가` a syllable), never by its value. This page is made from the service's own answers, and
a test holds it to them."""


def _section(number: int, mistake: Mistake, answer: Response, seen: dict[str, dict[str, Any]]) -> Iterator[str]:
    english, korean = seen["en"], seen["ko"]
    yield f"## {number}. {mistake.name} · {mistake.name_ko}"
    yield ""
    yield f"Sent: `{mistake.shown}`. Answer: {answer.status} `{english['code']}`."
    yield ""
    yield "| member | shape of what was sent | English | 한국어 |"
    yield "|---|---|---|---|"
    faults = [*english.get("errors", []), *english.get("warnings", [])]
    korean_faults = [*korean.get("errors", []), *korean.get("warnings", [])]
    for fault, in_korean in zip(faults, korean_faults, strict=True):
        yield _row(fault["path"], fault.get("sent", ""), _said(fault), _said(in_korean))
    if not faults:
        request = english.get("request", {})
        shape = request.get("content_type") or (english["sent"] if isinstance(english.get("sent"), str) else "")
        yield _row("", shape, _said(english), _said(korean))


def _said(fault: dict[str, Any]) -> str:
    return f"{fault['message']} **{fault['hint']}**" if "hint" in fault else str(fault["message"])


def _row(path: str, shape: str, english: str, korean: str) -> str:
    shown = [f"`{cell}`" if cell else "–" for cell in (path, shape)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (*shown, english, korean)) + " |"


if __name__ == "__main__":
    DOCUMENT.write_text(asyncio.run(document()), encoding="utf-8")
