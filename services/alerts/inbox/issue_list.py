"""Reads lists of issues in pages that miss nothing, and counts issues.

Both orders change while somebody reads page after page: a new friction moves an issue to the front, to a page that was
read already. A walk over several pages therefore remembers the position of the feed at its beginning. It ends with the
issues that changed since then, in the order of their ids, which never change. An issue that fits the filter during the
whole walk appears at least once: either it kept its place, or it is among the changed ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.alerts.issues.json_columns import decode_issue
from services.alerts.issues.model import AlertSeverity, Issue, IssueState
from services.alerts.live import feed_store
from services.runtime.postgres.pools import Connection

_FIRST = UUID(int=0)


class IssueOrder(StrEnum):
    """The order of a list of issues."""

    LATEST = "latest"
    SEVERITY = "severity"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueFilter:
    """Which issues to list; an aspect that is None or empty does not restrict the list."""

    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    rule: str | None = None
    channel: str | None = None
    customer_id: str | None = None
    team: str | None = None
    quiet: bool | None = None
    outbreak: str | None = None
    held: bool | None = None
    owner: str | None = None
    reason: str | None = None
    service_level: str | None = None
    text: str | None = None
    snoozed: bool | None = None
    outbreaks: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedPageStart:
    """In the order of the list, the page begins behind this issue; changes count from the transaction `since` on."""

    since: int
    rank: int
    last_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPageStart:
    """Among the issues changed in transactions from `since` to before `until`, the page begins behind this id."""

    since: int
    until: int
    id: UUID


IssuePageStart = OrderedPageStart | ChangedPageStart
"""Where a page of the list begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueListPage:
    """A page of issues, and where the next one begins if there is one."""

    issues: list[Issue]
    next: IssuePageStart | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityCount:
    """The number of issues of one severity by state, and when the oldest open one was opened."""

    severity: AlertSeverity
    by_state: Mapping[IssueState, int]
    oldest_open_at: datetime | None


class WalkExpiredError(Exception):
    """The walk began too long ago or in another life of the database: its changes are not known any more."""


async def page(
    connection: Connection, wanted: IssueFilter, order: IssueOrder, place: IssuePageStart | None, limit: int
) -> IssueListPage:
    """Return a page of at most `limit` issues that begins at `place`.

    Raises:
        WalkExpiredError: the walk has to start again.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        listing = _Listing(connection, wanted, order)
        oldest, latest = await feed_store.running_transactions(connection)
        if isinstance(place, ChangedPageStart):
            return await listing.changed(place, limit)
        found = await listing.ordered(place, limit + 1)
        if len(found) > limit:
            last = found[limit - 1]
            since = oldest if place is None else place.since
            behind = OrderedPageStart(since=since, rank=_rank(last, order), last_at=last.last_at, id=last.id)
            return IssueListPage(issues=found[:limit], next=behind)
        if place is None:
            return IssueListPage(issues=found, next=None)
        changes = ChangedPageStart(since=place.since, until=latest, id=_FIRST)
        rest = await listing.changed(changes, limit - len(found), but_not=[issue.id for issue in found])
        return IssueListPage(issues=[*found, *rest.issues], next=rest.next)


def _rank(issue: Issue, order: IssueOrder) -> int:
    """Return what comes first in the order of the list, where it is not the time."""
    if order is IssueOrder.PRIORITY:
        return issue.priority.score if issue.priority else 0
    return issue.severity.rank


async def summary(connection: Connection, wanted: IssueFilter) -> list[SeverityCount]:
    """Count the issues that match a filter by severity and state, the most severe first; zeros are included."""
    where = _Where.of(wanted)
    rows = await connection.fetch(
        f"""
        SELECT severity, state, count(*) AS n, min(opened_at) AS oldest
          FROM alerts.issues WHERE {where} GROUP BY severity, state
        """,  # noqa: S608  made of constants; every value is a parameter
        *where.values,
    )
    found = {(row["severity"], row["state"]): row for row in rows}
    return [
        SeverityCount(
            severity=severity,
            by_state={state: found[severity, state]["n"] if (severity, state) in found else 0 for state in IssueState},
            oldest_open_at=found[severity, IssueState.OPEN]["oldest"] if (severity, IssueState.OPEN) in found else None,
        )
        for severity in reversed(AlertSeverity)
    ]


_OF_TEAM = """(document ->> 'team' = {0} OR EXISTS (
    SELECT FROM json_array_elements(document -> 'teams') share WHERE share ->> 'name' = {0}))"""
"""An issue whose first team it is, or one of the others; documents of earlier versions have only the first."""

_HAS_TEXT = """strpos(lower(concat_ws(E'\\n', document #>> '{{title,en}}', document #>> '{{title,ko}}',
    document #>> '{{why,en}}', document #>> '{{why,ko}}', document ->> 'reason', document ->> 'refs',
    array_to_string(rules, ' '))), lower({0})) > 0"""
"""An issue that says this text somewhere, whatever the case; every word of it counts as it is written."""


@dataclass(slots=True)
class _Where:
    """The conditions of a query and their values; an open aspect adds none, so that an index can serve the rest."""

    values: list[object] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, wanted: IssueFilter) -> "_Where":
        """Return the conditions of a filter."""
        aspects = (
            ("state = ANY({}::text[])", list(wanted.states) or None),
            ("severity = ANY({}::text[])", list(wanted.severities) or None),
            ("{} = ANY(rules)", wanted.rule),
            ("channel = {}", wanted.channel),
            ("document ->> 'reason' = {}", wanted.reason),
            ("document ->> 'service_level' = {}", wanted.service_level),
            (_HAS_TEXT, wanted.text),
            ("customer_id = {}", wanted.customer_id),
            (_OF_TEAM, wanted.team),
            ("document ->> 'owner' = {}", wanted.owner),
            ("quiet = {}", wanted.quiet),
            ("held_by = {}", wanted.outbreak),
            ("(held_by IS NOT NULL) = {}", wanted.held),
            ("(snoozed_until IS NOT NULL) = {}", wanted.snoozed),
            ("(customer_id IS NULL) = {}", wanted.outbreaks),
        )
        where = cls()
        for condition, value in aspects:
            if value is not None:
                where.add(condition, value)
        if wanted.states and IssueState.RESOLVED not in wanted.states:
            where.add("state <> 'resolved'")  # worded like the partial index of unresolved issues
        return where

    def add(self, condition: str, *values: object) -> None:
        """Add a condition that has a `{}` for each of its values."""
        places = range(len(self.values) + 1, len(self.values) + len(values) + 1)
        self._parts.append(condition.format(*(f"${place}" for place in places)))
        self.values += values

    def __str__(self) -> str:
        """Return the text that follows WHERE."""
        return " AND ".join(self._parts) or "true"


_ORDERS = {
    IssueOrder.LATEST: ("last_at, issue_id", "({}::timestamptz, {}::uuid)"),
    IssueOrder.PRIORITY: ("priority, last_at, issue_id", "({}::smallint, {}::timestamptz, {}::uuid)"),
    IssueOrder.SEVERITY: ("severity_rank, last_at, issue_id", "({}::smallint, {}::timestamptz, {}::uuid)"),
}


_CHANGED = "SELECT f.issue_id FROM alerts.feed f WHERE f.xid >= {}::text::xid8 AND f.xid < {}::text::xid8"


@dataclass(frozen=True, slots=True)
class _Listing:
    """Reads the two parts of a walk."""

    connection: Connection
    wanted: IssueFilter
    order: IssueOrder

    async def ordered(self, behind: OrderedPageStart | None, limit: int) -> list[Issue]:
        """Return issues in the order of the list."""
        columns, values = _ORDERS[self.order]
        where = _Where.of(self.wanted)
        if behind is not None:
            key = (behind.rank, behind.last_at, behind.id)
            where.add(f"({columns}) < {values}", *(key[1:] if self.order is IssueOrder.LATEST else key))
        order_by = ", ".join(f"{column} DESC" for column in columns.split(", "))
        return await self._issues(where, order_by, limit)

    async def changed(self, place: ChangedPageStart, limit: int, *, but_not: Sequence[UUID] = ()) -> IssueListPage:
        """Return the issues that changed since the walk began, by id, without those on the same page."""
        if not await feed_store.keeps_changes_since(self.connection, place.since):
            raise WalkExpiredError
        where = _Where.of(self.wanted)
        where.add("issue_id > {}::uuid", place.id)
        where.add("issue_id <> ALL({}::uuid[])", list(but_not))
        where.add(f"issue_id IN ({_CHANGED})", str(place.since), str(place.until))
        found = await self._issues(where, "issue_id", limit + 1)
        last = found[limit - 1].id if limit and len(found) > limit else place.id
        next_start = ChangedPageStart(since=place.since, until=place.until, id=last) if len(found) > limit else None
        return IssueListPage(issues=found[:limit], next=next_start)

    async def _issues(self, where: _Where, order_by: str, limit: int) -> list[Issue]:
        values = [*where.values, limit]
        rows = await self.connection.fetch(
            f"""
            SELECT document FROM alerts.issues WHERE {where} ORDER BY {order_by} LIMIT ${len(values)}
            """,  # noqa: S608  made of constants; every value is a parameter
            *values,
        )
        return [decode_issue(row["document"]) for row in rows]
