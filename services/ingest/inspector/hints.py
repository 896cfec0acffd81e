"""Guesses which mistake a producer made, from the shape of the value, without repeating the value. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.languages import Language

_TIMES = frozenset({"occurred_at", "due_at", "sent_at"})
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?")
_DATE = re.compile(r"\d{4}[-./]\d\d?[-./]\d\d?")
_EPOCH_MS = re.compile(r"1\d{12}")
_EPOCH_S = re.compile(r"1\d{9}(\.\d+)?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_LOCAL_NUMBER = re.compile(r"\d{3,4}-?\d{3,4}")
_HALF_HOUR = timedelta(minutes=30)
_NEAR = timedelta(minutes=6)

_CHANNELS = {
    "phone": ("callcenter", "callcentre", "call", "telephone", "tel", "voice", "contactcenter", "콜센터", "전화"),
    "web": ("website", "www", "homepage", "pc", "desktop", "browser", "웹", "홈페이지"),
    "app": ("mobile", "mobileapp", "ios", "android", "mobileweb", "앱", "모바일"),
    "chat": ("livechat", "chatbot", "bot", "webchat", "채팅", "챗봇"),
    "email": ("mailing", "emails", "이메일", "메일"),
    "sms": ("text", "mms", "lms", "문자"),
    "messenger": ("kakao", "kakaotalk", "line", "whatsapp", "telegram", "alimtalk", "카카오", "카카오톡", "알림톡"),
    "store": ("shop", "branch", "offline", "pos", "매장", "지점", "오프라인"),
    "social": ("sns", "instagram", "facebook", "twitter", "인스타그램"),
    "mail": ("letter", "post", "우편"),
    "field": ("visit", "technician", "delivery", "방문", "배송"),
}
_ALIASES = {alias: channel for channel, aliases in _CHANNELS.items() for alias in aliases}


@dataclass(frozen=True, slots=True)
class Hint:
    """A guess at a mistake, in English and Korean."""

    english: str
    korean: str

    def say(self, language: Language) -> str:
        """Return the guess in one language."""
        return self.korean if language is Language.KO else self.english


_MILLISECONDS = Hint(
    "This looks like milliseconds since 1970. Turn it into RFC 3339 text, such as 2026-11-22T09:15:00+09:00.",
    "1970년부터의 밀리초로 보입니다. 2026-11-22T09:15:00+09:00 같은 RFC 3339 문자열로 바꾸세요.",
)
_SECONDS = Hint(
    "This looks like seconds since 1970. Turn it into RFC 3339 text, such as 2026-11-22T09:15:00+09:00.",
    "1970년부터의 초로 보입니다. 2026-11-22T09:15:00+09:00 같은 RFC 3339 문자열로 바꾸세요.",
)
_NO_OFFSET = Hint(
    "The offset is missing. Append +09:00 if it is Korean time, Z if it is UTC.",
    "오프셋이 없습니다. 한국 시각이면 +09:00을, UTC면 Z를 붙이세요.",
)
_NO_TIME = Hint("There is a date alone. Add time and offset.", "날짜만 있습니다. 시각과 오프셋을 더하세요.")
_AS_NUMBER = Hint("A number stands in quotes. Send it without them.", "숫자가 따옴표 안에 있습니다. 따옴표를 빼세요.")
_AS_TEXT = Hint("A number stands here. Put it in quotes.", "숫자로 왔습니다. 따옴표로 감싸 문자열로 보내세요.")
_LOCAL = Hint(
    "A number without its area code. Send it whole: 02-1234-5678, 010-1234-5678 or +82 10 1234 5678.",
    "지역번호가 빠졌습니다. 02-1234-5678, 010-1234-5678, +82 10 1234 5678처럼 전체를 보내세요.",
)
_EUC_KR = Hint(
    "These bytes read as EUC-KR (cp949). Encode the body in UTF-8.",
    "EUC-KR(cp949)로 읽힙니다. 본문을 UTF-8로 인코딩하세요.",
)

_Guess = Callable[[str, Any, datetime], Hint | None]


def guess(path: str, value: Any, received_at: datetime) -> Hint | None:
    """Return the probable mistake behind `value` as the member at `path`; None without a guess."""
    return next(_ideas(path, value, received_at), None)


def of_bytes(encoding: str) -> Hint | None:
    """Return the probable mistake behind bytes that are no JSON; `encoding` as the inspector names it."""
    return _EUC_KR if "cp949" in encoding else None


def _ideas(path: str, value: Any, received_at: datetime) -> Iterator[Hint]:
    for idea in (_of_time, _of_channel, _of_phone, _of_type):
        hint = idea(path, value, received_at)
        if hint is not None:
            yield hint


def _of_time(path: str, value: Any, received_at: datetime) -> Hint | None:
    if path not in _TIMES or isinstance(value, bool):
        return None
    text = str(value)
    for pattern, hint in ((_EPOCH_MS, _MILLISECONDS), (_EPOCH_S, _SECONDS), (_NAIVE, _NO_OFFSET), (_DATE, _NO_TIME)):
        if pattern.fullmatch(text):
            return hint
    return _of_hours(text, received_at)


def _of_hours(text: str, received_at: datetime) -> Hint | None:
    """A time that is ahead by whole half hours is somebody's wall clock with another offset."""
    try:
        ahead = datetime.fromisoformat(text) - received_at
    except (TypeError, ValueError, OverflowError):
        return None
    steps = round(ahead / _HALF_HOUR)
    if not 1 <= steps <= 28 or abs(ahead - steps * _HALF_HOUR) > _NEAR:
        return None
    hours = f"{steps / 2:g}"
    return Hint(
        f"It is about {hours} h ahead: a local time that was sent as if it were another zone's. "
        "Korean time ends in +09:00, not in Z.",
        f"약 {hours}시간 앞섭니다. 현지 시각을 다른 시간대로 보낸 듯합니다. "
        "한국 시각은 Z가 아니라 +09:00으로 끝납니다.",
    )


def _of_channel(path: str, value: Any, _: datetime) -> Hint | None:
    if path != "channel" or not isinstance(value, str):
        return None
    channel = _ALIASES.get(re.sub(r"[\s_-]", "", value.lower()))
    if channel is None:
        return None
    return Hint(f"That is `{channel}` here.", f"여기서는 `{channel}`입니다.")


def _of_phone(path: str, value: Any, _: datetime) -> Hint | None:
    return _LOCAL if path == "customer.phone" and isinstance(value, str) and _LOCAL_NUMBER.fullmatch(value) else None


def _of_type(path: str, value: Any, _: datetime) -> Hint | None:
    if isinstance(value, str) and path in _NUMBERS and _NUMBER.fullmatch(value):
        return _AS_NUMBER
    if isinstance(value, int | float) and not isinstance(value, bool) and path not in _NUMBERS and path not in _TIMES:
        return _AS_TEXT
    return None


_NUMBERS = frozenset(
    {"wait_s", "duration_s", "hold_s", "transfers", "sequence", "sentiment"}
    | {"score.value", "score.scale", "value.amount"}
)
