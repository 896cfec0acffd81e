"""Every step that progress took, as the database itself saw it: a trigger writes down each move of an offset.

The final state cannot tell whether an offset ever went back or was jumped over; the steps can.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from tests.faults.checker import Check, verdict

_INSTALL = """
CREATE SCHEMA lab;
CREATE TABLE lab.steps (
    number bigserial PRIMARY KEY, line text, topic text, partition int, was bigint, now bigint, epoch bigint,
    owner text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION lab.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lab.steps (line, topic, partition, was, now, epoch, owner)
    VALUES (new.line, new.topic, new.partition, old.next_offset, new.next_offset, new.epoch, new.owner);
    RETURN NULL;
END $$;
CREATE TRIGGER steps AFTER UPDATE ON journey.progress FOR EACH ROW
    WHEN (old.next_offset IS DISTINCT FROM new.next_offset) EXECUTE FUNCTION lab.note();
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move of one partition's offset: from `was` to `now`, by whom, under which claim."""

    line: str
    partition: int
    was: int
    now: int
    epoch: int
    owner: str


def install(database: str) -> None:
    """Write down every step from now on."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(_INSTALL)


def read(database: str) -> list[Step]:
    """All steps, in the order in which they were taken."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT line, partition, was, now, epoch, owner FROM lab.steps ORDER BY number")
        return [Step(line=r[0], partition=r[1], was=r[2], now=r[3], epoch=r[4], owner=r[5]) for r in rows]


def check(steps: Sequence[Step]) -> Check:
    """Offsets only rise, each step begins where the one before ended, and no older claim follows a newer one."""
    problems: list[str] = []
    tracks: defaultdict[tuple[str, int], list[Step]] = defaultdict(list)
    for step in steps:
        tracks[step.line, step.partition].append(step)
    for (_, partition), track in tracks.items():
        at, epoch = track[0].was, 0
        for step in track:
            if step.was != at or step.now <= step.was or step.epoch < epoch:
                problems.append(f"partition {partition}: {at} (epoch {epoch}), then {step}")
            at, epoch = step.now, step.epoch
    owners = len({step.owner for step in steps})
    counted = f"{len(steps)} steps of {len(tracks)} partitions by {owners} workers"
    return verdict("applied offsets rise step by step, none skipped, none taken twice", problems, counted)
