"""Counts the frictions of a batch, opens outbreaks, and lets them hold issues, in the transaction of the batch.

The caller has locked the issues of the batch. Counting serialises replicas on the rows of counts, opening on the row of
the key: two never open the same outbreak, and whatever a `kill -9` leaves was either counted with its effects or not.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.alerts.issues import issue_store
from services.alerts.issues.model import IssueChange, OutbreakFacts, ReportedFriction
from services.alerts.issues.placement import PlacementContext, PlacementPlan
from services.alerts.outbreaks import outbreak_store as store
from services.alerts.outbreaks.detection import (
    LEARNED_AFTER,
    WARM_UP,
    WINDOW,
    OutbreakKey,
    OutbreakLimits,
    counted,
    key_of_text,
    keys_of,
    outbreak_to_join,
    threshold,
    usual_in_window,
)
from services.alerts.outbreaks.outbreak_holding import hold, outbreak_fingerprint, outbreak_issue, reopened_outbreak
from services.alerts.outbreaks.outbreak_store import OpenOutbreak, minute_of
from services.runtime.postgres.pools import Connection

AGAIN_WITHIN = timedelta(hours=1)
"""An outbreak that comes back so soon is the same one: a cause that flaps is told once more, not anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutbreakGate:
    """Stands between placing frictions and telling people."""

    limits: OutbreakLimits
    new_id: Callable[[], UUID]

    async def pass_through(
        self, connection: Connection, context: PlacementContext, plan: PlacementPlan, now: datetime
    ) -> tuple[IssueChange, ...]:
        """Return the changes of `plan`, held where an outbreak holds them, behind those of outbreaks that open."""
        retracted = [p.friction.id for p in plan.frictions if not p.friction.stands]
        if retracted:
            await store.remove_frictions(connection, retracted)
        arrivals = _Arrivals.of(context, plan)
        if not arrivals.frictions:
            return plan.changes
        work = _Counting(connection, self, arrivals, frozenset(retracted), now)
        await work.count()
        openings = await work.open_new()
        await work.assign()
        return (
            *openings,
            *(hold(change, arrivals.of_issue.get(change.after.id, ()), work.belongs) for change in plan.changes),
        )


@dataclass(frozen=True, slots=True)
class _Arrivals:
    """The frictions of a batch that are new and loud: those that count, and all of each issue."""

    frictions: list[ReportedFriction]
    of_issue: Mapping[UUID, list[ReportedFriction]]

    @classmethod
    def of(cls, context: PlacementContext, plan: PlacementPlan) -> "_Arrivals":
        """Return the arrivals of a plan."""
        of_issue: defaultdict[UUID, list[ReportedFriction]] = defaultdict(list)
        for placed in plan.frictions:
            friction = placed.friction
            if friction.stands and not friction.quiet and placed.issue_id and friction.id not in context.frictions:
                of_issue[placed.issue_id].append(friction)
        return cls([friction for held in of_issue.values() for friction in counted(held)], of_issue)


@dataclass(slots=True)
class _Counting:
    """The counting of one batch."""

    connection: Connection
    gate: OutbreakGate
    arrivals: _Arrivals
    retracted: frozenset[str]
    now: datetime
    running: dict[str, OpenOutbreak] = field(default_factory=dict)
    belongs: dict[str, UUID] = field(default_factory=dict)

    async def count(self) -> None:
        """Count every friction under each of its keys; what belongs to a young outbreak is not usual."""
        counts: Counter[tuple[str, datetime]] = Counter()
        held: Counter[tuple[str, datetime]] = Counter()
        keys = {key.text for friction in self.arrivals.frictions for key in keys_of(friction)}
        self.running = await store.open_outbreaks(self.connection, keys)
        for friction in self.arrivals.frictions:
            outbreak = self._outbreak_of(friction)
            unusual = outbreak is not None and self.now - outbreak.opened_at < LEARNED_AFTER
            for key in keys_of(friction):
                counts[key.text, minute_of(friction)] += 1
                held[key.text, minute_of(friction)] += unusual
        await store.count(self.connection, counts, held)

    def _outbreak_of(self, friction: ReportedFriction) -> OpenOutbreak | None:
        return next((self.running[key.text] for key in keys_of(friction) if key.text in self.running), None)

    async def open_new(self) -> list[IssueChange]:
        """Open outbreaks for the keys of which far more came than is usual, and return the changes of their issues."""
        windows = await self._busy_windows()
        suspects = sorted(map(key_of_text, windows))
        if not suspects:
            return []
        await store.lock_keys(self.connection, [key.broad.text for key in suspects])
        self.running = {one.key: one for one in await store.all_open(self.connection)}
        since = await store.known_since(self.connection)
        openings = [await self._judge(key, *windows[key.text], since) for key in suspects if since is not None]
        return [change for change in openings if change is not None]

    async def _busy_windows(self) -> dict[str, tuple[int, datetime]]:
        """Return the keys that reach their floor, with the count and the end of the window in which they do.

        No narrow key has more than its broad one: the narrow ones are asked for only where that reaches the floor.
        """
        places = [(key, minute_of(friction)) for friction, key in self._uncovered()]
        broad = await self._reaching({(key.text, minute) for key, minute in places if not key.field})
        narrow = {(key.text, minute) for key, minute in places if key.field and key.broad.text in broad}
        return broad | (await self._reaching(narrow) if narrow else {})

    async def _reaching(self, places: set[tuple[str, datetime]]) -> dict[str, tuple[int, datetime]]:
        windows = await store.largest_windows(self.connection, places) if places else {}
        return {key: window for key, window in windows.items() if self._reaches_floor(key_of_text(key), window[0])}

    def _uncovered(self) -> Iterable[tuple[ReportedFriction, OutbreakKey]]:
        """Yield the frictions that belong to no open outbreak, with each of their keys."""
        for friction in self.arrivals.frictions:
            if self._outbreak_of(friction) is None:
                yield from ((friction, key) for key in keys_of(friction))

    def _reaches_floor(self, key: OutbreakKey, count: int) -> bool:
        limit = self.gate.limits.of(key.rule)
        return limit is not None and count >= limit.floor

    async def _judge(self, key: OutbreakKey, count: int, minute: datetime, since: datetime) -> IssueChange | None:
        """Open the outbreak of a key or let it join one if that is due; return the change of its issue if there is one.

        Narrow keys and their broad one exclude one another.
        """
        limit = self.gate.limits.of(key.rule)
        begin = minute - WINDOW + timedelta(minutes=1)
        if limit is None or self._is_known(key) or begin - since < WARM_UP:
            return None
        usual = usual_in_window(await store.known_rate(self.connection, key.text, minute, since))
        needed = threshold(usual, limit)
        if count < needed:
            return None
        window = await self._window(key, begin)
        if not window:
            return None
        facts = OutbreakFacts(
            segment=key.field or None,
            value=key.value or None,
            started_at=begin,
            usual=round(usual, 2),
            frictions=len(window),
            customers=len({f.customer_id for f in window}),
        )
        id_, change = await self._joining(key, window) or await self._opening(key, facts, window)
        self.running[key.text] = outbreak = OpenOutbreak(
            id=id_, key=key.text, started_at=begin, opened_at=self.now, usual=usual, opened_by=needed
        )
        await store.open_outbreak(self.connection, outbreak)
        await store.add_frictions(self.connection, [(id_, friction) for friction in window], self.now)
        return change

    async def _window(self, key: OutbreakKey, begin: datetime) -> list[ReportedFriction]:
        """Return the frictions of a key that happened since and belong to no outbreak, if any of them is new."""
        new = {f.id: f for f in self.arrivals.frictions if key in keys_of(f) and self._outbreak_of(f) is None}
        if not new:
            return []
        stored = [one.friction for one in await store.frictions_since(self.connection, key.rule, begin)]
        before = {f.id: f for f in stored if key in keys_of(f) and self._outbreak_of(f) is None}
        return [friction for id_, friction in (before | new).items() if id_ not in self.retracted]

    async def _joining(
        self, key: OutbreakKey, window: Sequence[ReportedFriction]
    ) -> tuple[UUID, IssueChange | None] | None:
        """Return the outbreak that half of the customers met already, with its reopening if it was over."""
        customers = {friction.customer_id for friction in window}
        known = await store.met_by(self.connection, customers, over_since=self.now - AGAIN_WITHIN)
        joined = outbreak_to_join(key, len(customers), known)
        found = await issue_store.lock_issue(self.connection, joined.id) if joined is not None else None
        if joined is None or found is None:
            return None
        issue, superseded = found
        if issue.unresolved or issue.outbreak is None:
            return joined.id, None
        if superseded:
            return None
        return joined.id, reopened_outbreak(issue, replace(issue.outbreak, over_at=None), self.now)

    def _is_known(self, key: OutbreakKey) -> bool:
        """Return whether there is an outbreak of the key, of its broad one, or of one that is narrower."""
        return any(text in {key.text, key.broad.text} or key_of_text(text).broad == key for text in self.running)

    async def _opening(
        self, key: OutbreakKey, facts: OutbreakFacts, sample: Sequence[ReportedFriction]
    ) -> tuple[UUID, IssueChange]:
        print_ = outbreak_fingerprint(key)
        occurrences = await issue_store.lock_fingerprints(self.connection, [print_])
        last = await issue_store.latest_of(self.connection, print_, since=self.now - AGAIN_WITHIN)
        if last is not None:
            return last.id, reopened_outbreak(last, facts, self.now)
        occurrence = occurrences[print_] + 1
        await issue_store.save_occurrences(self.connection, {print_: occurrence})
        change = outbreak_issue(key, facts, sample, issue_id=self.gate.new_id(), occurrence=occurrence, now=self.now)
        return change.after.id, change

    async def assign(self) -> None:
        """Write to which outbreak each friction belongs."""
        belonging = [(o.id, f) for f in self.arrivals.frictions if (o := self._outbreak_of(f)) is not None]
        self.belongs = {friction.id: outbreak_id for outbreak_id, friction in belonging}
        for frictions in self.arrivals.of_issue.values():
            spoken = {rule: self.belongs[f.id] for f in frictions if f.id in self.belongs for rule in f.implies}
            self.belongs |= {f.id: spoken[f.rule] for f in frictions if f.rule in spoken}
        if belonging:
            await store.add_frictions(self.connection, belonging, self.now)
            await self._mark_unusual()

    async def _mark_unusual(self) -> None:
        """Note that what opened an outbreak is not usual; it was counted before that was known."""
        held: Counter[tuple[str, datetime]] = Counter()
        for friction in self.arrivals.frictions:
            outbreak = self._outbreak_of(friction)
            if outbreak is not None and outbreak.opened_at == self.now:
                held.update((key.text, minute_of(friction)) for key in keys_of(friction))
        if held:
            await store.count(self.connection, dict.fromkeys(held, 0), held)
