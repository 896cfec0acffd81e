"""Sequences of alerts by chance, and what our groups tell of them on a clock that nobody waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid5

from services.alerts.hold.groups import AlertGroup, GroupSetting, join_group, plan_flush, view_of
from services.alerts.issues.model import Issue, IssueState
from services.alerts.policy.alert_policy import AlertPolicy
from services.alerts.policy.matchers import Matcher, MatcherOperator
from services.alerts.policy.silences import Silence
from services.alerts.policy.tree import RouteOptions
from tests.unit.alerts.builders import an_issue

STEP_S = 2
"""Seconds between two steps; every flush falls in the middle between two of them."""

STEPS = 12
WAIT_S, INTERVAL_S, REPEAT_S = 3, 4, 7
KINDS: Mapping[str, tuple[str, ...]] = {"0": (), "1": ("ref_a",), "2": ("ref_a", "ref_b")}
"""The labels that each kind of sequence is grouped by, beside its own name."""

START = datetime(2026, 11, 22, tzinfo=UTC)
_SPACE = UUID(int=5)

Told = tuple[tuple[tuple[str, str], ...], frozenset[str], frozenset[str]]
"""The labels of a group, and the names of the alerts that fire and that have ended in one message."""


@dataclass(frozen=True)
class AlertSequence:
    """What happens in one run: alerts that change at each step, and a silence from one step to another."""

    run: str
    kind: str
    alerts: Mapping[str, Mapping[str, str]]
    changes: Sequence[Mapping[str, bool]]
    """For each step the alerts that begin (true) or end (false)."""
    silence: tuple[str, int, int] | None
    """The value of `ref_a` that is silenced, the first step, and the step at which that ends."""


def a_sequence(random: Random, run: str) -> AlertSequence:
    """Make one."""
    names = {f"n{number}": {"ref_a": random.choice("12"), "ref_b": random.choice("12")} for number in range(4)}
    silence = None
    if random.random() < 0.4:
        first = random.randint(0, STEPS - 4)
        silence = random.choice("12"), first, random.randint(first + 2, STEPS - 1)
    firing: set[str] = set()
    changes = []
    for step in range(STEPS):
        now: dict[str, bool] = {}
        for name, labels in names.items():
            hushed = silence is not None and labels["ref_a"] == silence[0] and silence[1] - 2 <= step <= silence[2]
            if name not in firing and random.random() < (0.35 if step < STEPS - 3 else 0.0):
                now[name] = True
            elif name in firing and not hushed and random.random() < 0.25:
                # when a flush finds what has ended silenced, we tell those who know of it, and Alertmanager nobody
                now[name] = False
        firing = (firing | {n for n, begins in now.items() if begins}) - {n for n, b in now.items() if not b}
        changes.append(now)
    return AlertSequence(run=run, kind=random.choice(tuple(KINDS)), alerts=names, changes=changes, silence=silence)


@dataclass
class _Held:
    """One group of ours while a sequence is played."""

    group: AlertGroup
    due: datetime
    members: set[str]


def our_messages(sequence: AlertSequence, *, keep_empty: bool = False) -> list[Told]:
    """Play a sequence on our groups and return what they tell, in its order.

    With `keep_empty` a group without alerts goes on, as Alertmanager has it until its next cleaning, every 30 seconds:
    an alert that joins it waits for the rest of `group_interval`, and not for `group_wait`.
    """
    options = RouteOptions(
        group_by=KINDS[sequence.kind],
        group_wait=timedelta(seconds=WAIT_S),
        group_interval=timedelta(seconds=INTERVAL_S),
        repeat_interval=(timedelta(seconds=REPEAT_S),),
    )
    issues: dict[str, Issue] = {}
    held: dict[str, _Held] = {}
    told: list[Told] = []
    for step in range(STEPS + 1):
        now = START + timedelta(seconds=step * STEP_S)
        told += _flush_until(now, sequence, options, issues, held, keep_empty=keep_empty)
        if step < STEPS:
            _apply(sequence, step, now, options, issues, held)
    return told


def _apply(
    sequence: AlertSequence,
    step: int,
    now: datetime,
    options: RouteOptions,
    issues: dict[str, Issue],
    held: dict[str, _Held],
) -> None:
    for name, begins in sequence.changes[step].items():
        if not begins:
            issues[name] = replace(issues[name], state=IssueState.RESOLVED, resolved_at=now)
            continue
        refs = {label.removeprefix("ref_"): value for label, value in sequence.alerts[name].items()}
        issues[name] = an_issue(id=uuid5(_SPACE, name), refs=refs, opened_at=now, state=IssueState.OPEN)
        join = join_group(issues[name], view_of(issues[name], None).labels, UUID(int=1), options, now)
        if join.key not in held:
            group = AlertGroup(
                id=uuid5(_SPACE, join.key),
                route_id=join.route_id,
                key=join.key,
                labels=join.labels,
                told=None,
                sequence=0,
                endpoints=(),
            )
            held[join.key] = _Held(group=group, due=join.flush_at, members=set())
        held[join.key].members.add(name)


def _flush_until(
    until: datetime,
    sequence: AlertSequence,
    options: RouteOptions,
    issues: Mapping[str, Issue],
    held: dict[str, _Held],
    *,
    keep_empty: bool,
) -> list[Told]:
    told: list[Told] = []
    names = {uuid5(_SPACE, name): name for name in sequence.alerts}
    while due := sorted((one.due, key) for key, one in held.items() if one.due < until):
        at, key = due[0]
        one = held[key]
        setting = GroupSetting(options=options, policy=AlertPolicy(), silences=_silences(sequence), inhibitors={})
        plan = plan_flush(one.group, [issues[name] for name in sorted(one.members)], setting, at)
        if plan.reason.tells:
            firing = frozenset(names[issue.id] for issue in plan.firing)
            ended = frozenset(names[issue.id] for issue in plan.resolved)
            told.append((tuple(sorted(one.group.labels.items())), firing, ended))
        one.group = replace(one.group, told=plan.told)
        one.members -= {names[issue_id] for issue_id in plan.leaving}
        if plan.next_flush_at is None and keep_empty:
            one.due = at + timedelta(seconds=INTERVAL_S)
        elif plan.next_flush_at is None:
            del held[key]
        else:
            one.due = plan.next_flush_at
    return told


def _silences(sequence: AlertSequence) -> list[Silence]:
    if sequence.silence is None:
        return []
    value, first, last = sequence.silence
    matcher = Matcher(name="ref_a", operator=MatcherOperator.EQUAL, value=value)
    begins, ends = (START + timedelta(seconds=step * STEP_S) for step in (first, last))
    silence = Silence(
        id=UUID(int=9),
        matchers=(matcher,),
        starts_at=begins,
        ends_at=ends,
        comment="",
        created_by="test",
        updated_at=begins,
    )
    return [silence]
