"""Fills the placeholders of titles and explanations: one fill says one thing of a finding, in English or in Korean.

Each shape names its own placeholders; `ANYWHERE` holds those that every shape has.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from services.journey.domain.friction import Number, RuleFinding

Fill: TypeAlias = Callable[[RuleFinding, str], str]
"""Returns the text for one placeholder of a finding, in a language."""

Placeholders: TypeAlias = Mapping[str, Fill]
"""Fills by the name that stands in braces."""

_UNITS = {
    "en": (
        (86_400, " day", " days"),
        (3_600, " hour", " hours"),
        (60, " minute", " minutes"),
        (1, " second", " seconds"),
    ),
    "ko": ((86_400, "일", "일"), (3_600, "시간", "시간"), (60, "분", "분"), (1, "초", "초")),
}

_CHANNELS = {
    "web": ("web", "웹"),
    "app": ("app", "앱"),
    "phone": ("phone", "전화"),
    "ivr": ("IVR", "ARS"),
    "chat": ("chat", "채팅"),
    "email": ("e-mail", "이메일"),
    "sms": ("text message", "문자"),
    "social": ("social media", "소셜 미디어"),
    "messenger": ("messenger", "메신저"),
    "store": ("store", "매장"),
    "kiosk": ("kiosk", "키오스크"),
    "field": ("field service", "방문 서비스"),
    "device": ("device", "기기"),
    "mail": ("mail", "우편"),
    "api": ("API", "API"),
}

_REASONS_KO = {
    "billing": "요금",
    "delivery": "배송",
    "payment": "결제",
    "refund": "환불",
    "return": "반품",
    "returns": "반품",
    "exchange": "교환",
    "order": "주문",
    "order_status": "주문 조회",
    "not_received": "미수령",
    "product": "상품",
    "account": "계정",
    "login": "로그인",
    "technical": "기술 문제",
    "complaint": "불만",
    "cancellation": "취소",
    "repair": "수리",
    "installation": "설치",
    "other": "기타",
}
"""As the contract has them; the domain knows no contract, so a test keeps them alike."""

_UNKNOWN = {"en": "not known", "ko": "알 수 없음"}


def duration(seconds: float, language: str) -> str:
    """Return `seconds` in words, in the two largest units: "6 minutes 52 seconds", "6분 52초"."""
    rest = int(seconds)
    words = []
    for size, one, many in _UNITS[language]:
        number, rest = divmod(rest, size)
        if number:
            words.append(f"{number}{one if number == 1 else many}")
    return " ".join(words[:2]) or f"0{_UNITS[language][-1][2]}"


def _number(value: Number) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)


def number_of(name: str) -> Fill:
    """Return the fill that says the number `name` of the evidence as it is."""
    return lambda finding, language: _number(finding.evidence.get(name, _UNKNOWN[language]))


def duration_of(name: str) -> Fill:
    """Return the fill that says the number `name` of the evidence, seconds, as a duration."""

    def fill(finding: RuleFinding, language: str) -> str:
        value = finding.evidence.get(name)
        return duration(value, language) if isinstance(value, int | float) else _UNKNOWN[language]

    return fill


def _channel(finding: RuleFinding, language: str) -> str:
    names = _CHANNELS.get(finding.at.channel, (finding.at.channel, finding.at.channel))
    return names[1 if language == "ko" else 0]


def _reason(finding: RuleFinding, language: str) -> str:
    if not finding.reason:
        return _UNKNOWN[language]
    plain = finding.reason.replace("_", " ")
    return _REASONS_KO.get(finding.reason, plain) if language == "ko" else plain


def when_due(finding: RuleFinding, language: str) -> str:  # noqa: ARG001 - one signature for all placeholders
    """Say when the follow-up was due."""
    return f"{finding.stale_from:%Y-%m-%d %H:%M} UTC"


ANYWHERE: Placeholders = {"channel": _channel, "reason": _reason}
