"""Which open issues inhibit others, as the database keeps it: one row for each rule that an open issue is a source of.

It follows from issues and policy alone. Writers keep it in the transaction of a change; a new policy makes it anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from services.alerts.issues.issue_store import unresolved_issues
from services.alerts.issues.model import Issue
from services.alerts.policy.inhibition import (
    InhibitionSource,
    Inhibitor,
    InhibitRule,
    find_inhibitor,
    sources_of,
    target_keys,
)
from services.alerts.policy.tree import routing_facts
from services.runtime.postgres.pools import Connection, columns

_AT_ONCE = 1000


async def update(connection: Connection, issues: Sequence[Issue], rules: Sequence[InhibitRule]) -> list[str]:
    """Write what these changed issues inhibit, and return the keys under which one of them does so no more."""
    rows = await connection.fetch(
        "SELECT key, issue_id FROM alerts.inhibition_sources WHERE issue_id = ANY($1)", [issue.id for issue in issues]
    )
    before = {(row["key"], row["issue_id"]) for row in rows}
    sources = [source for issue in issues if issue.unresolved and not issue.quiet for source in _sources(issue, rules)]
    gone = before - {(source.key, source.issue_id) for source in sources}
    if gone:
        await connection.execute(
            """
            DELETE FROM alerts.inhibition_sources s USING unnest($1::text[], $2::uuid[]) AS g (key, issue_id)
             WHERE s.key = g.key AND s.issue_id = g.issue_id
            """,
            *columns(sorted(gone)),
        )
    await _add(connection, sources)
    return sorted({key for key, _ in gone})


def _sources(issue: Issue, rules: Iterable[InhibitRule]) -> list[InhibitionSource]:
    return sources_of(issue.id, routing_facts(issue).labels, rules)


async def _add(connection: Connection, sources: Sequence[InhibitionSource]) -> None:
    if sources:
        await connection.execute(
            """
            INSERT INTO alerts.inhibition_sources (key, issue_id, matches_both)
            SELECT * FROM unnest($1::text[], $2::uuid[], $3::boolean[])
            ON CONFLICT (key, issue_id) DO UPDATE SET matches_both = excluded.matches_both
            """,
            *columns(sorted((s.key, s.issue_id, s.matches_both) for s in sources)),
        )


async def inhibitors(
    connection: Connection, issues: Sequence[Issue], rules: Sequence[InhibitRule]
) -> Mapping[UUID, Inhibitor]:
    """Return what inhibits each of these issues now, those alone that something inhibits."""
    if not rules:
        return {}
    labels = {issue.id: routing_facts(issue).labels for issue in issues}
    keys = {key for of_issue in labels.values() for key in target_keys(of_issue, rules)}
    if not keys:
        return {}
    # at most two sources of each sort decide; an outage may have thousands
    rows = await connection.fetch(
        """
        SELECT k.key, s.issue_id, s.matches_both FROM unnest($1::text[]) AS k (key)
         CROSS JOIN LATERAL (
               (SELECT * FROM alerts.inhibition_sources s WHERE s.key = k.key AND s.matches_both LIMIT 2)
                UNION ALL
               (SELECT * FROM alerts.inhibition_sources s WHERE s.key = k.key AND NOT s.matches_both LIMIT 2)) s
        """,
        sorted(keys),
    )
    sources: dict[str, list[InhibitionSource]] = {}
    for row in rows:
        source = InhibitionSource(key=row["key"], issue_id=row["issue_id"], matches_both=row["matches_both"])
        sources.setdefault(source.key, []).append(source)
    found = {issue_id: find_inhibitor(of_issue, rules, sources) for issue_id, of_issue in labels.items()}
    return {issue_id: inhibitor for issue_id, inhibitor in found.items() if inhibitor is not None}


async def rebuild(connection: Connection, rules: Sequence[InhibitRule]) -> None:
    """Make every row anew for these rules; the caller keeps writers away."""
    await connection.execute("DELETE FROM alerts.inhibition_sources")
    if not rules:
        return
    sources: list[InhibitionSource] = []
    async for issue in unresolved_issues(connection):
        sources += [] if issue.quiet else _sources(issue, rules)
        if len(sources) >= _AT_ONCE:
            await _add(connection, sources)
            sources = []
    await _add(connection, sources)
