"""Explains why people were notified of an issue or were not, and what comes next.

The route it takes is the one of the policy in force now; what was told and what waits is what the rows say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alerts.deliver import delivery_history
from services.alerts.deliver.delivery_history import DeliveryRow
from services.alerts.hold import escalation_store, group_store, inhibition_store, wait_store
from services.alerts.hold.groups import AlertGroup, view_of
from services.alerts.hold.waits import ROOT_ID, Blocker, Wait, find_blocker
from services.alerts.inbox import issue_details
from services.alerts.issues.model import Issue, IssueState
from services.alerts.notify import directory_store
from services.alerts.notify.routing import Lane, RoutingDirectory, RoutingResult, evaluate_routes
from services.alerts.policy.escalation import EscalationProgress
from services.alerts.policy.tree import routing_facts
from services.runtime.postgres.pools import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneExplanation:
    """One way to people: the route (None: catch-all), its endpoints, what holds it now, and what waits on it."""

    lane: Lane
    blocker: Blocker | None
    wait: Wait | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueExplanation:
    """Everything that decides about the notifications of one issue."""

    issue: Issue
    routing: RoutingResult
    lanes: tuple[LaneExplanation, ...]
    waits: tuple[Wait, ...]
    groups: tuple[tuple[AlertGroup, datetime], ...]
    escalations: tuple[EscalationProgress, ...]
    deliveries: tuple[DeliveryRow, ...]
    why_not: str | None
    """Why nobody was notified when the issue changed last, if so."""
    endpoint_names: Mapping[UUID, str]
    now: datetime


async def explain_issue(connection: Connection, issue_id: UUID, now: datetime) -> IssueExplanation | None:
    """Return the explanation of an issue, None if there is none with this id."""
    issue = await issue_details.issue(connection, issue_id)
    if issue is None:
        return None
    directory = await directory_store.load_directory(connection)
    inhibitors = await inhibition_store.inhibitors(connection, [issue], directory.inhibit_rules)
    waits = (await wait_store.of_issues(connection, [issue_id])).get(issue_id, [])
    routing = evaluate_routes(routing_facts(issue), directory, now=now, assigned=issue.assigned)
    view = view_of(issue, inhibitors.get(issue_id))
    by_route = {wait.route_id: wait for wait in waits}
    lanes = [
        LaneExplanation(
            lane=lane,
            blocker=find_blocker(view, lane.options, directory.policy, directory.silences, now),
            wait=by_route.get(lane.route.id if lane.route else ROOT_ID),
        )
        for lane in routing.lanes
    ]
    groups = await group_store.groups_of(connection, issue_id)
    return IssueExplanation(
        issue=issue,
        routing=routing,
        lanes=tuple(lanes),
        waits=tuple(waits),
        groups=tuple(groups),
        escalations=tuple(await escalation_store.of_issue(connection, issue_id)),
        deliveries=tuple(await delivery_history.deliveries_of_issue(connection, issue_id)),
        why_not=await _why_not(connection, issue_id),
        endpoint_names=_names(directory),
        now=now,
    )


def _names(directory: RoutingDirectory) -> dict[UUID, str]:
    return {endpoint.id: endpoint.name for endpoint in directory.endpoints.values()}


async def _why_not(connection: Connection, issue_id: UUID) -> str | None:
    events = await issue_details.events(connection, issue_id)
    last = next((event for event in events if event.kind in {"told", "not_told"}), None)
    return str(last.detail.get("reason")) if last is not None and last.kind == "not_told" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationLine:
    """One sentence of an explanation in English and Korean."""

    en: str
    ko: str


def explanation_lines(found: IssueExplanation) -> list[ExplanationLine]:
    """Return the explanation in sentences: what was told, what holds the rest, and what comes next."""
    return [*_told(found), *_teams(found), *_held(found), *_next(found)]


def _teams(found: IssueExplanation) -> Iterator[ExplanationLine]:
    """Yield who has the issue, and which of them nobody can tell."""
    issue = found.issue
    if issue.owner is not None:
        yield ExplanationLine(en=f"Its owner is {issue.owner}.", ko=f"담당자: {issue.owner}.")
    reached = {team for one in found.lanes if one.lane.endpoints for team in one.lane.teams}
    for share in issue.teams if issue.unresolved else ():
        how_en, how_ko = (" (assigned)", " (배정됨)") if share.assigned else ("", "")
        if share.at is not None:
            yield ExplanationLine(
                en=f"Team {share.name}{how_en}: taken by {share.by} at {share.at:%Y-%m-%d %H:%M:%S}Z.",
                ko=f"팀 {share.name}{how_ko}: {share.at:%Y-%m-%d %H:%M:%S}Z에 {share.by} 확인.",
            )
        elif issue.state is IssueState.OPEN:
            yield ExplanationLine(
                en=f"Team {share.name}{how_en}: nobody has taken it yet.",
                ko=f"팀 {share.name}{how_ko}: 아직 확인 안 됨.",
            )
        if share.assigned and share.id not in reached:
            yield ExplanationLine(
                en=f"Team {share.name} has no endpoint: nobody of it is told. Give it one, or assign another team.",
                ko=f"팀 {share.name}에는 엔드포인트가 없어 알릴 수 없음. 엔드포인트를 추가하거나 다른 팀에 배정하세요.",
            )


def _told(found: IssueExplanation) -> Iterator[ExplanationLine]:
    told = found.issue.told
    if told.at is not None:
        names = _listed(told.endpoints, found.endpoint_names)
        yield ExplanationLine(
            en=f"Told {told.sequence} times, last at {told.at:%Y-%m-%d %H:%M:%S}Z: {names}.",
            ko=f"{told.sequence}번 알림, 마지막 {told.at:%Y-%m-%d %H:%M:%S}Z: {names}.",
        )
    for group, _ in found.groups:
        if group.told is not None:
            at = group.told.at
            yield ExplanationLine(
                en=f"Its group was told {group.sequence} times, last at {at:%Y-%m-%d %H:%M:%S}Z.",
                ko=f"묶음으로 {group.sequence}번 알림, 마지막 {at:%Y-%m-%d %H:%M:%S}Z.",
            )
    if told.at is None and not any(group.told for group, _ in found.groups):
        en, ko = _WHY_NOT.get(found.why_not or "", ("", ""))
        yield ExplanationLine(en=f"Nobody was told yet{en}.", ko=f"아직 아무에게도 알리지 않음{ko}.")


_WHY_NOT = {
    "quiet": (": it is quiet (replayed or old)", ": 조용한 이슈(재생되었거나 오래됨)"),
    "snoozed": (": a person snoozed it", ": 누군가 미뤄 둠"),
    "not_wanted": (": the reason is not among those to notify (WAYMARK_ALERTS_NOTIFY_ON)", ": 알릴 사유가 아님"),
    "no_route": (": there is no endpoint", ": 엔드포인트가 없음"),
    "held": (
        ": it belongs to an outbreak, which is told instead; when that is over it comes in its turn, "
        "the most urgent first",
        ": 동시 다발 이슈에 속하며 그 이슈로 알림. 끝난 뒤에도 열려 있으면 급한 것부터 차례로 알림",
    ),
    "muted": (": only routes that tell nobody take it", ": 알리지 않는 경로만 맞음"),
    "out_of_hours": (": outside the hours of its routes", ": 경로의 시간대 밖"),
    "silenced": (": silenced", ": 침묵 중"),
    "inhibited": (": inhibited by another issue", ": 다른 이슈가 억제함"),
    "grouped": (": it waits in a group", ": 묶음에서 기다림"),
}


def _held(found: IssueExplanation) -> Iterator[ExplanationLine]:
    for one in found.lanes:
        if one.blocker is None or not found.issue.unresolved:
            continue
        route, route_ko = _way(one.lane.route.name if one.lane.route else None)
        kind = one.blocker.kind
        by = f" ({one.blocker.blocker})" if kind in {"silence", "outbreak"} else ""
        yield ExplanationLine(
            en=f"{route}: held by {kind}{by} until {one.blocker.until:%Y-%m-%d %H:%M:%S}Z.",
            ko=f"{route_ko}: {_KINDS[kind]}{by} 때문에 {one.blocker.until:%Y-%m-%d %H:%M:%S}Z까지 보류.",
        )


_KINDS = {
    "hours": "시간대",
    "silence": "침묵",
    "inhibition": "억제",
    "outbreak": "동시 다발",
    "repeat": "반복",
    "reroute": "경로 변경",
}


_REASONS = {
    "first": ("the first message", "첫 알림"),
    "severity_raised": ("it became worse", "심각도 상승 알림"),
    "reopened": ("it is open again", "다시 열림 알림"),
    "acknowledged": ("somebody took it", "담당 알림"),
    "snooze_ended": ("its snooze is over", "보류 종료 알림"),
    "resolved": ("it is resolved", "해결 알림"),
    "withdrawn": ("it was withdrawn", "철회 알림"),
    "merged": ("it was merged", "병합 알림"),
    "repeated": ("a reminder, if nobody has acknowledged", "아무도 확인하지 않으면 다시 알림"),
    "assigned": ("a team was assigned it", "팀 배정 알림"),
    "escalated": ("the next step of escalation", "다음 단계 상승 알림"),
}
"""What a wait will say, in English and Korean."""


def _way(route: str | None) -> tuple[str, str]:
    """Return the name of a route in English and Korean; without one, the endpoints that catch all."""
    return (route, route) if route else ("catch-all", "전체 수신")


def _next(found: IssueExplanation) -> Iterator[ExplanationLine]:
    routes = {one.lane.route.id: one.lane.route.name for one in found.lanes if one.lane.route}
    for wait in found.waits:
        route, route_ko = _way(routes.get(wait.route_id))
        why = _REASONS.get(wait.reason, (wait.reason, wait.reason))
        yield ExplanationLine(
            en=f"Next on {route}: {why[0]} at {wait.due_at:%Y-%m-%d %H:%M:%S}Z, waiting for {wait.kind}.",
            ko=f"다음({route_ko}): {wait.due_at:%Y-%m-%d %H:%M:%S}Z에 {why[1]} ({_KINDS[wait.kind]} 대기).",
        )
    for group, due in found.groups:
        named = ", ".join(f"{name}={value}" for name, value in group.labels.items()) or "all"
        yield ExplanationLine(
            en=f"Its group ({named}) is looked at next at {due:%Y-%m-%d %H:%M:%S}Z.",
            ko=f"묶음({named})의 다음 확인: {due:%Y-%m-%d %H:%M:%S}Z.",
        )
    for one in found.escalations:
        number, of, at = one.step + 1, len(one.policy.steps), f"{one.due_at:%Y-%m-%d %H:%M:%S}Z"
        yield ExplanationLine(
            en=f"Escalation {one.policy.name}: step {number} of {of} at {at}, unless somebody acknowledges.",
            ko=f"단계 상승 {one.policy.name}: 아무도 확인하지 않으면 {at}에 {of}단계 중 {number}단계.",
        )
    pending = [row for row in found.deliveries if row.state == "pending"]
    if pending:
        names = _listed([row.endpoint_id for row in pending], found.endpoint_names)
        yield ExplanationLine(en=f"On its way to: {names}.", ko=f"보내는 중: {names}.")


def _listed(ids: Sequence[UUID], names: Mapping[UUID, str]) -> str:
    return ", ".join(dict.fromkeys(names.get(one, str(one)) for one in ids)) or "-"


def explanation_document(found: IssueExplanation) -> dict[str, object]:
    """Return the explanation for programs, with the members that the API has."""
    return {
        "issue_id": str(found.issue.id),
        "summary": [{"en": line.en, "ko": line.ko} for line in explanation_lines(found)],
        "path": [{"route": one.route.name, "depth": one.depth, "match": one.match.value} for one in found.routing.path],
        "lanes": [_lane_document(one, found) for one in found.lanes],
        "caught": found.routing.caught,
        "muted": found.routing.muted,
        "why_not": found.why_not,
        "told_at": found.issue.told.at,
        "told": found.issue.told.sequence,
        "owner": found.issue.owner,
        "teams": [
            {"team": one.name, "assigned": one.assigned, "acknowledged_at": one.at, "acknowledged_by": one.by}
            for one in found.issue.teams
        ],
        "deliveries_pending": sum(row.state == "pending" for row in found.deliveries),
    }


def _lane_document(one: LaneExplanation, found: IssueExplanation) -> dict[str, object]:
    return {
        "route": one.lane.route.name if one.lane.route else None,
        "endpoints": [found.endpoint_names.get(endpoint, str(endpoint)) for endpoint in one.lane.endpoints],
        "grouped": one.lane.options.grouped,
        "held_by": one.blocker.kind.value if one.blocker else None,
        "held_until": one.blocker.until if one.blocker else None,
        "waits_since": one.wait.since if one.wait else None,
        "due_at": one.wait.due_at if one.wait else None,
    }
