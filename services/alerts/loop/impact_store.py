"""Counts what `impact` compares. Issues of replays, and those of which no friction stands, do not count."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.alerts.loop.impact import (
    Impact,
    ImpactPeriods,
    ImpactScope,
    PeriodFigures,
    compare_figures,
    find_caveats,
    find_periods,
)
from services.alerts.loop.intervals import Sample
from services.runtime.postgres.pools import Connection, Row

_INSIDE = """
       ({rule}) AND ($5::text IS NULL OR {team} = $5) AND ($6::text IS NULL OR i.document ->> 'reason' = $6)
   AND ($7::text IS NULL OR i.channel = $7) AND ($8::text IS NULL OR i.document ->> 'service_level' = $8)
"""
_TEAM = "i.document ->> 'team'"
_OF_ISSUE = _INSIDE.format(rule="$4::text IS NULL OR $4 = ANY(i.rules)", team=_TEAM)
OF_FRICTION = _INSIDE.format(rule="$4::text IS NULL OR $4 = f.document ->> 'rule'", team=_TEAM)
_OF_WATCH = _INSIDE.format(rule="$4::text IS NULL OR $4 = ANY(w.rules)", team="w.team")
_COUNTED = "i.last_at >= $1 AND i.count > 0 AND i.document ->> 'loud_severity' IS NOT NULL"

_ISSUES = f"""
SELECT coalesce(({_OF_ISSUE}), false) AS inside, at >= $2 AS later, count(effort) AS efforts, avg(effort) AS effort,
       var_samp(effort) AS effort_variance, count(contacts) AS contacted, avg(contacts)::float8 AS contacts,
       var_samp(contacts)::float8 AS contacts_variance
  FROM alerts.issues i
 CROSS JOIN LATERAL (SELECT (i.document ->> 'first_at')::timestamptz AS at,
                            (i.document #>> '{{journey,effort}}')::float8 AS effort,
                            (i.document #>> '{{journey,contact_count}}')::int AS contacts) own
 WHERE {_COUNTED} AND at >= $1 AND at < $3 GROUP BY 1, 2
"""  # noqa: S608  made of constants of ours alone
_VALUES = f"""
SELECT coalesce(({_OF_ISSUE}), false) AS inside, floor(extract(epoch FROM at - $1) / 86400)::int AS day, currency,
       sum(amount) AS total, count(*) AS n
  FROM alerts.issues i
 CROSS JOIN LATERAL (SELECT (i.document ->> 'first_at')::timestamptz AS at,
                            (i.document #>> '{{journey,value,amount}}')::float8 AS amount,
                            i.document #>> '{{journey,value,currency}}' AS currency) own
 WHERE {_COUNTED} AND at >= $1 AND at < $3 AND $2::timestamptz IS NOT NULL AND amount IS NOT NULL GROUP BY 1, 2, 3
"""  # noqa: S608  made of constants of ours alone
_FRICTIONS = f"""
SELECT coalesce(({OF_FRICTION}), false) AS inside, floor(extract(epoch FROM at - $1) / 86400)::int AS day,
       count(*) AS n
  FROM alerts.issues i JOIN alerts.frictions f USING (issue_id)
 CROSS JOIN LATERAL (SELECT (f.document ->> 'occurred_at')::timestamptz AS at) own
 WHERE {_COUNTED} AND f.state = 'detected' AND at >= $1 AND at < $3 AND $2::timestamptz IS NOT NULL GROUP BY 1, 2
"""  # noqa: S608  made of constants of ours alone
_WATCHES = f"""
SELECT coalesce(({_OF_WATCH}), false) AS inside, w.resolved_at >= $2 AS later,
       count(*) FILTER (WHERE w.until_at <= $9 AND w.state = 'recontacted') AS recontacted,
       count(*) FILTER (WHERE w.until_at <= $9) AS decided, count(*) FILTER (WHERE w.until_at > $9) AS watching
  FROM alerts.watches w JOIN alerts.issues i USING (issue_id)
 WHERE w.resolved_at >= $1 AND w.resolved_at < $3 AND w.state <> 'void' GROUP BY 1, 2
"""  # noqa: S608  made of constants of ours alone


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """The rows of all queries."""

    issues: list[Row]
    values: list[Row]
    frictions: list[Row]
    watches: list[Row]


async def measure_impact(
    connection: Connection, scope: ImpactScope, *, at: datetime, days: int, now: datetime
) -> Impact:
    """Compare the time before `at` with the time after it, at most `days` each.

    Raises:
        TooEarlyError: not a day has passed since then.
    """
    periods = find_periods(at, days, now)
    where = (scope.rule, scope.team, scope.reason, scope.channel, scope.service_level)
    arguments = (periods.start, periods.at, periods.end, *where)
    counted = _Counted(
        issues=await connection.fetch(_ISSUES, *arguments),
        values=await connection.fetch(_VALUES, *arguments),
        frictions=await connection.fetch(_FRICTIONS, *arguments),
        watches=await connection.fetch(_WATCHES, *arguments, now),
    )
    currencies = _currencies(counted)
    currency = max(currencies, key=lambda name: (currencies[name], name), default=None)
    before, after = (_figures(counted, periods, currency, inside=True, later=later) for later in (False, True))
    changes = compare_figures(before, after)
    elsewhere = (
        ()
        if scope.everything
        else compare_figures(
            _figures(counted, periods, currency, inside=False, later=False),
            _figures(counted, periods, currency, inside=False, later=True),
        )
    )
    watching = sum(row["watching"] for row in counted.watches if row["inside"])
    return Impact(
        periods=periods,
        scope=scope,
        changes=changes,
        elsewhere=elsewhere,
        caveats=find_caveats(periods, days, changes, watching=watching, currencies=currencies),
        frictions_before=tuple(before.frictions),
        frictions_after=tuple(after.frictions),
        currency=currency,
    )


def _currencies(counted: _Counted) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for row in counted.values:
        if row["inside"]:
            found[row["currency"]] += row["n"]
    return found


def _figures(
    counted: _Counted, periods: ImpactPeriods, currency: str | None, *, inside: bool, later: bool
) -> PeriodFigures:
    """Return the figures of one period, inside of what is compared or outside."""
    first = periods.days if later else 0
    frictions, values = [0] * periods.days, [0.0] * periods.days
    for row in counted.frictions:
        if row["inside"] is inside and 0 <= row["day"] - first < periods.days:
            frictions[row["day"] - first] += row["n"]
    for row in counted.values:
        if row["inside"] is inside and row["currency"] == currency and 0 <= row["day"] - first < periods.days:
            values[row["day"] - first] += row["total"]
    issues = next((r for r in counted.issues if r["inside"] is inside and r["later"] is later), None)
    watches = next((r for r in counted.watches if r["inside"] is inside and r["later"] is later), None)
    return PeriodFigures(
        frictions=frictions,
        values=values,
        recontacted=watches["recontacted"] if watches else 0,
        decided=watches["decided"] if watches else 0,
        effort=_sample(issues, "efforts", "effort"),
        contacts=_sample(issues, "contacted", "contacts"),
    )


def _sample(row: Row | None, number: str, name: str) -> Sample:
    if row is None or not row[number]:
        return Sample(number=0, mean=0.0, variance=None)
    return Sample(number=row[number], mean=row[name], variance=row[f"{name}_variance"])
