"""Writes rows of the journey schema by hand, so that reading them can be tested without a worker."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import orjson

from services.runtime.postgres.pools import Pool, acquire

SPACE = UUID("8c9e2f7a-3a52-4c57-9b1e-5f0f4c4a7f11")
START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def named(name: str) -> UUID:
    """An id that a test can write down by name."""
    return uuid5(SPACE, name)


def at(minutes: float) -> datetime:
    """So many minutes after the story begins."""
    return START + timedelta(minutes=minutes)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(slots=True)
class Rows:
    """Inserts into one database; every method takes what matters to a test and fills in the rest."""

    pool: Pool
    _counter: "itertools.count[int]" = field(default_factory=itertools.count)

    async def customer(self, name: str, *, merged_into: str | None = None, level: str | None = None) -> UUID:
        """A customer, perhaps absorbed by another."""
        into = None if merged_into is None else named(merged_into)
        await self._execute(
            "INSERT INTO journey.customers (customer_id, merged_into, merged_at, service_level, first_at, last_at) "
            "VALUES ($1, $2, CASE WHEN $2::uuid IS NULL THEN NULL ELSE now() END, $3, $4, $5)",
            named(name),
            into,
            level,
            at(0),
            at(60),
        )
        return named(name)

    async def identifier(self, owner: str, kind: str, value: str, *, verified: bool = False) -> None:
        """An identifier that points to a customer."""
        await self._execute(
            "INSERT INTO journey.identifiers (type, value, customer_id, verified, first_seen, last_seen) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            kind,
            value,
            named(owner),
            verified,
            at(0),
            at(60),
        )

    async def touchpoint(self, owner: str, id_: str, minutes: float, **rest: Any) -> None:
        """A touchpoint of a customer, in a journey when `journey` names one."""
        journey = rest.pop("journey", None)
        late = rest.pop("late", False)
        document = {
            "id": id_,
            "source": "ivr",
            "occurred_at": _text(at(minutes)),
            "received_at": _text(at(minutes + 1)),
            "channel": "phone",
            "kind": "call_ended",
            "customer": {"phone": {"value": "+821012345678", "verified": False}},
            **rest,
        }
        await self._execute(
            "INSERT INTO journey.touchpoints (source, id, customer_id, journey_id, occurred_at, received_at, "
            "appended_at, sequence, channel, kind, late, payload) "
            "VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11)",
            document["source"],
            id_,
            named(owner),
            None if journey is None else named(journey),
            at(minutes),
            at(minutes + 1),
            document.get("sequence", 0),
            document["channel"],
            document["kind"],
            late,
            orjson.dumps(document).decode(),
        )

    async def journey(self, owner: str, name: str, **rest: Any) -> UUID:
        """A journey of a customer; later calls are created later."""
        created = at(next(self._counter))
        state = rest.pop("state", "open")
        document = {
            "id": str(named(name)),
            "version": 1,
            "state": state,
            "customer_id": str(named(owner)),
            "opened_at": _text(at(0)),
            "last_at": _text(at(60)),
            "updated_at": _text(at(61)),
            "touchpoint_count": 2,
            "contact_count": 2,
            "friction_count": 1,
            "effort": 10,
            "channels": ["phone"],
            **rest,
        }
        await self._execute(
            "INSERT INTO journey.journeys (journey_id, customer_id, version, state, reason, started_at, last_at, "
            "closed_at, effort, effort_parts, created_at, updated_at, digest, payload) "
            "VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12)",
            named(name),
            named(owner),
            state,
            rest.get("reason"),
            at(0),
            at(60),
            at(60) if state == "closed" else None,
            document["effort"],
            orjson.dumps([{"factor": "repeat_contact", "count": 1, "points": document["effort"]}]).decode(),
            created,
            b"0" * 16,
            orjson.dumps(document).decode(),
        )
        return named(name)

    async def alias(self, owner: str, name: str, *, merged_into: str | None) -> None:
        """An id of a journey that is another's now, or nobody's."""
        await self._execute(
            "INSERT INTO journey.journey_aliases (journey_id, merged_into, customer_id) VALUES ($1, $2, $3)",
            named(name),
            None if merged_into is None else named(merged_into),
            named(owner),
        )

    async def friction(self, owner: str, name: str, evidence: list[str], **rest: Any) -> UUID:
        """A friction with touchpoint ids of the source `ivr` as evidence."""
        journey = rest.pop("journey", None)
        document = {
            "id": str(named(name)),
            "rule": "repeat_contact_24h",
            "rule_version": 1,
            "state": "detected",
            "revision": 1,
            "severity": "high",
            "customer_id": str(named(owner)),
            "anchor": {"source": "ivr", "touchpoint_id": evidence[-1]},
            "occurred_at": _text(at(30)),
            "detected_at": _text(at(31)),
            "channel": "phone",
            "touchpoints": [{"source": "ivr", "id": one} for one in evidence],
            "title": {"en": "Contacted us again", "ko": "다시 연락함"},
            "explanation": {"en": "Two contacts in a day.", "ko": "하루에 두 번 연락했습니다."},
            "refs": {"case_id": "T-77"},
            "evidence": {"contacts": len(evidence)},
            **rest,
        }
        await self._execute(
            "INSERT INTO journey.frictions (friction_id, customer_id, journey_id, rule, rule_version, state, revision, "
            "severity, channel, occurred_at, detected_at, digest, payload) "
            "VALUES ($1, $2, $3, $4, 1, $5, 1, $6, 'phone', $7, $8, $9, $10)",
            named(name),
            named(owner),
            None if journey is None else named(journey),
            document["rule"],
            document["state"],
            document["severity"],
            at(30),
            at(31),
            b"0" * 16,
            orjson.dumps(document).decode(),
        )
        return named(name)

    async def _execute(self, statement: str, *values: Any) -> None:
        async with acquire(self.pool) as connection:
            await connection.execute(statement, *values)
