"""Watches as the database keeps them: read under lock, in the order of their ids, after every lock on issues.

What happened to customers since is read from the tables of frictions and journeys, which whoever calls has written
before. Contacts are kept as rows of their own: a journey tells only of the latest of each kind.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from schemas import kinds
from services.alerts.issues import journey_store
from services.alerts.issues.json_columns import encode_json
from services.alerts.issues.model import SYSTEM, IssueEventKind, JourneyNow
from services.alerts.loop.watches import Matter, Recontact, Watch
from services.runtime.postgres.pools import Connection, Row, columns

_decoder = msgspec.json.Decoder(Watch)
_refs_decoder = msgspec.json.Decoder(dict[str, str])

_SEPARATOR = "\x1f"


async def lock_watches(
    connection: Connection, issue_ids: Collection[UUID], customers: Collection[str], now: datetime
) -> list[Watch]:
    """Lock and return the watches of these issues, and those of these customers that can still change."""
    if not issue_ids and not customers:
        return []
    rows = await connection.fetch(
        """
        SELECT document FROM alerts.watches
         WHERE issue_id = ANY($1) OR customer_id = ANY($2) AND (recheck_until > $3 OR state = 'watching')
         ORDER BY watch_id FOR UPDATE
        """,
        *(list(issue_ids), list(customers), now),
    )
    return [read_watch(row) for row in rows]


def read_watch(row: Row) -> Watch:
    """Return the watch in the `document` of a row."""
    return _decoder.decode(row["document"])


async def watched_customers(
    connection: Connection, customers: Collection[str], journeys: Collection[str], now: datetime
) -> set[str]:
    """Return whose watches can still change: of these customers, and of those who had these journeys so far."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT customer_id FROM alerts.watches
         WHERE recheck_until > $3 AND customer_id = ANY(
               $1 || ARRAY(SELECT customer_id FROM alerts.journeys
                            WHERE journey_id = ANY($2) AND customer_id IS NOT NULL))
        """,
        *(list(customers), list(journeys), now),
    )
    return {row["customer_id"] for row in rows}


async def customers_due(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Return customers with a watch whose time is over."""
    rows = await connection.fetch(
        """
        SELECT customer_id FROM alerts.watches WHERE state = 'watching' AND until_at <= $1
         ORDER BY until_at LIMIT $2
        """,
        *(now, limit),
    )
    return list(dict.fromkeys(row["customer_id"] for row in rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRow:
    """A watch to write, and until when late touchpoints may change it."""

    watch: Watch
    recheck_until: datetime


async def save_watches(connection: Connection, rows: Sequence[WatchRow]) -> None:
    """Write watches that are locked or new."""
    if rows:
        await connection.execute(_SAVE, *columns(_columns(row) for row in rows))


_SAVE = """
INSERT INTO alerts.watches (
    watch_id, document, issue_id, customer_id, resolved_at, until_at, recheck_until, state, outcome, team, rules,
    gesture)
SELECT watch_id, document::json, issue_id, customer_id, resolved_at, until_at, recheck_until, state, outcome, team,
       string_to_array(rules, E'\\x1f'), gesture
  FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
              $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
       AS g (watch_id, document, issue_id, customer_id, resolved_at, until_at, recheck_until, state, outcome, team,
             rules, gesture)
 ORDER BY watch_id
ON CONFLICT (watch_id) DO UPDATE SET
    document = excluded.document, issue_id = excluded.issue_id, customer_id = excluded.customer_id,
    state = excluded.state, outcome = excluded.outcome, team = excluded.team, rules = excluded.rules,
    gesture = excluded.gesture
"""


def _columns(row: WatchRow) -> tuple[object, ...]:
    watch = row.watch
    return (
        *(watch.id, encode_json(watch), watch.issue_id, watch.customer_id, watch.resolved_at, watch.until),
        *(row.recheck_until, watch.state, watch.outcome, watch.team, _SEPARATOR.join(watch.rules)),
        watch.gesture.kind if watch.gesture else None,
    )


async def add_events(connection: Connection, watches: Sequence[Watch], now: datetime) -> None:
    """Write into the audit of issues that their customers came back."""
    if not watches:
        return
    await connection.execute(
        """
        INSERT INTO alerts.issue_events (issue_id, version, at, actor, kind, detail)
        SELECT e.issue_id, i.version, $3, $4, $5, e.detail::json
          FROM unnest($1::uuid[], $2::text[]) AS e (issue_id, detail) JOIN alerts.issues i USING (issue_id)
        """,
        *columns((watch.issue_id, encode_json(_detail(watch))) for watch in watches),
        *(now, SYSTEM, IssueEventKind.RECONTACTED),
    )


def _detail(watch: Watch) -> dict[str, str | None]:
    found = watch.recontact
    return {
        "resolved_at": watch.resolved_at.isoformat(),
        "outcome": watch.outcome,
        "at": found.at.isoformat() if found else None,
        "issue": str(found.issue_id) if found and found.issue_id else None,
        "friction": found.friction_id if found else None,
        "rule": found.rule if found else None,
    }


async def frictions_since(
    connection: Connection, customers: Collection[str], since: datetime
) -> dict[str, list[Recontact]]:
    """Return by customer the standing frictions that occurred after `since`."""
    rows = await connection.fetch(
        """
        SELECT i.customer_id, f.issue_id, f.friction_id, f.document ->> 'rule' AS rule,
               (f.document ->> 'occurred_at')::timestamptz AS at, f.document ->> 'journey_id' AS journey_id,
               f.document ->> 'reason' AS reason, f.document ->> 'refs' AS refs
          FROM alerts.issues i JOIN alerts.frictions f USING (issue_id)
         WHERE i.customer_id = ANY($1) AND i.last_at > $2 AND f.state = 'detected'
           AND (f.document ->> 'occurred_at')::timestamptz > $2
        """,
        *(list(customers), since),
    )
    found: dict[str, list[Recontact]] = {}
    for row in rows:
        matter = Matter(
            journey_id=row["journey_id"],
            reason=row["reason"],
            refs=_refs_decoder.decode(row["refs"]) if row["refs"] else {},
        )
        fact = Recontact(
            at=row["at"], matter=matter, issue_id=row["issue_id"], friction_id=row["friction_id"], rule=row["rule"]
        )
        found.setdefault(row["customer_id"], []).append(fact)
    return found


async def current_journeys(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return for each of these journeys the one that holds its touchpoints now, where that is known."""
    found = await journey_store.find(connection, ids)
    return {asked: journey.id for asked, journey in found.items() if journey is not None}


async def contacts_since(
    connection: Connection, customers: Collection[str], since: datetime
) -> dict[str, list[Recontact]]:
    """Keep and return by customer the contacts after `since` in the journeys that are theirs now."""
    rows = await connection.fetch(
        "SELECT journey_id FROM alerts.journeys WHERE customer_id = ANY($1) AND merged_into IS NULL", list(customers)
    )
    held = {key: j for key, j in (await journey_store.find(connection, [r["journey_id"] for r in rows])).items() if j}
    if not held:
        return {}
    await _keep_contacts(connection, held.values(), since)
    names = await journey_store.names_of(connection, held)
    now_in = await current_journeys(connection, names)
    contacts = await connection.fetch(
        "SELECT journey_id, at, contact_count FROM alerts.watched_contacts WHERE journey_id = ANY($1) AND at > $2",
        *(names, since),
    )
    found: dict[str, list[Recontact]] = {}
    for row in contacts:
        journey = held.get(now_in.get(row["journey_id"], ""))
        if journey is not None:
            matter = Matter(journey_id=journey.id, reason=journey.reason, refs=dict(journey.refs))
            fact = Recontact(at=row["at"], matter=matter, contact_count=row["contact_count"])
            found.setdefault(journey.customer_id, []).append(fact)
    return found


async def _keep_contacts(connection: Connection, journeys: Iterable[JourneyNow], since: datetime) -> None:
    contacts = [
        (journey.id, step.occurred_at, step.kind, journey.contact_count)
        for journey in journeys
        for step in journey.latest
        if step.occurred_at > since and step.direction == "inbound" and kinds.load().is_contact(step.kind)
    ]
    if contacts:
        await connection.execute(
            """
            INSERT INTO alerts.watched_contacts (journey_id, at, kind, contact_count)
            SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::int[]) ORDER BY 1, 2, 3
            ON CONFLICT DO NOTHING
            """,
            *columns(sorted(contacts)),
        )
