"""Who has an issue: teams by route, by assignment and by ownership, each with an acknowledgement of its own."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.alerts.hold.waits import Wait, WaitKind
from services.alerts.inbox.actions import ActionOutcome, Assignment, NamedTeam, acknowledge, assign, reopen
from services.alerts.issues.model import AlertSeverity, Issue, IssueChange, IssueEventKind, IssueState
from services.alerts.notify.decision import DEFAULT_NOTIFY_ON, NotificationReason
from services.alerts.notify.holding import StandingFacts
from services.alerts.notify.notification import NotificationPlan, plan_notification
from services.alerts.notify.routing import RoutedEndpoint, RoutingDirectory
from services.alerts.policy.escalation import Escalation, EscalationStep
from services.alerts.policy.matchers import parse_matchers
from services.alerts.policy.ownership import Ownership
from services.alerts.policy.service_levels import DEFAULT_LEVELS
from services.alerts.policy.tree import Route, RouteOptions
from services.alerts.priority.ranking import kept_promises, pending_deadline, prioritised
from tests.unit.alerts.builders import NOW, an_issue

BILLING, WEB, SHOP = UUID(int=11), UUID(int=12), UUID(int=13)
TEAMS = {BILLING: "Billing", WEB: "Web", SHOP: "Shop"}
ENDPOINTS = {BILLING: UUID(int=1), WEB: UUID(int=2), SHOP: UUID(int=3)}
CATCHING = UUID(int=4)
BILLING_ROUTE, WEB_ROUTE = UUID(int=101), UUID(int=102)
HOUR = timedelta(hours=1)
REPEATING = RouteOptions(repeat_interval=(HOUR,), escalation="leads")
LEADS = Escalation(name="leads", steps=(EscalationStep(after=HOUR, endpoints=(CATCHING,)),))


def a_directory(*ownerships: Ownership, both: bool = True, **members: Any) -> RoutingDirectory:
    """Billing's route takes everything, and, with `both`, Web's does too."""
    routes = [Route(id=BILLING_ROUTE, name="billing", teams=(BILLING,), continues=True, options=REPEATING)]
    if both:
        routes.append(Route(id=WEB_ROUTE, name="web", teams=(WEB,), options=REPEATING))
    endpoints = {e: RoutedEndpoint(id=e, team_id=team, catch_all=False) for team, e in ENDPOINTS.items()}
    endpoints[CATCHING] = RoutedEndpoint(id=CATCHING, team_id=None, catch_all=True)
    given: dict[str, Any] = {"routes": tuple(routes), "escalations": (LEADS,), "ownerships": ownerships}
    return RoutingDirectory(endpoints=endpoints, teams=TEAMS, **given | members)


def plan(change: IssueChange, directory: RoutingDirectory, *waits: Wait) -> NotificationPlan:
    return plan_notification(
        change,
        directory,
        now=NOW,
        notify_on=DEFAULT_NOTIFY_ON,
        new_id=uuid4,
        standing=StandingFacts(waits=waits),
    )


def opened(directory: RoutingDirectory, **members: Any) -> Issue:
    return plan(IssueChange(before=None, after=an_issue(**members), events=()), directory).change.after


def done(verdict: Any, directory: RoutingDirectory, *waits: Wait) -> NotificationPlan:
    assert verdict.outcome is ActionOutcome.DONE
    return plan(verdict.change, directory, *waits)


def told_to(found: NotificationPlan) -> tuple[UUID, ...]:
    return found.notification.endpoints if found.notification else ()


def to(*teams: UUID, owner: str | None = None, hands_over: bool = False) -> Assignment:
    return Assignment(
        teams=tuple(NamedTeam(id=team, name=TEAMS[team]) for team in teams), owner=owner, hands_over=hands_over
    )


def test_every_team_that_a_route_names_has_the_issue_and_takes_it_for_itself() -> None:
    directory = a_directory()
    issue = opened(directory)
    first = done(acknowledge(issue, actor="kim", now=NOW, team=BILLING), directory).change
    second = done(acknowledge(first.after, actor="lee", now=NOW + HOUR, team=WEB), directory).change

    assert [(share.name, share.by) for share in issue.teams] == [("Billing", None), ("Web", None)]
    assert (first.after.state, [share.by for share in first.after.teams]) == (IssueState.OPEN, ["kim", None])
    assert first.events[0].kind is IssueEventKind.TEAM_ACKNOWLEDGED
    assert (second.after.state, second.after.acknowledged_by) == (IssueState.ACKNOWLEDGED, "kim")
    assert second.after.acknowledged_at == NOW, "the first answer is what the customer was promised"


def test_without_a_team_it_is_taken_for_all_of_them() -> None:
    directory = a_directory()
    taken = done(acknowledge(opened(directory), actor="kim", now=NOW), directory).change.after

    assert taken.state is IssueState.ACKNOWLEDGED
    assert {share.by for share in taken.teams} == {"kim"}


@pytest.mark.parametrize(("team", "outcome"), [(BILLING, ActionOutcome.ALREADY), (SHOP, ActionOutcome.NOT_ITS_TEAM)])
def test_taking_twice_changes_nothing_and_a_team_takes_only_what_it_has(team: UUID, outcome: ActionOutcome) -> None:
    directory = a_directory()
    taken = done(acknowledge(opened(directory), actor="kim", now=NOW, team=BILLING), directory).change.after

    assert acknowledge(taken, actor="lee", now=NOW, team=team).outcome is outcome


def test_the_team_that_took_it_is_reminded_no_more_and_the_other_is() -> None:
    directory = a_directory()
    issue = done(acknowledge(opened(directory), actor="kim", now=NOW, team=BILLING), directory).change.after
    repeats = [
        Wait(issue_id=issue.id, route_id=route, kind=WaitKind.REPEAT, reason="repeated", due_at=NOW, since=NOW - HOUR)
        for route in (BILLING_ROUTE, WEB_ROUTE)
    ]
    found = plan(IssueChange(before=issue, after=issue, events=()), directory, *repeats)

    assert (told_to(found), found.decision.reason) == ((ENDPOINTS[WEB],), NotificationReason.REPEATED)
    assert found.holding.ended == (BILLING_ROUTE,)
    assert found.holding.taken == (BILLING_ROUTE,), "whose escalation is over"
    assert [one.route_id for one in found.holding.escalations] == [WEB_ROUTE]


def test_an_assigned_team_alone_is_told_at_once_and_escalates_as_the_root_says() -> None:
    directory = a_directory(both=False, root=RouteOptions(escalation="leads"))
    issue = opened(directory)
    found = done(assign(issue, to(SHOP), actor="kim", now=NOW), directory)
    again = done(assign(found.change.after, to(SHOP, owner="lee"), actor="kim", now=NOW), directory)

    assert (told_to(found), found.decision.reason) == ((ENDPOINTS[SHOP],), NotificationReason.ASSIGNED)
    assert [one.route_id for one in found.holding.escalations] == [SHOP]
    assert [(share.name, share.assigned) for share in found.change.after.teams] == [("Billing", False), ("Shop", True)]
    assert (told_to(again), again.change.after.owner) == ((), "lee")
    assert found.change.after.told.endpoints == (ENDPOINTS[BILLING], ENDPOINTS[SHOP]), "all are told of the end"


def test_an_assigned_team_does_not_wait_in_a_group() -> None:
    directory = a_directory(both=False, root=RouteOptions(group_by=("rule",)))
    issue = opened(directory)
    found = done(assign(issue, to(SHOP), actor="kim", now=NOW), directory)

    assert (told_to(found), found.holding.joins[0].route_id) == ((ENDPOINTS[SHOP],), BILLING_ROUTE)


def test_whoever_assigns_what_was_taken_opens_it_for_the_new_team() -> None:
    directory = a_directory(both=False)
    taken = done(acknowledge(opened(directory), actor="kim", now=NOW), directory).change.after
    found = done(assign(taken, to(SHOP), actor="kim", now=NOW + HOUR), directory).change.after
    back = done(assign(found, to(), actor="kim", now=NOW + HOUR), directory).change.after

    assert (found.state, found.acknowledged_at) == (IssueState.OPEN, NOW)
    assert (back.state, [share.name for share in back.teams]) == (IssueState.ACKNOWLEDGED, ["Billing"])


def test_what_is_handed_over_is_left_to_the_new_team_alone() -> None:
    directory = a_directory()
    found = done(assign(opened(directory), to(SHOP, hands_over=True), actor="kim", now=NOW), directory).change.after
    taken = done(acknowledge(found, actor="lee", now=NOW + HOUR, team=SHOP), directory).change.after

    assert [(share.name, share.by) for share in found.teams] == [("Billing", "kim"), ("Web", "kim"), ("Shop", None)]
    assert (found.state, found.acknowledged_at) == (IssueState.OPEN, None), "to pass it on is no answer"
    assert (taken.state, taken.acknowledged_by) == (IssueState.ACKNOWLEDGED, "lee")


def test_assigning_as_it_is_changes_nothing_and_what_is_resolved_is_not_assigned() -> None:
    issue = replace(opened(a_directory()), assigned=(SHOP,), owner="lee")
    resolved = replace(issue, state=IssueState.RESOLVED, resolved_at=NOW)

    assert assign(issue, to(SHOP, owner="lee"), actor="kim", now=NOW).outcome is ActionOutcome.ALREADY
    assert assign(resolved, to(WEB), actor="kim", now=NOW).outcome is ActionOutcome.RESOLVED


def test_a_team_without_an_endpoint_has_the_issue_and_nobody_is_told_in_its_place() -> None:
    directory = a_directory(both=False)
    silent = replace(directory, endpoints={e: o for e, o in directory.endpoints.items() if o.team_id != SHOP})
    found = done(assign(opened(silent), to(SHOP), actor="kim", now=NOW), silent)

    assert (told_to(found), found.decision.reason) == ((), NotificationReason.NOTHING_NEW)
    assert found.change.after.unheard_since is None, "the others have been told"
    assert [share.name for share in found.change.after.teams] == ["Billing", "Shop"]


def test_a_snooze_holds_an_assignment_back_and_its_end_tells_everybody() -> None:
    directory = a_directory(both=False)
    issue = replace(opened(directory), snoozed_until=NOW + HOUR)
    found = done(assign(issue, to(SHOP), actor="kim", now=NOW), directory)
    ended = plan(
        IssueChange(before=found.change.after, after=replace(found.change.after, snoozed_until=None), events=()),
        directory,
    )

    assert (told_to(found), found.decision.reason) == ((), NotificationReason.SNOOZED)
    assert told_to(ended) == (ENDPOINTS[BILLING], ENDPOINTS[SHOP])


def test_an_issue_that_opens_again_was_taken_by_nobody_and_keeps_its_teams() -> None:
    directory = a_directory()
    taken = done(acknowledge(opened(directory), actor="kim", now=NOW), directory).change.after
    resolved = replace(taken, state=IssueState.RESOLVED, resolved_at=NOW, assigned=(SHOP,))
    again = done(reopen(resolved, actor="kim", now=NOW, superseded=False), directory).change.after

    assert [(share.name, share.at) for share in again.teams] == [("Billing", None), ("Web", None), ("Shop", None)]


PAYMENTS = Ownership(rules=("payment_*",), teams=(SHOP,), owner="lee")


def test_the_owners_of_a_rule_have_its_issues_whatever_the_routes_say() -> None:
    directory = a_directory(PAYMENTS, routes=())
    found = plan(IssueChange(before=None, after=an_issue(rules=("payment_declines",)), events=()), directory)
    other = plan(IssueChange(before=None, after=an_issue(), events=()), directory)

    assert (told_to(found), found.change.after.owner, found.change.after.team) == ((ENDPOINTS[SHOP],), "lee", "Shop")
    assert told_to(other) == (CATCHING,)
    noted = found.change.events[0]
    assert (noted.kind, noted.actor, noted.detail["teams"]) == (IssueEventKind.ASSIGNED, "waymark", ["Shop"])


def test_a_rule_that_joins_brings_its_owners_who_are_told_alone() -> None:
    directory = a_directory(PAYMENTS, both=False)
    issue = done(acknowledge(opened(directory), actor="kim", now=NOW), directory).change.after
    joined = replace(issue, rules=("payment_declines", "repeat_contact_24h"))
    found = plan(IssueChange(before=issue, after=joined, events=()), directory)
    later = plan(IssueChange(before=found.change.after, after=found.change.after, events=()), directory)

    assert (told_to(found), found.decision.reason) == ((ENDPOINTS[SHOP],), NotificationReason.ASSIGNED)
    assert found.change.after.state is IssueState.OPEN
    assert (told_to(later), later.change.events) == ((), ())


def test_an_owner_whom_a_person_took_away_does_not_come_back_by_itself() -> None:
    directory = a_directory(PAYMENTS)
    issue = opened(directory, rules=("payment_declines",))
    freed = done(assign(issue, Assignment(teams=None, owner=None), actor="kim", now=NOW), directory).change.after
    later = plan(IssueChange(before=freed, after=replace(freed, count=2), events=()), directory).change.after

    assert (issue.owner, freed.owner, later.owner) == ("lee", None, None)


def test_the_matchers_of_an_ownership_narrow_its_rules() -> None:
    only_web = replace(PAYMENTS, matchers=tuple(parse_matchers('channel="web"')))
    issue = opened(a_directory(only_web), rules=("payment_declines",), channel="phone")

    assert [share.name for share in issue.teams] == ["Billing", "Web"]


def test_a_worse_issue_is_told_to_every_team_even_those_that_took_it() -> None:
    directory = a_directory()
    issue = done(acknowledge(opened(directory), actor="kim", now=NOW, team=BILLING), directory).change.after
    worse = replace(issue, severity=AlertSeverity.CRITICAL, loud_severity=AlertSeverity.CRITICAL)
    found = plan(IssueChange(before=issue, after=worse, events=()), directory)

    assert told_to(found) == (ENDPOINTS[BILLING], ENDPOINTS[WEB])
    assert [one.route_id for one in found.holding.escalations] == [WEB_ROUTE]


def test_the_promise_to_respond_is_kept_by_the_first_team_and_once() -> None:
    directory = a_directory()
    issue = prioritised(IssueChange(before=None, after=opened(directory), events=()), DEFAULT_LEVELS, NOW).after
    first = done(acknowledge(issue, actor="kim", now=NOW, team=BILLING), directory).change
    second = done(acknowledge(first.after, actor="lee", now=NOW, team=WEB), directory).change

    assert [target for target, *_ in kept_promises(first)] == ["respond"]
    assert list(kept_promises(second)) == []
    assert issue.priority is not None
    assert pending_deadline(first.after, issue.priority.deadlines) == issue.priority.deadlines.resolve_by
