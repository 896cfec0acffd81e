"""What an issue says of its frictions, whatever their number and the length of their texts."""

import json
from datetime import timedelta
from uuid import UUID

import pytest

from schemas import validation
from schemas.documents import issue as issue_v1
from services.alerts.issues.aggregates import latest_revision, with_aggregates
from services.alerts.issues.contract import write_issue
from services.alerts.issues.model import AlertSeverity, Issue, LocalizedTitle, ReportedFriction, TimelineStep
from services.alerts.notify.decision import NotificationReason
from services.alerts.notify.notification import Notification
from services.alerts.notify.webhook_body import MAX_BYTES, render_webhook
from tests.unit.alerts.builders import NOW, World, a_friction, an_issue

HOUR = timedelta(hours=1)


def aggregates_of(*frictions: ReportedFriction, **members: object) -> Issue:
    return with_aggregates(an_issue(**members), frictions, keep_severity=False)


def test_the_latest_friction_gives_the_channel_and_the_worst_the_title() -> None:
    worst = a_friction(1, severity=AlertSeverity.HIGH, channel="chat")
    latest = a_friction(2, channel="email")

    said = aggregates_of(latest, worst)

    assert (said.channel, said.title, said.severity) == ("email", worst.title, AlertSeverity.HIGH)
    assert (said.first_at, said.last_at, said.count) == (worst.occurred_at, latest.occurred_at, 2)
    assert said.frictions == (worst.id, latest.id)


def test_of_equally_bad_ones_the_latest_gives_the_title_and_at_one_instant_the_higher_id() -> None:
    early, late = a_friction(1), a_friction(2)
    assert aggregates_of(late, early).title == late.title

    tied = [a_friction(n, occurred_at=NOW, channel=channel) for n, channel in ((1, "chat"), (2, "web"))]
    for order in (tied, tied[::-1]):
        said = aggregates_of(*order)
        assert (said.title, said.channel, said.frictions) == (tied[1].title, "web", (tied[0].id, tied[1].id))


def test_of_a_journey_the_last_known_reason_is_said() -> None:
    known, later, unknown = a_friction(1, reason="billing"), a_friction(2, reason="배송"), a_friction(3, reason=None)

    assert aggregates_of(known, later, unknown).reason == "배송"
    assert aggregates_of(a_friction(1, reason=None), reason="billing").reason is None


def test_without_a_journey_the_reason_is_what_it_groups_by() -> None:
    assert (
        aggregates_of(a_friction(1, journey_id=None, reason="billing"), journey_id=None, reason="배송").reason == "배송"
    )


@pytest.mark.parametrize(
    ("levels", "best"),
    [
        (("basic", "premium", "enhanced"), "premium"),
        (("enhanced", "basic"), "enhanced"),
        (("basic", None), "basic"),
        (("zeta", "basic"), "basic"),
        (("alpha", "zeta"), "zeta"),
        ((None, None), None),
    ],
)
def test_the_best_service_level_counts_and_an_unknown_one_least(
    levels: tuple[str | None, ...], best: str | None
) -> None:
    frictions = [a_friction(n, service_level=level) for n, level in enumerate(levels, 1)]

    assert aggregates_of(*frictions).service_level == best


def test_of_one_reference_the_latest_number_is_said_and_sixteen_at_most() -> None:
    first = a_friction(1, refs={"case_id": "C-1", "order_id": "O-1"})
    second = a_friction(2, refs={"case_id": "C-2"} | {f"z{n:02}": "1" for n in range(20)})

    refs = aggregates_of(first, second).refs

    assert len(refs) == 16
    assert list(refs.items())[:3] == [("case_id", "C-2"), ("order_id", "O-1"), ("z00", "1")]


def test_the_timeline_is_the_ten_latest_steps_of_all_frictions_each_once() -> None:
    steps = [
        TimelineStep(occurred_at=NOW + timedelta(minutes=n), channel="phone", kind="call_ended") for n in range(12)
    ]

    said = aggregates_of(a_friction(1, timeline=tuple(steps[:8])), a_friction(2, timeline=tuple(steps[4:])))

    assert said.timeline == tuple(steps[2:])


def test_steps_of_one_instant_stand_in_one_order_whatever_is_known_of_them() -> None:
    def step(outcome: str | None, reason: str | None) -> TimelineStep:
        return TimelineStep(occurred_at=NOW, channel="phone", kind="call_ended", outcome=outcome, reason=reason)

    ordered = [
        step(None, None),
        step(None, "billing"),
        step("lost", None),
        step("resolved", "a"),
        step("resolved", "b"),
    ]
    for turned in range(5):
        timeline = tuple(ordered[turned:] + ordered[:turned])
        assert aggregates_of(a_friction(1, timeline=timeline)).timeline == tuple(ordered)


def test_without_a_friction_only_the_count_changes() -> None:
    issue = an_issue(count=3, severity=AlertSeverity.HIGH)

    said = with_aggregates(issue, [], keep_severity=False)

    assert (said.count, said.frictions) == (0, ())
    assert (said.title, said.severity, said.rules) == (issue.title, AlertSeverity.HIGH, issue.rules)


def test_a_kept_severity_falls_neither_for_people_nor_for_those_who_are_told() -> None:
    issue = an_issue(severity=AlertSeverity.CRITICAL, loud_severity=AlertSeverity.HIGH)

    kept = with_aggregates(issue, [a_friction(severity=AlertSeverity.LOW)], keep_severity=True)

    assert (kept.severity, kept.loud_severity) == (AlertSeverity.CRITICAL, AlertSeverity.HIGH)


def test_only_loud_frictions_say_when_something_was_revised() -> None:
    loud, later, quiet = a_friction(1), a_friction(2, revised_at=NOW + HOUR), a_friction(3, quiet=True)

    assert latest_revision([later, loud]) == NOW + HOUR
    assert latest_revision([loud, a_friction(4, quiet=True, revised_at=NOW + HOUR)]) == NOW
    assert latest_revision([quiet]) is None


def test_an_issue_of_three_hundred_frictions_with_the_longest_texts_stays_what_the_contract_allows() -> None:
    """The titles, references and reasons are as long as friction v1 lets them be, in Korean."""
    world = World()
    world.take(
        *(
            a_friction(
                n,
                rule=f"rule_{n:03}",
                reason="배" * 128,
                title=LocalizedTitle(en="a" * 500, ko="가" * 500),
                refs={f"kind_{n}_{k}": "값" * 255 for k in range(20)},
                timeline=tuple(
                    TimelineStep(
                        occurred_at=NOW + timedelta(seconds=60 * n + k),
                        channel="phone",
                        kind="call_ended",
                        outcome="결" * 128,
                        reason="이" * 128,
                    )
                    for k in range(10)
                ),
            )
            for n in range(1, 301)
        )
    )
    [issue] = world.issues.values()

    document = issue_v1.encode(write_issue(issue))
    body = render_webhook(_notification(issue), public_url="https://waymark.example", document=document)

    assert validation.errors("issue.v1", json.loads(document)) == []
    assert (issue.count, len(issue.frictions), len(issue.rules)) == (300, 100, 50)
    assert issue.frictions[-1] == a_friction(300).id
    told = json.loads(body)["data"]
    assert len(body) <= MAX_BYTES
    assert validation.errors("issue.v1", told) == []
    assert (told["count"], told["frictions"][-1]) == (300, a_friction(300).id)


def _notification(issue: Issue) -> Notification:
    return Notification(
        id=UUID(int=1),
        issue=issue,
        sequence=1,
        type="issue.opened",
        reason=NotificationReason.FIRST,
        endpoints=(),
        revised_at=NOW,
        created_at=NOW,
    )
