"""How often self-service was enough, and where customers turn to people: sums of the steps of journeys.

A journey comes into self-service with a step to one of its channels from anywhere else, and is handed over with a step
from there to a contact on another channel. One that stays, or ends, needed nobody.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.journey.read.aggregates.path_spans import covering, whole_hours
from services.runtime.postgres.pools import Connection

SELF_SERVICE: Final = ("web", "app", "ivr", "kiosk")
"""Channels on which a customer helps themselves."""

_STEPS: Final = """
WITH folded AS (
    SELECT p.step_id, sum(p.steps) AS steps, sum(p.frictions) AS frictions
      FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS r (span, since, until)
      JOIN journey.path_counts AS p
        ON p.span = r.span::"char" AND p.since >= coalesce(r.since, '-infinity')
       AND p.since < coalesce(r.until, 'infinity')
     GROUP BY p.step_id
), steps AS (
    SELECT s.from_channel, s.to_channel, s.to_kind, f.steps, f.frictions
      FROM folded AS f JOIN journey.path_steps AS s USING (step_id)
    UNION ALL
    SELECT from_channel, to_channel, to_kind, steps, frictions FROM journey.path_changes WHERE hour >= $4
)
SELECT from_channel, to_channel, to_kind = ANY($5) AS contact,
       sum(steps)::bigint AS steps, sum(frictions)::bigint AS frictions
  FROM steps WHERE to_channel <> '' GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelContacts:
    """Touchpoints of one channel with which customers turned to the company, and those of them at which it got hard."""

    touchpoints: int = 0
    hard: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelUse:
    """Journeys that came into each channel of self-service and went on from it to people; contacts by channel."""

    entered: Mapping[str, int]
    handed_over: Mapping[str, int]
    contacts: Mapping[str, ChannelContacts]


async def read_channel_use(connection: Connection, since: datetime, contact_kinds: Collection[str]) -> ChannelUse:
    """Return the sums from the beginning of the hour of `since` on."""
    begin, _ = whole_hours(since, None)
    spans = covering(begin, None)
    columns = [one.span for one in spans], [one.since for one in spans], [one.until for one in spans]
    rows = await connection.fetch(_STEPS, *columns, begin, list(contact_kinds))
    entered, handed_over = dict.fromkeys(SELF_SERVICE, 0), dict.fromkeys(SELF_SERVICE, 0)
    contacts: dict[str, ChannelContacts] = {}
    for came, to, is_contact, steps, hard in rows:
        if to in entered and came not in entered:
            entered[to] += steps
        if is_contact and came in entered and to not in entered:
            handed_over[came] += steps
        if is_contact:
            before = contacts.get(to, ChannelContacts())
            contacts[to] = ChannelContacts(touchpoints=before.touchpoints + steps, hard=before.hard + hard)
    return ChannelUse(entered=entered, handed_over=handed_over, contacts=contacts)
