"""Checks of PostgreSQL: does it answer, tables, clocks, and what the services left in it for somebody to look at."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import psycopg

from schemas import topics
from services.runtime.reach import postgres_url
from waymark.console import masked
from waymark.doctor.finding import Finding, broken, fine, look
from waymark.migrate import status

CONNECT_S = 5
MOST_SKEW_S = 2.0
STALE_S = 60
OLDEST_POSTGRES = 150_000


def examine_postgres(url: str, line: str, now: Callable[[], datetime]) -> Iterable[Finding]:
    """Every finding about the database. `line` is the log's, empty where Kafka does not answer."""
    if problems := postgres_url.problems(url):
        detail = "; ".join(f"WAYMARK_POSTGRES: {problem}" for problem in problems)
        yield broken("postgres", detail, "correct this variable")
        return
    try:
        connection = psycopg.connect(url, connect_timeout=CONNECT_S, application_name="waymark-doctor")
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        fix = "start it (`waymark up` brings one), or set WAYMARK_POSTGRES to its URL"
        yield broken("postgres", f"{masked(url)} cannot be used: {reason}", fix)
        return
    with connection:
        connection.autocommit = True
        yield _version(connection, url)
        yield _clock(connection, now)
        migrations = _migrations(url)
        yield migrations
        if not migrations.fix:
            yield from _state(connection, line)


def _version(connection: psycopg.Connection, url: str) -> Finding:
    version = connection.info.server_version
    detail = f"{masked(url)} answers, version {version // 10_000}.{version % 10_000}"
    if version < OLDEST_POSTGRES:
        return broken("postgres", detail, "Waymark needs PostgreSQL 15 or newer")
    return fine("postgres", detail)


def _clock(connection: psycopg.Connection, now: Callable[[], datetime]) -> Finding:
    """The database's time against ours, taken on both sides of the question."""
    before = now()
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    after = now()
    theirs = row[0] if row else before
    skew = abs((theirs.astimezone(UTC) - before - (after - before) / 2).total_seconds())
    if skew > MOST_SKEW_S:
        return look("clock", f"this machine and PostgreSQL differ by {skew:.1f} s", "let both follow NTP")
    return fine("clock", f"within {max(skew, 0.001):.3f} s of PostgreSQL's")


def _migrations(url: str) -> Finding:
    found = status(url)
    if found.up_to_date:
        return fine("migrations", ", ".join(found.current))
    there = ", ".join(found.current) or "none"
    return broken("migrations", f"there: {there}; wanted: {', '.join(found.wanted)}", "run `waymark migrate`")


def _state(connection: psycopg.Connection, line: str) -> Iterable[Finding]:
    yield _partitions(connection, line)
    yield _counted(
        connection,
        "dead letters",
        "SELECT (SELECT count(*) FROM journey.dead_letters WHERE requeued_at IS NULL)"
        " + (SELECT count(*) FROM alerts.dead_letters WHERE requeued_at IS NULL)",
        "records could not be applied",
        "waymark dlq list",
    )
    yield _counted(
        connection,
        "rules",
        "SELECT count(DISTINCT rule) FROM journey.rule_failures",
        "rules failed for some customers",
        "see journey.rule_failures and the worker's log; mend the rule and restart the worker",
    )
    yield _counted(
        connection,
        "outbox",
        "SELECT count(*) FROM"
        " (SELECT created_at FROM journey.outbox WHERE published_at IS NULL"
        "  UNION ALL SELECT created_at FROM alerts.issue_outbox WHERE published_at IS NULL) AS waiting"
        " WHERE created_at < now() - interval '1 minute'",
        "records wait for more than a minute to be published",
        "see whether Kafka takes writes, and the logs of the journey worker and alerts",
    )


def _counted(connection: psycopg.Connection, name: str, question: str, what: str, fix: str) -> Finding:
    row = connection.execute(question.encode()).fetchone()
    count = int(row[0]) if row else 0
    return look(name, f"{count} {what}", fix) if count else fine(name, f"0 {what}")


def _partitions(connection: psycopg.Connection, line: str) -> Finding:
    """Partitions that hold the horizon back: timers do not fire while one of them has no recent mark."""
    topic = topics.load()["touchpoints"]
    if not line:
        return look("partitions", "unknown while Kafka does not answer", "see kafka above")
    rows = connection.execute(
        """SELECT partition, extract(epoch FROM clock_timestamp() - greatest(applied_append_time, caught_up_at))
             FROM journey.progress WHERE line = %s AND topic = %s""",
        (line, topic.name),
    ).fetchall()
    behind: dict[int, float | None] = dict(rows)
    never = [number for number in range(topic.partitions) if behind.get(number) is None]
    stale = [number for number, age in behind.items() if age is not None and age > STALE_S]
    if never or stale:
        told = [f"never applied: {_list(never)}"] if never else []
        told += [f"behind by more than {STALE_S} s: {_list(stale)}"] if stale else []
        fix = "see that enough journey workers run and are ready; timers wait for these partitions"
        return look("partitions", f"{'; '.join(told)} (of {topic.partitions})", fix)
    return fine("partitions", f"all {topic.partitions} followed to within {STALE_S} s")


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
