"""Closed vocabularies that several documents share, and the small values made of them.

Open vocabularies (kinds, reasons, outcomes, identifier types) are catalogues, not enums: `schemas.kinds`,
`schemas.identifiers.identifier_types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time: always aware; written as UTC."""


class Channel(StrEnum):
    """Where a contact happened; always the customer's channel, never the way to reach a team."""

    WEB = "web"
    APP = "app"
    PHONE = "phone"
    IVR = "ivr"
    CHAT = "chat"
    EMAIL = "email"
    SMS = "sms"
    SOCIAL = "social"
    MESSENGER = "messenger"
    STORE = "store"
    KIOSK = "kiosk"
    FIELD = "field"
    DEVICE = "device"
    MAIL = "mail"
    API = "api"


CHANNELS_IN_KOREAN: Mapping[str, str] = {
    "web": "웹",
    "app": "앱",
    "phone": "전화",
    "ivr": "ARS",
    "chat": "채팅",
    "email": "이메일",
    "sms": "문자",
    "social": "소셜",
    "messenger": "메신저",
    "store": "매장",
    "kiosk": "키오스크",
    "field": "방문",
    "device": "기기",
    "mail": "우편",
    "api": "API",
}
"""What a reader of Korean calls each channel, short enough for a lane or a label."""

REASONS_IN_KOREAN: Mapping[str, str] = {
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
"""What a reader of Korean calls the reasons that many producers send; every other reason is its producer's own word."""

OUTCOMES_IN_KOREAN: Mapping[str, str] = {
    "resolved": "해결",
    "unresolved": "미해결",
    "abandoned": "중도 포기",
    "failed": "실패",
    "escalated": "상위 이관",
    "completed": "완료",
    "transferred": "전환",
    "no_answer": "응답 없음",
    "gateway_timeout": "결제사 응답 없음",
    "insufficient_funds": "잔액 부족",
    "declined": "거절",
    "delivered": "배송 완료",
    "delayed": "지연",
    "pending": "대기",
    "cancelled": "취소",
}
"""What a reader of Korean calls the outcomes of touchpoints that many producers send."""


def in_korean(words: Mapping[str, str], code: str) -> str:
    """Return the Korean word for a code, or a code that nobody knows as plain words of its producer."""
    return words.get(code) or in_plain_words(code)


def in_plain_words(code: str) -> str:
    """Return a code as people read it: `order_status` becomes `order status`."""
    return code.replace("_", " ")


class Direction(StrEnum):
    """Who made the contact: inbound is the customer, outbound the company."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class ServiceLevel(StrEnum):
    """What this customer was promised; thresholds and deadlines depend on it."""

    BASIC = "basic"
    ENHANCED = "enhanced"
    PREMIUM = "premium"


class TimeQuality(StrEnum):
    """How `occurred_at` came about, where anything is known about it."""

    AGREED = "agreed"
    CORRECTED = "corrected"
    COMPUTED = "computed"
    TRUSTED = "trusted"
    CLAMPED = "clamped"
    RECEIVED = "received"


class SentimentOrigin(StrEnum):
    """Who said how a touchpoint feels, where its producer did not."""

    LEXICON = "lexicon"
    MODEL = "model"


class Severity(StrEnum):
    """How bad a friction or an issue is, mildest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (low) to 3 (critical), for comparisons."""
        return _RANK[self]


_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class TextDocument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One sentence in English and in Korean."""

    en: str
    ko: str


class TouchpointRefDocument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Names one touchpoint: a source and the id it gave."""

    source: str
    id: str


class MoneyDocument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is at stake, in units (not cents) of an ISO 4217 `currency`; for priority, not for accounting."""

    amount: int | float
    currency: str


class TimelineEntryDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of a timeline excerpt: what a message to a team may show of a touchpoint."""

    occurred_at: Moment
    channel: Channel
    kind: str
    outcome: str | None = None
    reason: str | None = None


class JourneyStepDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a reader of journeys may know of one touchpoint of a journey."""

    occurred_at: Moment
    channel: Channel
    kind: str
    direction: Direction | None = None
    outcome: str | None = None
    reason: str | None = None


class ClosingDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A later touchpoint that settles a friction: one of these kinds; an empty member fits everything."""

    kind: tuple[str, ...]
    direction: Direction | None = None
    outcome: tuple[str, ...] = ()
    channel: tuple[Channel, ...] = ()
