"""Lists of issues over a real database: the severest first, walks that miss nothing, counts, and what they cost."""

import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from schemas.documents.friction import FrictionDocument, FrictionDocumentState
from schemas.vocabulary import ServiceLevel, Severity
from services.alerts.api import cursors
from services.alerts.api.issue_resource import read_issue
from services.alerts.deliver import delivery_history
from services.alerts.deliver.delivery_history import DeliveryPageStart
from services.alerts.inbox import actions, issue_details, issue_list
from services.alerts.inbox.issue_list import IssueFilter, IssueOrder, WalkExpiredError
from services.alerts.issues.model import Issue, IssueState
from services.alerts.live import feed_store
from services.runtime.http.problems import Problem
from services.runtime.postgres.pools import acquire
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import NOW, FrictionLog, a_friction, again, alerts
from tests.fixtures.clock import SteppingClock
from tests.waiting import until

pytestmark = pytest.mark.local

UNRESOLVED = IssueFilter(states=("acknowledged", "open"))
FILTERS = {
    "all": IssueFilter(),
    "unresolved": UNRESOLVED,
    "loud": IssueFilter(states=UNRESOLVED.states, quiet=False),
    "severe": IssueFilter(severities=("critical", "high")),
    "on the phone": IssueFilter(states=UNRESOLVED.states, channel="phone"),
}


def fits(issue: Issue, wanted: IssueFilter) -> bool:
    """The filter, said again."""
    return (
        (not wanted.states or issue.state in wanted.states)
        and (not wanted.severities or issue.severity in wanted.severities)
        and (wanted.quiet is None or issue.quiet == wanted.quiet)
        and (wanted.channel is None or issue.channel == wanted.channel)
    )


async def a_page(engine: AlertsEngine, wanted: IssueFilter, order: IssueOrder, cursor: str | None, limit: int) -> Any:
    """A page and the cursor of the next one, by way of the text that callers send back."""
    scope = cursors.scope_of_issues(wanted, order)
    async with acquire(engine.pool) as connection:
        place = cursors.place_in_issues(scope, cursor)
        page = await issue_list.page(connection, wanted, order, place, limit)
    return page.issues, None if page.next is None else cursors.cursor_of_issues(scope, page.next)


async def every(engine: AlertsEngine) -> dict[UUID, Issue]:
    """All issues as they are now."""
    async with acquire(engine.pool) as connection:
        found = await issue_list.page(connection, IssueFilter(), IssueOrder.LATEST, None, 10_000)
    return {issue.id: issue for issue in found.issues}


class RandomChanges:
    """Changes issues at random: frictions come, worsen and go; people take, resolve and reopen."""

    def __init__(self, engine: AlertsEngine, clock: SteppingClock, chance: random.Random) -> None:
        self._engine, self._clock, self._chance = engine, clock, chance
        self._frictions: list[FrictionDocument] = []

    async def begin(self, count: int) -> None:
        for _ in range(count):
            await self._new()

    async def change(self) -> None:
        """One change."""
        self._clock.advance(timedelta(seconds=self._chance.randint(0, 90)))
        change: Callable[[], Awaitable[None]] = self._chance.choice(
            [self._new, self._more, self._more, self._more, self._worse, self._gone, self._acted, self._acted]
        )
        await change()

    async def _new(self) -> None:
        await self._take(a_friction(**self._facts()))

    async def _more(self) -> None:
        known = self._chance.choice(self._frictions)
        matter = {"customer_id": known.customer_id, "journey_id": known.journey_id}
        await self._take(a_friction(**self._facts() | matter))

    async def _worse(self) -> None:
        await self._revise(severity=Severity.CRITICAL)

    async def _gone(self) -> None:
        await self._revise(state=FrictionDocumentState.RETRACTED)

    async def _acted(self) -> None:
        issue_id = self._chance.choice(list(await every(self._engine)))
        now, name = self._clock.now(), self._chance.choice(("take", "end", "back"))

        def act(issue: Issue, superseded: bool) -> Any:
            if name == "take":
                return actions.acknowledge(issue, actor="test", now=now, note=None)
            if name == "end":
                return actions.resolve(issue, actor="test", now=now, resolution="resolved", note=None)
            return actions.reopen(issue, actor="test", now=now, superseded=superseded, note=None)

        await self._engine.service.executor.execute(issue_id, act)

    async def _revise(self, **members: object) -> None:
        at = self._chance.randrange(len(self._frictions))
        self._frictions[at] = again(self._frictions[at], **members)
        await self._engine.take(self._frictions[at])

    async def _take(self, friction: FrictionDocument) -> None:
        self._frictions.append(friction)
        await self._engine.take(friction)

    def _facts(self) -> dict[str, Any]:
        moment = NOW - timedelta(minutes=self._chance.randint(0, 600))
        return {
            "severity": self._chance.choice(list(Severity)),
            "occurred_at": moment,
            "quiet": self._chance.random() < 0.2,
        }


@pytest.mark.parametrize("order", list(IssueOrder))
@pytest.mark.parametrize("seed", range(3))
async def test_a_walk_misses_nothing_that_fitted_from_its_beginning_to_its_end(
    database: str, clock: SteppingClock, order: IssueOrder, seed: int
) -> None:
    chance = random.Random(seed)
    async with alerts_engine(database, clock, dispatching=False) as engine:
        weather = RandomChanges(engine, clock, chance)
        await weather.begin(25)
        for wanted in FILTERS.values():
            staying = {i for i, issue in (await every(engine)).items() if fits(issue, wanted)}
            seen: set[UUID] = set()
            cursor, limit, walked = None, chance.randint(1, 6), 0
            while walked == 0 or cursor is not None:
                issues, cursor = await a_page(engine, wanted, order, cursor, limit)
                seen |= {issue.id for issue in issues}
                assert len(issues) == len({issue.id for issue in issues}) <= limit
                walked += 1
                for _ in range(chance.randint(0, 3)):
                    await weather.change()
                    staying &= {i for i, issue in (await every(engine)).items() if fits(issue, wanted)}
                assert walked < 500, "a walk ends although things go on changing"
            assert staying <= seen


async def test_an_issue_that_gets_new_friction_during_a_walk_is_on_it(database: str, clock: SteppingClock) -> None:
    frictions = [a_friction(occurred_at=NOW - timedelta(hours=hours)) for hours in range(1, 6)]
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(*frictions)
        first, cursor = await a_page(engine, UNRESOLVED, IssueOrder.LATEST, None, 2)
        oldest = frictions[-1]
        await engine.take(a_friction(customer_id=oldest.customer_id, journey_id=oldest.journey_id, occurred_at=NOW))
        rest = []
        while cursor is not None:
            issues, cursor = await a_page(engine, UNRESOLVED, IssueOrder.LATEST, cursor, 2)
            rest += issues

    seen = [issue.customer_id for issue in [*first, *rest]]
    assert seen == [friction.customer_id for friction in frictions]
    assert rest[-1].count == 2


async def test_a_walk_that_nothing_disturbs_shows_everything_once_and_ends_without_an_empty_page(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(*(a_friction() for _ in range(6)))
        for order in IssueOrder:
            seen, cursor, walked = [], None, 0
            while walked == 0 or cursor is not None:
                issues, cursor = await a_page(engine, UNRESOLVED, order, cursor, 3)
                seen += [issue.id for issue in issues]
                walked += 1
            assert (len(seen), len(set(seen)), walked) == (6, 6, 2)


async def test_a_cursor_of_another_filter_or_order_is_refused(database: str, clock: SteppingClock) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(a_friction(), a_friction())
        _, cursor = await a_page(engine, UNRESOLVED, IssueOrder.LATEST, None, 1)
        for wanted, order in ((UNRESOLVED, IssueOrder.SEVERITY), (IssueFilter(), IssueOrder.LATEST)):
            with pytest.raises(Problem, match="cursor_invalid"):
                await a_page(engine, wanted, order, cursor, 1)


async def test_a_walk_older_than_what_is_kept_of_changes_is_told_to_begin_anew(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(a_friction(), a_friction())
        _, cursor = await a_page(engine, UNRESOLVED, IssueOrder.LATEST, None, 1)
        await engine.take(a_friction())
        async with acquire(engine.pool) as connection:
            await feed_store.prune(connection, clock.now() + timedelta(seconds=1), 100)
        with pytest.raises(WalkExpiredError):
            await a_page(engine, UNRESOLVED, IssueOrder.LATEST, cursor, 5)


async def test_the_severest_stand_first_however_many_newer_mild_ones_there_are(
    database: str, clock: SteppingClock
) -> None:
    old = a_friction(severity=Severity.CRITICAL, occurred_at=NOW - timedelta(days=3))
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(old)
        for _ in range(23):
            await engine.take(*(a_friction(severity=Severity.LOW) for _ in range(100)))
        first, cursor = await a_page(engine, UNRESOLVED, IssueOrder.SEVERITY, None, 200)
        async with acquire(engine.pool) as connection:
            counts = await issue_list.summary(connection, UNRESOLVED)

    assert first[0].customer_id == old.customer_id
    assert {issue.severity for issue in first[1:]} == {Severity.LOW}
    assert cursor is not None
    assert [(c.severity, c.by_state[IssueState.OPEN]) for c in counts] == [
        *(("critical", 1), ("high", 0), ("medium", 0)),
        ("low", 2300),
    ]


async def test_the_summary_counts_by_severity_and_state_and_knows_the_oldest_open_one(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        began = clock.now()
        await engine.take(a_friction(severity=Severity.HIGH))
        clock.advance(timedelta(minutes=5))
        await engine.take(a_friction(severity=Severity.HIGH), a_friction(severity=Severity.LOW, quiet=True))
        [taken] = [i for i in (await every(engine)).values() if i.severity == "high" and i.opened_at == began]
        await engine.service.executor.execute(
            taken.id, lambda issue, _: actions.acknowledge(issue, actor="test", now=clock.now(), note=None)
        )
        async with acquire(engine.pool) as connection:
            high = (await issue_list.summary(connection, IssueFilter()))[1]
            loud = await issue_list.summary(connection, IssueFilter(quiet=False))

    assert (high.by_state, high.oldest_open_at) == (
        {"open": 1, "acknowledged": 1, "resolved": 0},
        began + timedelta(minutes=5),
    )
    assert sum(sum(count.by_state.values()) for count in loud) == 2


MANY = """
INSERT INTO alerts.issues (
    issue_id, document, fingerprint, occurrence, version, state, severity, rules, customer_id, channel, count, last_at,
    opened_at, resolved_at, updated_at)
SELECT gen_random_uuid(), document, 'f' || n, 1, 1, s.state, s.severity, rules, customer_id, channel, count,
       $1::timestamptz - n * interval '1 second', opened_at, CASE s.state WHEN 'resolved' THEN opened_at END, updated_at
  FROM generate_series(1, 100000) AS n,
       LATERAL (SELECT CASE n % 10 WHEN 0 THEN 'open' WHEN 1 THEN 'acknowledged' ELSE 'resolved' END AS state,
                       CASE WHEN n % 5000 = 0 THEN 'critical' WHEN n % 7 = 0 THEN 'medium' ELSE 'low' END
                       AS severity) s,
       (SELECT * FROM alerts.issues LIMIT 1) AS one
"""


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A step of a plan and all below it."""
    return [plan, *(node for step in plan.get("Plans", []) for node in nodes(step))]


async def test_a_page_by_severity_reads_a_page_of_100_000_issues_and_the_summary_no_document(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(a_friction())
        async with acquire(engine.pool) as connection:
            await connection.execute(MANY, datetime.now(UTC))
            await connection.execute("VACUUM ANALYZE alerts.issues")
            for wanted, index in ((UNRESOLVED, "issues_severest_unresolved"), (IssueFilter(), "issues_severest")):
                first = await issue_list.page(connection, wanted, IssueOrder.SEVERITY, None, 200)
                assert first.next is not None
                recording = RecordingConnection(connection)
                await issue_list.page(recording, wanted, IssueOrder.SEVERITY, first.next, 200)  # type: ignore[arg-type]  # it stands in for one
                [page] = [s for s in recording.statements if "severity_rank" in s[0]]
                steps = await explained(connection, *page)
                assert [step.get("Index Name") for step in steps] == [None, index]
                assert max(step["Actual Rows"] for step in steps) <= 201
            recording = RecordingConnection(connection)
            await issue_list.summary(recording, UNRESOLVED)  # type: ignore[arg-type]  # it stands in for one
            steps = await explained(connection, *recording.statements[0])
            assert [step["Node Type"] for step in steps if "Index Name" in step] == ["Index Only Scan"]


class RecordingConnection:
    """A connection that records its statements."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.statements: list[tuple[str, tuple[object, ...]]] = []

    async def fetch(self, statement: str, *values: object) -> Any:
        self.statements.append((statement, values))
        return await self._connection.fetch(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def explained(connection: Any, statement: str, values: tuple[object, ...]) -> list[dict[str, Any]]:
    """The steps of a statement that was carried out."""
    found = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
    return nodes(json.loads(found)[0]["Plan"])


async def test_an_issue_says_how_many_of_its_frictions_it_does_not_show(database: str, clock: SteppingClock) -> None:
    first = a_friction()
    matter = {"customer_id": first.customer_id, "journey_id": first.journey_id}
    async with alerts_engine(database, clock, dispatching=False) as engine:
        await engine.take(first, *(a_friction(**matter) for _ in range(104)))
        [issue_id] = await every(engine)
        async with acquire(engine.pool) as connection:
            shown = await issue_details.frictions(connection, issue_id)
            held = await issue_details.count_details(connection, issue_id)
        detail = await read_issue(engine.service.parts, None, issue_id)  # type: ignore[arg-type]  # who asks is not looked at

    assert (len(shown), held.evidence) == (100, 105)
    assert detail.not_shown.evidence == 5
    assert detail.not_shown.deliveries == 0


async def test_a_walk_over_deliveries_misses_none_while_others_come_and_are_sent(
    database: str, clock: SteppingClock
) -> None:
    async with alerts_engine(database, clock, dispatching=False) as engine:
        endpoint, _ = await engine.endpoint("http://127.0.0.1:9/hook")
        await engine.take(*(a_friction() for _ in range(9)))
        there = set(await engine.column("SELECT delivery_id FROM alerts.deliveries"))
        seen: list[str] = []
        cursor, more = None, True
        while more:
            async with acquire(engine.pool) as connection:
                behind = cursors.place_in_deliveries(endpoint, None, cursor)
                found = await delivery_history.deliveries_of_endpoint(connection, endpoint, None, behind, 3)
                await connection.execute(
                    "UPDATE alerts.deliveries SET state = 'delivered', delivered_at = now(), next_at = now()"
                )
            seen += [row.id for row in found]
            clock.advance(timedelta(seconds=1))
            await engine.take(a_friction())
            more = bool(found)
            if found:
                cursor = cursors.cursor_of_deliveries(
                    endpoint, None, DeliveryPageStart(at=found[-1].created_at, id=found[-1].id)
                )

    assert set(seen) == there
    assert len(seen) == len(there)


async def test_the_most_urgent_come_first_and_a_walk_by_priority_misses_none(
    database: str, friction_log: FrictionLog
) -> None:
    levels = (None, ServiceLevel.ENHANCED, ServiceLevel.PREMIUM)
    severities = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
    frictions = [a_friction(severity=severity, service_level=level) for severity in severities for level in levels]
    async with alerts(database, friction_log) as api:
        await friction_log.write(frictions)

        async def all_there() -> bool:
            return len(await api.issues()) == len(frictions)

        await until(all_there)
        walked: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await api.call("GET", f"/v1/issues?sort=priority&limit=5{cursor}", role="reader")
            walked += page["issues"]
            if page.get("next_cursor") is None:
                break
            cursor = f"&cursor={page['next_cursor']}"

        scores = [issue["priority"]["score"] for issue in walked]
        assert scores == sorted(scores, reverse=True)
        assert {issue["id"] for issue in walked} == {issue["id"] for issue in await api.issues()}
        assert (walked[0]["severity"], walked[0]["service_level"]) == ("critical", "premium")

        await api.call("POST", f"/v1/issues/{walked[0]['id']}/acknowledge", role="agent")
        kept = await api.call("GET", "/v1/issues/attainment", role="reader")
        premium = next(level for level in kept["levels"] if level["level"] == "premium")
        assert (premium["issues"], premium["responded_in_time"], premium["responded_late"]) == (4, 1, 0)
        assert (await api.call("GET", "/v1/outbreaks", role="reader")) == {"outbreaks": []}
