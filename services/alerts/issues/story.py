"""Tells people what happened: the timeline of an issue, and what came since, in plain sentences.

Pure. Sentences name kinds as the catalogue does; an unknown kind is given in its own words. Times stay apart, because
each reader has another zone.
"""

from dataclasses import dataclass
from datetime import datetime

from schemas import kinds
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
_OUTCOMES = {
    "resolved": ("resolved", "해결"),
    "unresolved": ("not resolved", "미해결"),
    "abandoned": ("abandoned", "포기"),
    "failed": ("failed", "실패"),
    "transferred": ("transferred", "다른 담당자에게 연결"),
    "no_answer": ("no answer", "응답 없음"),
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
    outcome = _OUTCOMES.get(step.outcome or "", (step.outcome or "", step.outcome or ""))
    ours = isinstance(step, LatestStep) and step.direction == "outbound"
    return LocalizedTitle(
        en=f"{known.title.en if known else own.capitalize()} {by}{', from us' if ours else ''}"
        f"{_after(': ', outcome[0])}{_within(step.reason)}.",
        ko=f"{channel}에서 {known.title.ko if known else own}{'(당사 발신)' if ours else ''}"
        f"{_after(': ', outcome[1])}{_within(step.reason)}",
    )


def _after(mark: str, text: str) -> str:
    return f"{mark}{text.replace('_', ' ')}" if text else ""


def _within(text: str | None) -> str:
    return f" ({text.replace('_', ' ')})" if text else ""
