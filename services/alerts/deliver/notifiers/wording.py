"""Says a message in words, in English or Korean: a headline, what is known in pairs, the journey line by line.

Notifiers lay these words out and cut them to their limits; no notifier words anything itself that another one says too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from schemas import kinds
from schemas.vocabulary import CHANNELS_IN_KOREAN, OUTCOMES_IN_KOREAN, REASONS_IN_KOREAN, in_korean, in_plain_words
from services.alerts.deliver.notifiers.cutting import cut
from services.alerts.deliver.notifiers.korean_words import DISABLED_WHY, FACTORS, LABELS, LEVELS, REFS, VALUES
from services.alerts.deliver.notifiers.notifier import ReaderOptions
from services.alerts.deliver.notifiers.told_message import MessageKind, MessageStep, ToldIssue, ToldMessage, ToldText
from services.alerts.issues.model import AlertSeverity
from services.alerts.issues.story import resolution_words

TITLE = 500
VALUE = 300
STEP = 400
PARAGRAPH = 600
LABEL = 60
"""The most characters of each text, so that no text of a producer crowds out the others; the link shows all of it."""

_SEVERITIES = {
    AlertSeverity.CRITICAL: {"en": "Critical", "ko": "긴급"},
    AlertSeverity.HIGH: {"en": "High", "ko": "높음"},
    AlertSeverity.MEDIUM: {"en": "Medium", "ko": "보통"},
    AlertSeverity.LOW: {"en": "Low", "ko": "낮음"},
}
COLOURS = {
    AlertSeverity.CRITICAL: "#B3261E",
    AlertSeverity.HIGH: "#E8710A",
    AlertSeverity.MEDIUM: "#F2B705",
    AlertSeverity.LOW: "#5F6B7A",
}
RESOLVED_COLOUR = "#2E7D32"
_LABELS: Mapping[str, Mapping[str, str]] = {
    "severity": {"en": "Severity", "ko": "심각도"},
    "customer": {"en": "Customer", "ko": "고객"},
    "service_level": {"en": "Service level", "ko": "서비스 등급"},
    "channel": {"en": "Channel", "ko": "채널"},
    "reason": {"en": "Reason", "ko": "사유"},
    "count": {"en": "Frictions", "ko": "불편"},
    "since": {"en": "Since", "ko": "시작"},
    "team": {"en": "Team", "ko": "담당 팀"},
    "owner": {"en": "Owner", "ko": "담당자"},
    "effort": {"en": "Effort so far", "ko": "고객 노력도"},
    "value": {"en": "At stake", "ko": "걸린 금액"},
    "priority": {"en": "Priority", "ko": "우선순위"},
    "respond_by": {"en": "Respond by", "ko": "응답 기한"},
    "resolve_by": {"en": "Resolve by", "ko": "해결 기한"},
    "customers": {"en": "Customers", "ko": "고객 수"},
    "usual": {"en": "Usual in 5 min", "ko": "평소(5분)"},
    "queue": {"en": "Queue", "ko": "상담 그룹"},
    "product": {"en": "Product", "ko": "상품"},
    "why": {"en": "Why", "ko": "이유"},
    "playbook": {"en": "What to do", "ko": "할 일"},
    "since_then": {"en": "since then:", "ko": "그 후:"},
    "journey": {"en": "What happened", "ko": "있었던 일"},
    "open": {"en": "Open in Waymark", "ko": "Waymark에서 보기"},
    "acknowledge": {"en": "Take it", "ko": "내가 맡기"},
    "resolve": {"en": "Resolve", "ko": "해결"},
}
FACTORS_SHOWN = 3
VALUES_SHOWN = 3
_HEADLINES: Mapping[MessageKind, Mapping[str, str]] = {
    MessageKind.OPENED: {"en": "{title}", "ko": "{title}"},
    MessageKind.UPDATED: {"en": "Worse now: {title}", "ko": "더 심각해짐: {title}"},
    MessageKind.ASSIGNED: {"en": "Assigned to you: {title}", "ko": "담당 배정: {title}"},
    MessageKind.REMINDER: {"en": "Still open: {title}", "ko": "아직 미해결: {title}"},
    MessageKind.ACKNOWLEDGED: {"en": "Taken by {by}: {title}", "ko": "{by} 담당: {title}"},
    MessageKind.REOPENED: {"en": "Back again: {title}", "ko": "다시 발생: {title}"},
    MessageKind.RESOLVED: {"en": "Resolved: {title}", "ko": "해결됨: {title}"},
}
_ENDS: Mapping[str, Mapping[str, str]] = {
    "withdrawn": {"en": "Withdrawn, it was no friction after all: {title}", "ko": "철회됨(불편이 아니었음): {title}"},
    "merged": {"en": "Goes on in another issue: {title}", "ko": "다른 이슈로 통합됨: {title}"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WordedMessage:
    """A message in words; `facts` are pairs of label and value, `steps` the journey, the oldest step first.

    `status` is the one line of who did what, empty while nobody did anything. `why` says why the issue is open and
    `playbook` what to do; both are empty once it is over.
    """

    language: str
    headline: str
    severity: str
    status: str
    facts: tuple[tuple[str, str], ...]
    steps: tuple[str, ...]
    colour: str
    url: str
    why: str = ""
    playbook: str = ""

    def advice(self) -> tuple[str, ...]:
        """Return why it is open and what to do, each as one line of plain text."""
        to_do = f"{self.label('playbook')}: {self.playbook}" if self.playbook else ""
        return tuple(line for line in (self.why, to_do) if line)

    def label(self, name: str) -> str:
        """Return a label in the language of the message."""
        return _LABELS[name][self.language]

    def earlier(self, count: int) -> str:
        """Return the line that stands for steps that are not shown."""
        return f"+{count} earlier" if self.language == "en" else f"이전 {count}건 더"

    def plain(self) -> str:
        """Return the headline with its severity as one line of plain text."""
        return f"[{self.severity}] {self.headline}" if self.severity else self.headline


def word_message(message: ToldMessage, options: ReaderOptions) -> WordedMessage:
    """Return the message in the language and the time zone of its reader."""
    if message.issue is None:
        return _about_the_service(message, options)
    issue, language = message.issue, options.language
    title = _line(issue.title.ko if language == "ko" else issue.title.en, TITLE)
    severity = _SEVERITIES[issue.severity][language]
    texts = _ENDS.get(message.reason) or _HEADLINES.get(message.kind, _HEADLINES[MessageKind.OPENED])
    headline = texts[language].format(title=title, by=_line(issue.acknowledged_by or "?", VALUE))
    over = message.kind is MessageKind.RESOLVED
    return WordedMessage(
        language=language,
        headline=headline,
        severity=severity,
        status=_line(_status(issue, language), VALUE),
        facts=_facts(issue, options),
        steps=_steps(issue, options),
        colour=RESOLVED_COLOUR if over else COLOURS[issue.severity],
        url=message.url,
        why="" if over else _in(issue.why, language),
        playbook="" if over else _in(issue.playbook, language),
    )


def _in(text: ToldText | None, language: str) -> str:
    if text is None:
        return ""
    return _line(text.ko if language == "ko" else text.en, PARAGRAPH)


def _about_the_service(message: ToldMessage, options: ReaderOptions) -> WordedMessage:
    korean = options.language == "ko"
    if message.kind is MessageKind.TEST:
        name = str(message.about.get("endpoint", ""))
        text = f"Waymark 테스트 메시지: '{name}'(으)로 알림이 도착합니다." if korean else _TEST.format(name=name)
    elif message.type == "endpoint.disabled":
        name, why = (str(message.about.get(member, "")) for member in ("name", "reason"))
        text = (_DISABLED_KO if korean else _DISABLED).format(
            name=name, reason=DISABLED_WHY.get(why, why) if korean else why
        )
    elif message.group is not None:
        return _about_a_group(message, message.group, options)
    elif message.type == "digest.daily":
        return _digest(message, options)
    else:
        text = str(message.about.get("message") or message.type)
    return WordedMessage(
        language=options.language,
        headline=text,
        severity="",
        status="",
        facts=(),
        steps=(),
        colour=COLOURS[AlertSeverity.LOW],
        url=message.url,
    )


def _digest(message: ToldMessage, options: ReaderOptions) -> WordedMessage:
    """Return the digest of a day, which holds its words in both languages."""
    said = message.about["digest"]["said"][options.language]
    return WordedMessage(
        language=options.language,
        headline=_line(said["headline"], TITLE),
        severity="",
        status="",
        facts=tuple((_line(name, LABEL), _line(value, VALUE)) for name, value in said["facts"]),
        steps=tuple(_line(line, STEP) for line in said["lines"]),
        colour=COLOURS[AlertSeverity.LOW],
        url=message.url,
    )


def _about_a_group(message: ToldMessage, group: Mapping[str, Any], options: ReaderOptions) -> WordedMessage:
    """Return the words about a group: how many issues, what they share, and a line for each that the message holds."""
    korean, over = options.language == "ko", message.kind is MessageKind.RESOLVED
    firing, resolved = int(group.get("firing", 0)), int(group.get("resolved", 0))
    worst = AlertSeverity(group["severity"]) if group.get("severity") else None
    if over:
        headline = f"이슈 {resolved}건 모두 해결됨" if korean else f"All {resolved} issues are resolved"
    else:
        headline = f"미해결 이슈 {firing}건" if korean else f"{firing} unresolved issues"
    if resolved and not over:
        headline += f", {resolved}건 해결됨" if korean else f", {resolved} resolved"
    lines = [
        _of_issue(msgspec.convert(one, ToldIssue, strict=False), options) for one in message.about.get("issues", ())
    ]
    if truncated := int(message.about.get("truncated", 0)):
        lines.append(f"외 {truncated}건" if korean else f"+{truncated} more")
    return WordedMessage(
        language=options.language,
        headline=headline,
        severity=_SEVERITIES[worst][options.language] if worst else "",
        status="",
        facts=tuple(
            _label_of_group(str(name), str(value), options.language) for name, value in group["labels"].items()
        ),
        steps=tuple(lines),
        colour=RESOLVED_COLOUR if over or worst is None else COLOURS[worst],
        url=message.url,
    )


def _label_of_group(name: str, value: str, language: str) -> tuple[str, str]:
    """Return a label that the issues of a group share, in Korean where it has a word there."""
    if language == "ko":
        value = VALUES.get(name, {}).get(value, value)
        name = _LABELS[name]["ko"] if name in _LABELS else LABELS.get(name, REFS.get(name.removeprefix("ref_"), name))
    return _line(name, LABEL), _line(value, VALUE)


def _of_issue(issue: ToldIssue, options: ReaderOptions) -> str:
    title = issue.title.ko if options.language == "ko" else issue.title.en
    return _line(f"[{_SEVERITIES[issue.severity][options.language]}] {title}", STEP)


_TEST = "Test message from Waymark: notifications reach '{name}'."
_DISABLED = "The endpoint '{name}' was disabled ({reason}). What waits for it is kept; enable it again once it answers."
_DISABLED_KO = "'{name}' 엔드포인트가 중지되었습니다({reason}). 대기 중인 알림은 보관되며, 다시 켜면 전송됩니다."


def _status(issue: ToldIssue, language: str) -> str:
    if issue.resolved_at is not None:
        by, how = issue.resolved_by or "Waymark", issue.resolution or ""
        said = resolution_words(how)
        end = f" ({said.ko if language == 'ko' else said.en})" if how and how != "resolved" else ""
        return f"{by} 해결{end}" if language == "ko" else f"Resolved by {by}{end}"
    if issue.acknowledged_by:
        return f"{issue.acknowledged_by} 담당 중" if language == "ko" else f"Taken by {issue.acknowledged_by}"
    return ""


def _facts(issue: ToldIssue, options: ReaderOptions) -> tuple[tuple[str, str], ...]:
    language = options.language
    known = {
        "severity": _SEVERITIES[issue.severity][language],
        **_urgency(issue, options),
        "customer": issue.customer_id,
        "service_level": _in_korean(LEVELS, issue.service_level, language),
        "channel": _in_korean(CHANNELS_IN_KOREAN, issue.channel, language),
        "reason": _in_words(REASONS_IN_KOREAN, issue.reason, language),
        **_outbreak(issue, language),
        **_situation(issue),
        "count": str(issue.count),
        "since": clock_text(issue.first_at, _zone(options.time_zone)),
        "team": _teams(issue),
        "owner": issue.owner,
    }
    facts = [(_LABELS[name][language], value) for name, value in known.items() if value]
    facts += [(_ref_name(name, language), value) for name, value in list(issue.refs.items())[:4]]
    return tuple((_line(name, LABEL), _line(value, VALUE)) for name, value in facts)


def _ref_name(name: str, language: str) -> str:
    return REFS.get(name, name) if language == "ko" else name


def _teams(issue: ToldIssue) -> str | None:
    """Return the teams that have it, each with who took it."""
    named = (f"{team.name} (✓ {team.acknowledged_by})" if team.acknowledged_by else team.name for team in issue.teams)
    return ", ".join(named) or issue.team


def _urgency(issue: ToldIssue, options: ReaderOptions) -> dict[str, str]:
    """Return the priority with what makes most of it, and the deadline that is next."""
    priority, korean = issue.priority, options.language == "ko"
    if priority is None or issue.state == "resolved":
        return {}
    most = sorted(priority.factors, key=lambda one: -abs(one.points))[:FACTORS_SHOWN]
    names = [(FACTORS.get(one.factor, one.factor) if korean else one.factor.replace("_", " "), one) for one in most]
    parts = ", ".join(f"{name} {one.points:+d}" for name, one in names)
    shown = {"priority": f"{priority.score}/100" + (f" ({parts})" if parts else "")}
    unanswered = issue.state == "open" and issue.acknowledged_by is None
    name, deadline = ("respond_by", priority.respond_by) if unanswered else ("resolve_by", None)
    deadline = deadline or priority.resolve_by
    if deadline is None:
        return shown
    name = name if deadline == priority.respond_by else "resolve_by"
    return {**shown, name: clock_text(deadline, _zone(options.time_zone))}


def _outbreak(issue: ToldIssue, language: str) -> dict[str, str]:
    """Return how many customers met an outbreak, the usual, and where it is, instead of one customer and channel."""
    found = issue.outbreak
    if found is None:
        return {}
    shown = {"customers": f"{found.customers:,}", "usual": f"{found.usual:g}"}
    for field, values in found.segments.items():
        names = VALUES.get(field, {})
        most = list(values.items())[:VALUES_SHOWN]
        if field in _LABELS:
            shown[field] = ", ".join(f"{_in_korean(names, value, language)} ({count:,})" for value, count in most)
    return shown


def _situation(issue: ToldIssue) -> dict[str, str]:
    """Return what is known about the journey as it is now."""
    now = issue.journey
    if now is None:
        return {}
    value = f"{now.value.amount:,.0f} {now.value.currency}" if now.value else ""
    return {"effort": f"{now.effort:.0f}/100", "value": value}


def _steps(issue: ToldIssue, options: ReaderOptions) -> tuple[str, ...]:
    """Return the journey up to the last friction, and then what happened since."""
    language, zone = options.language, _zone(options.time_zone)
    known = {(step.occurred_at, step.kind) for step in issue.timeline}
    later = issue.journey.since if issue.journey else ()
    since = [_step(step, language, zone) for step in later if (step.occurred_at, step.kind) not in known]
    before = [_step(step, language, zone) for step in issue.timeline]
    return (*before, *(f"{_LABELS['since_then'][language]} {step}" for step in since))


def _line(text: str, limit: int) -> str:
    """Return a text as one line of at most `limit` characters."""
    return cut(" ".join(text.split()), limit)


def _in_words(words: Mapping[str, str], code: str | None, language: str) -> str | None:
    """Return a code of a producer as words of the language; None stays None."""
    if not code:
        return None
    return in_korean(words, code) if language == "ko" else in_plain_words(code)


def _in_korean(words: Mapping[str, str], word: str | None, language: str) -> str | None:
    return words.get(word, word) if word and language == "ko" else word


def _step(step: MessageStep, language: str, zone: tzinfo) -> str:
    known = _catalogue().get(step.kind)
    title = getattr(known.title, language) if known else step.kind
    outcome, reason = (
        _in_words(words, code, language)
        for words, code in ((OUTCOMES_IN_KOREAN, step.outcome), (REASONS_IN_KOREAN, step.reason))
    )
    more = " · ".join(part for part in (outcome, reason) if part)
    channel = _in_korean(CHANNELS_IN_KOREAN, step.channel, language)
    return _line(f"{clock_text(step.occurred_at, zone)} {channel} · {title}" + (f" · {more}" if more else ""), STEP)


def clock_text(moment: datetime, zone: tzinfo) -> str:
    """Return a time as people read it: `11-22 09:15`."""
    return moment.astimezone(zone).strftime("%m-%d %H:%M")


@cache
def _catalogue() -> kinds.KindCatalogue:
    return kinds.load()


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
