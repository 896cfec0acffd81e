"""Decides which issues an outbreak holds and hands out, and what the issue of an outbreak says.

Pure. An issue is held while nobody was notified of it and all its loud frictions of this moment belong to outbreaks. A
critical friction that does not belong to one hands it out at once. When the outbreak is over it is handed out too.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.alerts.issues.lifecycle import reopen_issue
from services.alerts.issues.model import (
    SYSTEM,
    AlertSeverity,
    Issue,
    IssueChange,
    IssueEvent,
    IssueEventKind,
    IssueState,
    LocalizedTitle,
    OutbreakFacts,
    ReportedFriction,
    worst_severity,
)
from services.alerts.outbreaks.detection import SEPARATOR, OutbreakKey

RULES_NAMED = 50
"""The contract names at most so many rules of an issue."""
LEAST_SEVERITY = AlertSeverity.HIGH
"""An outbreak is at least so severe, however mild each of its frictions is."""


def outbreak_fingerprint(key: OutbreakKey) -> str:
    """Return the fingerprint of the issues of outbreaks with this key."""
    return hashlib.sha256(SEPARATOR.join(("waymark.outbreak.v1", key.text)).encode()).hexdigest()[:32]


def hold(change: IssueChange, fresh: Sequence[ReportedFriction], belongs: Mapping[str, UUID]) -> IssueChange:
    """Return the change of an issue with `fresh` frictions, as held by an outbreak or handed out if that is due.

    `belongs` says to which open outbreak each friction belongs.
    """
    issue = change.after
    if not issue.unresolved or not fresh:
        return change
    outside = [friction for friction in fresh if friction.id not in belongs]
    if issue.held_by is not None:
        critical = any(friction.severity is AlertSeverity.CRITICAL for friction in outside)
        return _handed_out(change, "critical") if critical else change
    told = issue.told.severity is not None and not issue.told.resolved
    if outside or told:
        return change
    outbreak = belongs[fresh[0].id]
    event = IssueEvent(kind=IssueEventKind.HELD, actor=SYSTEM, detail={"outbreak": str(outbreak)})
    return replace(change, after=replace(issue, held_by=outbreak), events=(*change.events, event))


def _handed_out(change: IssueChange, why: str) -> IssueChange:
    event = IssueEvent(kind=IssueEventKind.HANDED_OUT, actor=SYSTEM, detail={"reason": why})
    return replace(change, after=replace(change.after, held_by=None), events=(*change.events, event))


def fold(issue: Issue, outbreak_id: UUID, rules: Collection[str], *, now: datetime) -> IssueChange | None:
    """Return the change that makes an open issue part of an outbreak that began with it; None if it is none of it.

    An issue with frictions of other rules is about more than the outbreak. Whoever was notified of one is notified of
    its end, and of nothing else while the outbreak holds it.
    """
    if issue.held_by is not None or not issue.unresolved or issue.outbreak is not None:
        return None
    if not set(issue.rules) <= set(rules):
        return None
    event = IssueEvent(kind=IssueEventKind.HELD, actor=SYSTEM, detail={"outbreak": str(outbreak_id)})
    after = replace(issue, held_by=outbreak_id, version=issue.version + 1, updated_at=now)
    return IssueChange(before=issue, after=after, events=(event,))


def hand_out(issue: Issue, *, now: datetime, why: str) -> IssueChange | None:
    """Return the change that hands out a held issue; None if it is not held or not open any more."""
    if issue.held_by is None or not issue.unresolved:
        return None
    after = replace(issue, version=issue.version + 1, updated_at=now)
    return _handed_out(IssueChange(before=issue, after=after, events=()), why)


def outbreak_issue(
    key: OutbreakKey,
    facts: OutbreakFacts,
    sample: Sequence[ReportedFriction],
    *,
    issue_id: UUID,
    occurrence: int,
    now: datetime,
) -> IssueChange:
    """Return the opening of the issue of an outbreak; `sample` are the frictions that opened it."""
    lead = max(sample, key=lambda f: (f.severity.rank, f.occurred_at, f.id))
    severity = worst_severity(LEAST_SEVERITY, *(f.severity for f in sample)) or LEAST_SEVERITY
    issue = Issue(
        id=issue_id,
        fingerprint=outbreak_fingerprint(key),
        occurrence=occurrence,
        version=1,
        state=IssueState.OPEN,
        customer_id="",
        journey_id=None,
        reason=key.reason or None,
        severity=severity,
        loud_severity=severity,
        rules=(key.rule,),
        channel=Counter(f.channel for f in sample).most_common(1)[0][0],
        service_level=None,
        title=outbreak_title(lead.title, key, facts),
        count=facts.frictions,
        frictions=(),
        first_at=facts.started_at,
        last_at=lead.occurred_at,
        opened_at=now,
        updated_at=now,
        outbreak=facts,
        why=_why(facts),
        playbook=_playbook(lead.playbook),
    )
    event = IssueEvent(kind=IssueEventKind.OPENED, actor=SYSTEM, detail={"occurrence": occurrence})
    return IssueChange(before=None, after=issue, events=(event,))


def reopened_outbreak(issue: Issue, facts: OutbreakFacts, now: datetime) -> IssueChange:
    """Return the reopening of the issue of an outbreak that was over only a moment ago."""
    after = replace(
        reopen_issue(issue, now), outbreak=facts, count=facts.frictions, version=issue.version + 1, updated_at=now
    )
    return IssueChange(before=issue, after=after, events=(IssueEvent(kind=IssueEventKind.REOPENED, actor=SYSTEM),))


def counted_outbreak(
    issue: Issue, facts: OutbreakFacts, severities: Sequence[AlertSeverity], *, last_at: datetime, now: datetime
) -> IssueChange | None:
    """Return the change of the issue of an outbreak whose counts changed; None if they did not.

    Its rules are those that ever were part of it, the one that opened it first.
    """
    severity = worst_severity(issue.severity, *severities) or issue.severity
    key = OutbreakKey(
        rule=issue.rules[0], reason=issue.reason or "", field=facts.segment or "", value=facts.value or ""
    )
    after = replace(
        issue,
        outbreak=facts,
        rules=tuple(dict.fromkeys((*issue.rules, *facts.rules)))[:RULES_NAMED],
        count=facts.frictions,
        severity=severity,
        loud_severity=severity,
        last_at=max(issue.last_at, last_at),
        title=outbreak_title(_bare(issue.title), key, facts),
        why=_why(facts),
    )
    if after == issue:
        return None
    return IssueChange(before=issue, after=replace(after, version=issue.version + 1, updated_at=now), events=())


def ended_outbreak(change: IssueChange, now: datetime) -> IssueChange:
    """Return the change of the issue of an outbreak that is over by itself."""
    after = replace(
        change.after,
        state=IssueState.RESOLVED,
        resolved_at=now,
        resolved_by=SYSTEM,
        resolution="over",
        snoozed_until=None,
    )
    event = IssueEvent(kind=IssueEventKind.RESOLVED, actor=SYSTEM, detail={"resolution": "over"})
    return replace(change, after=after, events=(*change.events, event))


_MARK = {"en": "Outbreak: ", "ko": "동시 다발: "}
_REST = " — "
_LONGEST = 300
_CHANNELS_KO = {
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
"""As the contract has them; what is pure knows no contract, so a test keeps them alike."""
_FIELDS_KO = {"channel": "채널", "queue": "상담 그룹", "product": "상품"}


def _why(facts: OutbreakFacts) -> LocalizedTitle:
    """Return the counts of an outbreak and the usual in one sentence."""
    rules = ", ".join(f"{rule} {count:,}" for rule, count in facts.rules.items()) if len(facts.rules) > 1 else ""
    left_en, left_ko = _left(facts)
    return LocalizedTitle(
        en=f"{facts.frictions:,} frictions of {_customers(facts)}{f' ({rules})' if rules else ''}; "
        f"usual at this hour are {facts.usual:g} in five minutes.{left_en}",
        ko=f"고객 {facts.customers:,}명에게 불편 {facts.frictions:,}건{f'({rules})' if rules else ''}. "
        f"이 시각에는 5분에 {facts.usual:g}건이 보통입니다.{left_ko}",
    )


def _left(facts: OutbreakFacts) -> tuple[str, str]:
    """Return how many issues outlive an outbreak that is over, and how they come."""
    if facts.over_at is None or not facts.held:
        return "", ""
    if facts.held == 1:
        return (
            " One issue of its customers is still open and comes now.",
            " 고객 이슈 1건이 아직 열려 있어 이어서 알려 드립니다.",
        )
    return (
        f" {facts.held:,} issues of its customers are still open; they come little by little, the most urgent first.",
        f" 고객 이슈 {facts.held:,}건이 아직 열려 있으며, 급한 것부터 나누어 알려 드립니다.",
    )


def _customers(facts: OutbreakFacts) -> str:
    return "1 customer" if facts.customers == 1 else f"{facts.customers:,} customers"


def _playbook(of_each: LocalizedTitle | None) -> LocalizedTitle:
    """Return what to do about an outbreak: its cause first, then what the rule says about each customer."""
    en = "Look for the one cause first. The issues of its customers are held; those that outlive it come by themselves."
    ko = "먼저 공통 원인을 찾으세요. 고객별 이슈는 보류되며, 끝난 뒤에도 남은 이슈는 따로 알려 드립니다."
    if of_each is None:
        return LocalizedTitle(en=en, ko=ko)
    return LocalizedTitle(en=f"{en} For each customer: {of_each.en}", ko=f"{ko} 고객별로: {of_each.ko}")


def outbreak_title(lead: LocalizedTitle, key: OutbreakKey, facts: OutbreakFacts) -> LocalizedTitle:
    """Return what is going on, for how many customers, where."""
    where_en = f", {key.field} {key.value}" if key.field else ""
    value_ko = _CHANNELS_KO.get(key.value, key.value) if key.field == "channel" else key.value
    where_ko = f", {_FIELDS_KO[key.field]} {value_ko}" if key.field else ""
    customers = _customers(facts)
    return LocalizedTitle(
        en=f"{_MARK['en']}{lead.en[:_LONGEST]}{_REST}{customers}{where_en}",
        ko=f"{_MARK['ko']}{lead.ko[:_LONGEST]}{_REST}고객 {facts.customers:,}명{where_ko}",
    )


def _bare(title: LocalizedTitle) -> LocalizedTitle:
    """Return the title of the friction in the title of an outbreak."""
    return LocalizedTitle(
        en=title.en.removeprefix(_MARK["en"]).rpartition(_REST)[0],
        ko=title.ko.removeprefix(_MARK["ko"]).rpartition(_REST)[0],
    )
