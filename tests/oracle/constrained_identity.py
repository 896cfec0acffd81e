"""Who is who under constraints, by the oracle: each step as it is defined, with nothing remembered between steps.

Links are taken one after the other. Before each decision the customers are found again from the followed links, by a
breadth-first search; who holds an identifier is found by looking at every touchpoint. It is slow, on purpose: there is
nothing in it that could go stale.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, cast

from tests.oracle.facts import MINUTE, Key
from tests.oracle.identity import Identifier
from tests.oracle.identity_terms import (
    MOST_IDENTIFIERS,
    TRUSTS,
    Component,
    Link,
    OperatorFact,
    Picture,
    Policy,
    Sighting,
    Stored,
    Tie,
    Trust,
    in_order,
    judged,
    pair,
    ranked,
    setting,
    usable,
)


def links(sightings: list[Sighting], policies: Sequence[Policy]) -> list[Tie]:
    """The ledger: every link that some touchpoint counts for; `sightings` are in event order.

    The first version that saw a link is its judge.
    """
    shown: dict[Link, list[Sighting]] = {}
    for one in sightings:
        strongest, *others = usable(one, judged(policies, one.judge))
        for other in others:
            shown.setdefault(pair(strongest, other), []).append(one)
    return [_tie(ends, its, policies) for ends, its in shown.items()]


def _tie(ends: Link, shown: list[Sighting], policies: Sequence[Policy]) -> Tie:
    judge = min(one.judge for one in shown)
    trust = "device" if any(setting(judged(policies, judge), name, "device") for name, _ in ends) else "asserted"
    if any(all(one.customer[name][1] for name, _ in ends) for one in shown):
        trust = "verified"
    return Tie(ends=ends, trust=cast(Trust, trust), at=shown[0].occurred_at, key=shown[0].key, judge=judge)


def component_of(identifier: Identifier, followed: Iterable[Tie]) -> Component:
    """Everything that followed links lead to, found breadth first."""
    edges = [tie.ends for tie in followed]
    reached, waiting = {identifier}, [identifier]
    while waiting:
        here = waiting.pop(0)
        for one, other in edges:
            if here in (one, other):
                there = other if here == one else one
                if there not in reached:
                    reached.add(there)
                    waiting.append(there)
    return frozenset(reached)


class Decisions:
    """What became of each tie, in turn."""

    def __init__(
        self,
        policies: Sequence[Policy],
        most: int,
        separations: list[OperatorFact],
        shared: frozenset[Identifier],
        proved: frozenset[Identifier],
    ):
        self.policies, self.most, self.separations = policies, most, separations
        self.shared, self.proved = shared, proved
        self.followed: list[Tie] = []
        self.refused: dict[Tie, str] = {}
        self.between: set[Identifier] = set()

    def take(self, tie: Tie) -> None:
        """Follow it, or say why not."""
        reason = self._objection(tie)
        if reason is None:
            self.followed.append(tie)
            return
        self.refused[tie] = reason
        if reason == "unique":
            self._find_between(tie)

    def _objection(self, tie: Tie) -> str | None:
        one, other = (component_of(end, self.followed) for end in tie.ends)
        if tie.trust == "operator":
            return "separated" if self._separated(one, other, since=tie.at) else None
        grounds = {
            "shared": bool(self.shared.intersection(tie.ends))
            or any(setting(judged(self.policies, tie.judge), name, "shared") for name, _ in tie.ends),
            "held": bool(self.between.intersection(tie.ends)),
            "separated": self._separated(one, other, since=None),
            "unique": self._is_unique(tie, one, other, tie.judge),
            "limit": any(self._exceeds(name, one, other, tie.judge) for name in {name for name, _ in one | other}),
            "too_many_identifiers": one != other and len(one | other) > self.most,
        }
        return next((reason for reason, holds in grounds.items() if holds), None)

    def _separated(self, one: Component, other: Component, since: int | None) -> bool:
        apart = {said.ends for said in self.separations if since is None or said.at >= since}
        return one != other and any(pair(mine, theirs) in apart for mine, theirs in product(one, other))

    def _is_unique(self, tie: Tie, one: Component, other: Component, judge: int) -> bool:
        policy = judged(self.policies, judge)
        return self._clashes(one, other, policy) or (tie.trust == "device" and self._are_two_people(one, other, policy))

    def _clashes(self, one: Component, other: Component, policy: Policy) -> bool:
        return one != other and any(
            mine[0] == theirs[0] and mine != theirs and setting(policy, mine[0], "unique")
            for mine, theirs in product(one, other)
        )

    def _are_two_people(self, one: Component, other: Component, policy: Policy) -> bool:
        return one != other and any(
            mine[0] == theirs[0] and setting(policy, mine[0], "personal")
            for mine, theirs in product(one & self.proved, other & self.proved)
        )

    def _exceeds(self, name: str, one: Component, other: Component, judge: int) -> bool:
        limit = setting(judged(self.policies, judge), name, "limit")
        mine, theirs = ({value for type_, value in side if type_ == name} for side in (one, other))
        return one != other and limit is not None and min(len(mine), len(theirs)) > 0 and len(mine | theirs) > limit

    def _find_between(self, tie: Tie) -> None:
        first, second = (setting(judged(self.policies, tie.judge), name, "strength") for name, _ in tie.ends)
        if first == second:
            return
        weaker = tie.ends[1] if second > first else tie.ends[0]
        its = [other for other in self.followed if weaker in other.ends]
        trusts = [TRUSTS.index(other.trust) for other in its]
        one, other_side = (component_of(end, self.followed) for end in tie.ends)
        agreed = all(self._is_unique(tie, one, other_side, other.judge) for other in its)
        if trusts and min(trusts) == TRUSTS.index(tie.trust) and agreed:
            self.between.add(weaker)
            self.refused |= {other: "held" for other in self.followed if weaker in other.ends}
            self.followed = [other for other in self.followed if weaker not in other.ends]


def _proved(sightings: list[Sighting]) -> frozenset[Identifier]:
    return frozenset((name, value) for one in sightings for name, (value, sure) in one.customer.items() if sure)


def _shared(sightings: list[Sighting], ledger: list[Tie], policies: Sequence[Policy]) -> frozenset[Identifier]:
    """What is linked with too many, as the judge of each link counts, and as the strictest of these judges allows."""
    found = set()
    for identifier in {carried for one in sightings for carried in one.carried}:
        its = [tie for tie in ledger if identifier in tie.ends]
        best = min((TRUSTS.index(tie.trust) for tie in its), default=None)
        counted = [tie for tie in its if TRUSTS.index(tie.trust) == best]
        met = {end: judged(policies, tie.judge) for tie in counted for end in tie.ends if end != identifier}
        apart = {other for other, policy in met.items() if _tells_apart(identifier, other, policy)}
        if best != TRUSTS.index("verified"):
            proved = _proved(sightings)
            apart |= {end for end, policy in met.items() if end in proved and setting(policy, end[0], "personal")}
        allowed = [setting(judged(policies, tie.judge), identifier[0], "shared_after") for tie in its]
        most = min((number for number in allowed if number is not None), default=None)
        if most is not None and len(apart) > most:
            found.add(identifier)
    return frozenset(found)


def _tells_apart(identifier: Identifier, other: Identifier, policy: Policy) -> bool:
    stronger = setting(policy, other[0], "strength") < setting(policy, identifier[0], "strength")
    return stronger and bool(setting(policy, other[0], "unique"))


class Owners:
    """Whose a touchpoint is, once it is decided which links are followed."""

    def __init__(self, sightings: list[Sighting], policies: Sequence[Policy], done: Decisions):
        self.sightings, self.policies, self.done = sightings, policies, done
        self.floating = done.shared | done.between

    def _floats(self, identifier: Identifier, policy: Policy) -> bool:
        return identifier in self.floating or bool(setting(policy, identifier[0], "shared"))

    def owner(self, sighting: Sighting) -> Component:
        """The component that a touchpoint belongs to."""
        policy = judged(self.policies, sighting.judge)
        able = usable(sighting, policy)
        for identifier in able:
            if not self._floats(identifier, policy):
                return component_of(identifier, self.done.followed)
        for identifier in ranked(sighting.carried, policy):
            holder = self.holder(identifier, sighting.occurred_at, policy)
            if holder is not None:
                return holder
        return component_of(able[0], self.done.followed)

    def holder(self, identifier: Identifier, at: int, policy: Policy) -> Component | None:
        """Who has an identifier that belongs to nobody by itself at a time, as a touchpoint under a policy asks."""
        telling = [one for one in self.sightings if self._tells(one, identifier)]
        hold = setting(policy, identifier[0], "hold")
        if identifier in self.done.shared and "hold" not in policy.get(identifier[0], {}):
            hold = 30 * MINUTE
        before = [one for one in telling if 0 <= at - one.occurred_at <= hold]
        after = [one for one in telling if 0 < one.occurred_at - at <= hold]
        chosen = before[-1] if before else after[0] if after else None
        return None if chosen is None else self.owner(chosen)

    def _tells(self, sighting: Sighting, identifier: Identifier) -> bool:
        policy = judged(self.policies, sighting.judge)
        strength = setting(policy, identifier[0], "strength")
        owned = [other for other in usable(sighting, policy) if not self._floats(other, policy)]
        return (
            identifier in sighting.carried
            and self._floats(identifier, policy)
            and any(setting(policy, other[0], "strength") < strength for other in owned)
        )


def resolve(
    sightings: Iterable[Sighting],
    facts: Iterable[OperatorFact] = (),
    policy: Policy | None = None,
    stored: Stored | None = None,
    most: int = MOST_IDENTIFIERS,
    later: Sequence[Policy] = (),
) -> Picture:
    """Say who is who.

    The order of `sightings` and `facts` is of no account. `most` is the cap of identifiers of a customer. `later` are
    the versions of the policy after the first.

    Raises:
        ValueError: two touchpoints with one key differ.
    """
    policy = policy or {}
    policies = (policy, *later)
    seen = [one for one in in_order(sightings) if one.customer]
    said = list(facts)
    retracted = {one.ends for one in said if one.kind == "retract"}
    ledger = [tie for tie in links(seen, policies) if tie.ends not in retracted]
    merges = {Tie(ends=one.ends, trust="operator", at=one.at) for one in said if one.kind == "merge"}
    separations = [one for one in said if one.kind == "separate"]
    done = Decisions(policies, most, separations, _shared(seen, ledger, policies), _proved(seen))
    for tie in sorted([*merges, *ledger], key=lambda tie: tie.order):
        done.take(tie)
    nodes = {one for sighting in seen for one in usable(sighting, judged(policies, sighting.judge))}
    nodes |= {end for tie in merges for end in tie.ends}
    given = {end for tie in done.followed if tie.trust != "operator" for end in tie.ends}
    declared = {one for sighting in seen for one in sighting.carried if setting(policy, one[0], "shared")} - given
    whose = Owners(seen, policies, done)
    picture = Picture(
        components=frozenset(component_of(node, done.followed) for node in nodes),
        owners={one.key: whose.owner(one) for one in seen},
        refused={tie.ends: why for tie, why in done.refused.items() if tie.trust != "operator"},
        refused_merges={(tie.ends, tie.at): why for tie, why in done.refused.items() if tie.trust == "operator"},
        between=frozenset(done.between),
        shared=done.shared | declared,
    )
    return _with_ids(picture, seen, stored or {}, policy)


def _with_ids(picture: Picture, seen: list[Sighting], stored: Stored, policy: Policy) -> Picture:
    """Give the stored ids out again, the oldest first, each where the strongest identifier is that it had."""
    kept: dict[Component, str] = {}
    absorbed: dict[str, str] = {}
    oldest_first = sorted(stored, key=lambda id_: (stored[id_]["sequence"], id_))
    its = {id_: identifiers_of(stored[id_], seen, policy) for id_ in oldest_first}
    for id_, had in its.items():
        if had:
            goes_on_in = picture.component(min(had, key=lambda one: _weight(one, picture, seen, policy)))
            if kept.setdefault(goes_on_in, id_) != id_:
                absorbed[id_] = kept[goes_on_in]
    split_from: dict[Component, str] = {}
    for id_, had in its.items():
        for one in had:
            split_from.setdefault(picture.component(one), id_)
    fresh = {component: id_ for component, id_ in split_from.items() if component not in kept}
    return replace(picture, kept=kept, absorbed=absorbed, split_from=fresh)


def _weight(
    one: Identifier, picture: Picture, seen: list[Sighting], policy: Policy
) -> tuple[bool, int, int, Identifier]:
    first = next((sighting.occurred_at for sighting in seen if one in sighting.carried), sys.maxsize)
    return one in picture.between | picture.shared, setting(policy, one[0], "strength"), first, one


def identifiers_of(customer: Mapping[str, Any], seen: list[Sighting], policy: Policy) -> set[Identifier]:
    """The identifiers that a stored customer had: those that are said, else the strongest ones of its touchpoints."""
    if "identifiers" in customer:
        return set(customer["identifiers"])
    return {usable(one, policy)[0] for one in seen if one.key in customer["touchpoints"]}


def remember(picture: Picture, stored: Stored) -> dict[str, dict[str, Any]]:
    """The customers as they stand after `picture`, for the next time: a new one is the youngest.

    Several new ones at once are made in the order of the keys of their touchpoints. One that is absorbed stays without
    anything, so that its id is not given out again.
    """
    its: dict[Component, set[Key]] = {}
    for key, owner in picture.owners.items():
        its.setdefault(owner, set()).add(key)
    number = max((one["sequence"] for one in stored.values()), default=0)
    nothing = {"touchpoints": set[Key](), "identifiers": frozenset[Identifier]()}
    after = {id_: {"sequence": one["sequence"], **nothing} for id_, one in stored.items()}
    for component, id_ in picture.kept.items():
        after[id_]["identifiers"] = component
    for owner in sorted(its, key=lambda owner: min(its[owner])):
        kept = picture.kept.get(owner)
        number += kept is None
        sequence = number if kept is None else after[kept]["sequence"]
        after[kept or f"c{number}"] = {"sequence": sequence, "touchpoints": its[owner], "identifiers": owner}
    return after
