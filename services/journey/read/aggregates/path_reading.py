"""Reads the graph of paths: sums of the counts and of what is not folded into them yet, in one snapshot."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from services.journey.domain.paths import CLOSED, DROPPED, NO_GAP, gap_quantile
from services.journey.read.aggregates.path_spans import covering, whole_hours
from services.journey.read.aggregates.path_views import (
    PathEdgeView,
    PathEndView,
    PathNodeView,
    PathSegmentView,
    PathsView,
    SegmentsView,
)
from services.journey.read.snapshots import snapshot
from services.runtime.postgres.pools import Pool, Row


class SegmentBy(StrEnum):
    """What tells segments apart."""

    CHANNEL = "channel"
    KIND = "kind"
    REASON = "reason"
    SERVICE_LEVEL = "service_level"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFilter:
    """Which steps are asked for; None does not filter. A channel and a kind must be those of one end of a step.

    With a `rule`, frictions are those of this rule alone; steps are the same.
    """

    since: datetime | None = None
    until: datetime | None = None
    channel: str | None = None
    kind: str | None = None
    reason: str | None = None
    service_level: str | None = None
    rule: str | None = None


_FOLDED: Final = """
    SELECT p.step_id, p.bucket, {sums}
      FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS r (span, since, until)
      JOIN journey.{table}_counts AS p
        ON p.span = r.span::"char" AND p.since >= coalesce(r.since, '-infinity')
       AND p.since < coalesce(r.until, 'infinity')
     GROUP BY p.step_id, p.bucket"""
_HOURS: Final = "hour >= coalesce($4::timestamptz, '-infinity') AND hour < coalesce($5::timestamptz, 'infinity')"
_ENDS: Final = "from_channel, from_kind, to_channel, to_kind, reason, service_level"
_ALL_STEPS: Final = """
    SELECT {ends}, bucket, f.steps, {frictions} AS frictions, f.gap_us
      FROM folded AS f JOIN journey.path_steps USING (step_id)
    UNION ALL
    SELECT {ends}, bucket, steps, {frictions}, gap_us FROM journey.path_changes WHERE {hours}"""
_OF_ONE_RULE: Final = """
    UNION ALL
    SELECT {ends}, bucket, 0, f.frictions, 0
      FROM folded_rules AS f JOIN journey.path_rule_steps USING (step_id) WHERE rule = $10
    UNION ALL
    SELECT {ends}, bucket, 0, frictions, 0 FROM journey.path_rule_changes WHERE rule = $10 AND {hours}"""
_SUMS: Final = """
WITH folded AS ({folded}
), folded_rules AS ({folded_rules}
), steps AS ({steps}
)
SELECT {group}, bucket, sum(steps)::bigint AS steps, sum(frictions)::bigint AS frictions, sum(gap_us)::bigint AS gap_us
  FROM steps
 WHERE (($6::text IS NULL OR from_channel = $6) AND ($7::text IS NULL OR from_kind = $7)
        OR ($6::text IS NULL OR to_channel = $6) AND ($7::text IS NULL OR to_kind = $7))
   AND ($8::text IS NULL OR reason = $8) AND ($9::text IS NULL OR service_level = $9)
 GROUP BY {group}, bucket HAVING sum(steps) <> 0 OR sum(frictions) <> 0
"""


def _summed(*columns: str) -> str:
    return ", ".join(f"sum(p.{one}) AS {one}" for one in columns)


def _statement(group: str, *, one_rule: bool) -> str:
    """Return the query of steps by these columns, with the frictions of every rule or of one."""
    steps = _ALL_STEPS.format(ends=_ENDS, hours=_HOURS, frictions="0" if one_rule else "frictions")
    return _SUMS.format(
        group=group,
        folded=_FOLDED.format(table="path", sums=_summed("steps", "frictions", "gap_us")),
        folded_rules=_FOLDED.format(table="path_rule", sums=_summed("frictions")),
        steps=steps + (_OF_ONE_RULE.format(ends=_ENDS, hours=_HOURS) if one_rule else ""),
    )


class _Question(NamedTuple):
    """The statements of one question: with the frictions of every rule, and with those of one."""

    of_all: str
    of_one_rule: str


def _by(group: str) -> _Question:
    return _Question(_statement(group, one_rule=False), _statement(group, one_rule=True))


_OF_PATHS: Final = _by("from_channel, from_kind, to_channel, to_kind")
_OF_SEGMENTS: Final = {
    SegmentBy.CHANNEL: _OF_PATHS,
    SegmentBy.KIND: _OF_PATHS,
    SegmentBy.REASON: _by("reason, from_channel, from_kind, to_channel, to_kind"),
    SegmentBy.SERVICE_LEVEL: _by("service_level, from_channel, from_kind, to_channel, to_kind"),
}

_End = tuple[str, str]


@dataclass(slots=True)
class _Sum:
    """Steps that are counted together; `gap_us` is microseconds, `buckets` has the steps of each."""

    steps: int = 0
    frictions: int = 0
    gap_us: int = 0
    timed: int = 0
    buckets: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, row: Row) -> None:
        self.steps += row["steps"]
        self.frictions += row["frictions"]
        if row["bucket"] != NO_GAP:
            self.gap_us += row["gap_us"]
            self.timed += row["steps"]
            self.buckets[row["bucket"]] += row["steps"]

    def quantile(self, share: float) -> float | None:
        return _rounded(gap_quantile(list(self.buckets.items()), share))

    @property
    def mean_s(self) -> float | None:
        return self.gap_us / 1_000_000 / self.timed if self.timed else None


@dataclass(slots=True)
class _NodeSum:
    """What is known of one kind of touchpoint, or of one segment."""

    into: _Sum = field(default_factory=_Sum)
    begun: int = 0
    closed: int = 0
    dropped: int = 0

    def add(self, row: Row) -> None:
        if (row["to_channel"], row["to_kind"]) in {("", CLOSED), ("", DROPPED)}:
            self.closed += row["steps"] if row["to_kind"] == CLOSED else 0
            self.dropped += row["steps"] if row["to_kind"] == DROPPED else 0
            return
        self.into.add(row)
        if not row["from_channel"]:
            self.begun += row["steps"]


class PathReader:
    """Reads paths and segments from one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def paths(self, wanted: PathFilter, limit: int) -> PathsView:
        """Return the graph with its `limit` most frequent nodes and edges."""
        rows = await self._rows(_OF_PATHS, wanted)
        edges: defaultdict[tuple[_End, _End], _Sum] = defaultdict(_Sum)
        leaving: defaultdict[_End, int] = defaultdict(int)
        nodes: defaultdict[_End, _NodeSum] = defaultdict(_NodeSum)
        for row in rows:
            origin, to = (row["from_channel"], row["from_kind"]), (row["to_channel"], row["to_kind"])
            edges[origin, to].add(row)
            leaving[origin] += row["steps"]
            node = origin if not to[0] else to
            if _matches(node, wanted):
                nodes[node].add(row)
        since, until = whole_hours(wanted.since, wanted.until)
        ranked_edges = sorted(edges.items(), key=lambda item: (-item[1].steps, item[0]))
        ranked_nodes = sorted(nodes.items(), key=lambda item: (-item[1].into.steps, item[0]))
        narrowed = wanted.channel is not None or wanted.kind is not None
        return PathsView(
            **{"from": since, "to": until},
            touchpoints=sum(node.into.steps for node in nodes.values()),
            nodes=[_node(*name, found) for name, found in ranked_nodes[:limit]],
            edges=[
                _edge(name, found, leaving if not narrowed or _matches(name[0], wanted) else {})
                for name, found in ranked_edges[:limit]
            ],
            nodes_left_out=max(0, len(ranked_nodes) - limit),
            edges_left_out=max(0, len(ranked_edges) - limit),
        )

    async def segments(self, by: SegmentBy, wanted: PathFilter, limit: int) -> SegmentsView:
        """Return the `limit` largest segments."""
        segments: defaultdict[str, _NodeSum] = defaultdict(_NodeSum)
        for row in await self._rows(_OF_SEGMENTS[by], wanted):
            at = (
                (row["from_channel"], row["from_kind"])
                if not row["to_channel"]
                else (row["to_channel"], row["to_kind"])
            )
            if not _matches(at, wanted):
                continue
            name = {SegmentBy.CHANNEL: at[0], SegmentBy.KIND: at[1]}.get(by)
            segments[row[by] if name is None else name].add(row)
        ranked = sorted(segments.items(), key=lambda item: (-item[1].into.steps, item[0]))
        since, until = whole_hours(wanted.since, wanted.until)
        return SegmentsView(
            **{"from": since, "to": until},
            by=by,
            segments=[_segment(name, found) for name, found in ranked[:limit]],
            segments_left_out=max(0, len(ranked) - limit),
        )

    async def _rows(self, question: _Question, wanted: PathFilter) -> Sequence[Row]:
        since, until = whole_hours(wanted.since, wanted.until)
        spans = covering(since, until)
        columns = [one.span for one in spans], [one.since for one in spans], [one.until for one in spans]
        narrowed = wanted.channel, wanted.kind, wanted.reason, wanted.service_level
        common = *columns, since, until, *narrowed
        async with snapshot(self._pool) as connection:
            if wanted.rule is None:
                return await connection.fetch(question.of_all, *common)
            return await connection.fetch(question.of_one_rule, *common, wanted.rule)


def _matches(end: _End, wanted: PathFilter) -> bool:
    return wanted.channel in {None, end[0]} and wanted.kind in {None, end[1]}


def _edge(name: tuple[_End, _End], found: _Sum, leaving: Mapping[_End, int]) -> PathEdgeView:
    origin, to = name
    whole = leaving.get(origin)
    return PathEdgeView(
        **{"from": _end(origin)},
        to=_end(to),
        count=found.steps,
        share=_rounded(found.steps / whole) if whole else None,
        frictions=found.frictions,
        friction_rate=_rate(found.frictions, found.steps),
        gap_mean_s=_rounded(found.mean_s),
        gap_p50_s=found.quantile(0.5),
        gap_p95_s=found.quantile(0.95),
    )


def _end(end: _End) -> PathEndView:
    return PathEndView(channel=end[0] or None, kind=end[1])


def _node(channel: str, kind: str, found: _NodeSum) -> PathNodeView:
    return PathNodeView(
        channel=channel,
        kind=kind,
        touchpoints=found.into.steps,
        begun=found.begun,
        closed=found.closed,
        dropped=found.dropped,
        frictions=found.into.frictions,
        friction_rate=_rate(found.into.frictions, found.into.steps),
    )


def _segment(name: str, found: _NodeSum) -> PathSegmentView:
    ended = found.closed + found.dropped
    return PathSegmentView(
        value=name or None,
        touchpoints=found.into.steps,
        begun=found.begun,
        closed=found.closed,
        dropped=found.dropped,
        drop_rate=_rate(found.dropped, ended) if ended else None,
        frictions=found.into.frictions,
        friction_rate=_rate(found.into.frictions, found.into.steps),
        gap_p50_s=found.into.quantile(0.5),
        gap_p95_s=found.into.quantile(0.95),
    )


def _rate(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
