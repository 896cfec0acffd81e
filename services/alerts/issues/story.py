"""Tells people what happened: the timeline of an issue, and what came since, in plain sentences.

Pure. Sentences name kinds as the catalogue does; an unknown kind is given in its own words. Times stay apart, because
each reader has another zone.
"""

from dataclasses import dataclass
from datetime import datetime

from schemas import kinds
from schemas.vocabulary import OUTCOMES_IN_KOREAN, REASONS_IN_KOREAN, in_korean, in_plain_words
from services.alerts.issues.model import Issue, LatestStep, LocalizedTitle, TimelineStep

MOST_TOLD = 20

_CHANNELS = {
    "web": ("on the web", "웹"),
    "app": ("in the app", "앱"),
    "phone": ("by phone", "전화"),
    "ivr": ("in the phone menu", "ARS"),
    "chat": ("by chat", "채팅"),
    "email": ("by e-mail", "이메일"),
    "sms": ("by SMS", "문자"),
    "social": ("on a social network", "소셜 미디어"),
    "messenger": ("by messenger", "메신저"),
    "store": ("in the store", "매장"),
    "kiosk": ("at a kiosk", "키오스크"),
    "field": ("on site", "방문 서비스"),
    "device": ("by a device", "기기"),
    "mail": ("by post", "우편"),
    "api": ("by API", "API"),
}
_OUTCOMES = {"unresolved": "not resolved"}
"""Outcomes that English says otherwise than by their code."""


_RESOLUTIONS = {
    "resolved": "해결",
    "called_back": "전화로 안내함",
    "compensated": "보상함",
    "fixed": "문제를 고침",
    "false_alarm": "잘못된 알림",
    "retracted": "철회됨",
    "merged": "병합됨",
    "over": "종료됨",
    "settled": "저절로 해결됨",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldStep:
    """One sentence about what happened at one time; `since` if it came after the last friction."""

    occurred_at: datetime
    said: LocalizedTitle
    since: bool


def tell(issue: Issue) -> tuple[ToldStep, ...]:
    """Return what happened around an issue, oldest first, each touchpoint once, at most `MOST_TOLD`."""
    since = issue.journey.since if issue.journey else ()
    told = [_told(step, since=False) for step in issue.timeline] + [_told(step, since=True) for step in since]
    seen: dict[tuple[datetime, str], ToldStep] = {}
    for step in told:
        seen.setdefault((step.occurred_at, step.said.en), step)
    return tuple(sorted(seen.values(), key=lambda step: (step.occurred_at, step.since, step.said.en))[-MOST_TOLD:])


def _told(step: TimelineStep | LatestStep, *, since: bool) -> ToldStep:
    return ToldStep(occurred_at=step.occurred_at, said=sentence(step), since=since)


def sentence(step: TimelineStep | LatestStep) -> LocalizedTitle:
    """Return what happened in one step: `Call ended by phone: not resolved (billing).`"""
    known = kinds.load().get(step.kind)
    own = step.kind.replace("_", " ").replace(".", ": ")
    by, channel = _CHANNELS.get(step.channel, (f"by {step.channel}", step.channel))
    outcome, reason = step.outcome or "", step.reason or ""
    ours = isinstance(step, LatestStep) and step.direction == "outbound"
    return LocalizedTitle(
        en=f"{known.title.en if known else own.capitalize()} {by}{', from us' if ours else ''}"
        f"{_after(': ', _OUTCOMES.get(outcome) or in_plain_words(outcome))}{_within(in_plain_words(reason))}.",
        ko=f"{channel}에서 {known.title.ko if known else own}{'(당사 발신)' if ours else ''}"
        f"{_after(': ', in_korean(OUTCOMES_IN_KOREAN, outcome))}{_within(in_korean(REASONS_IN_KOREAN, reason))}",
    )


def resolution_words(resolution: str) -> LocalizedTitle:
    """Return how an issue ended: an outcome, what settled it (a kind of touchpoint), or a word of the team's own."""
    known = kinds.load().get(resolution)
    if known is not None:
        return LocalizedTitle(en=known.title.en, ko=known.title.ko)
    return LocalizedTitle(en=in_plain_words(resolution), ko=in_korean(_RESOLUTIONS, resolution))


def _after(mark: str, text: str) -> str:
    return f"{mark}{text}" if text else ""


def _within(text: str) -> str:
    return f" ({text})" if text else ""
