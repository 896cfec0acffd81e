"""Any rule of a rules file by the oracle, shape by shape, as docs/semantics.md defines it.

Part of the oracle: it imports nothing of Waymark, on purpose. It looks at everything again for each unit, which is slow
and leaves no room for cleverness. Every timer counts as fired.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise
from typing import Any, Final
from uuid import UUID, uuid5

from tests.oracle import aggregates, business_clock, effort
from tests.oracle.facts import Json, Key, microseconds
from tests.oracle.rule_conditions import duration, is_over, matches, read
from tests.oracle.rule_units import (
    Customer,
    Said,
    Unit,
    agreeing,
    barriers,
    is_within,
    number_of,
    picked,
    same_as,
    scope_of,
)

NAMESPACE: Final = UUID("c2f7dece-e263-50d8-ba81-6db6433833df")
MOST_UNITS: Final = 200
MOST_EVIDENCE: Final = 50


def find(rule: Json, who: Customer) -> dict[str, tuple[Key, ...]]:
    """The frictions of a rule, as a rules file has it: evidence by id."""
    said = sorted(_by_level(rule, who), key=lambda pair: pair[1].anchor.order)
    found: dict[str, tuple[Key, ...]] = {}
    for one in _restrained(said):
        name = _id(rule, one.anchor)
        found.setdefault(name, tuple(unit.fact.key for unit in one.evidence[-MOST_EVIDENCE:]))
    return found


def _by_level(rule: Json, who: Customer) -> Iterable[tuple[Json, Said]]:
    """What the rule says of each anchor in the wording of the anchor's service level."""
    wordings = {level: _wording(rule, members) for level, members in rule.get("by_service_level", {}).items()}
    for level, wording in [(None, rule), *wordings.items()]:
        for one in BY_SHAPE[rule["shape"]](wording, who):
            of_anchor = one.anchor.doc.get("service_level")
            if (of_anchor if of_anchor in wordings else None) == level:
                yield wording, one


def _wording(rule: Json, members: Json) -> Json:
    """The rule with what a level says otherwise; of the channels, each by itself."""
    merged = {**rule, **members}
    if "within_by_channel" in merged:
        merged["within_by_channel"] = {**rule.get("within_by_channel", {}), **members.get("within_by_channel", {})}
    return merged


def _restrained(said: Iterable[tuple[Json, Said]]) -> list[Said]:
    accepted: list[Said] = []
    for rule, one in said:
        if any(_id(rule, one.anchor) == _id(rule, other.anchor) for other in accepted):
            continue
        cooldown, said_caps = rule.get("cooldown"), rule.get("cap", [])
        if cooldown and accepted and one.anchor.at - accepted[-1].anchor.at < duration(cooldown):
            continue
        if any(
            len([other for other in accepted if 0 <= one.anchor.at - other.anchor.at < duration(cap["within"])])
            >= cap["max"]
            for cap in (said_caps if isinstance(said_caps, list) else [said_caps])
        ):
            continue
        accepted.append(one)
    return accepted


def _id(rule: Json, anchor: Unit) -> str:
    interaction = anchor.interaction
    if rule.get("per") == "interaction" and interaction is None:
        interaction = anchor.fact.interaction
    parts = ("t", anchor.fact.key[1]) if interaction is None else ("i", interaction[1])
    return str(uuid5(NAMESPACE, "\x1f".join((rule["id"], anchor.fact.key[0], *parts))))


def _count(rule: Json, who: Customer) -> Iterable[Said]:
    hours = rule.get("outside_time_interval")
    units = [one for one in picked(rule, who) if hours is None or not business_clock.is_open(hours, one.at)]
    for anchor in units:
        same = same_as(rule, anchor, who)
        cut = [one.order for one in barriers(rule, who) if one.order < anchor.order and same(one)]
        window = [
            one
            for one in units
            if one.order <= anchor.order
            and is_within(rule, one, anchor)
            and scope_of(rule, one, who) == scope_of(rule, anchor, who)
            and (one is anchor or same(one))
            and (not cut or one.order > max(cut))
        ][-MOST_UNITS:]
        if scope_of(rule, anchor, who) is not None and _counted(rule, window) >= rule["at_least"]:
            yield Said(anchor=anchor, evidence=window)


def _counted(rule: Json, window: Sequence[Unit]) -> int:
    if "distinct" in rule:
        different: list[Any] = []
        for value in (read(one.doc, rule["distinct"]) for one in window):
            if value is not None and value not in different:
                different.append(value)
        return len(different)
    if "changes" in rule:
        values = [read(one.doc, rule["changes"]) for one in window]
        known = [value for value in values if value is not None]
        if values[-1] is None or len(known) < 2 or known[-1] == known[-2]:
            return 0
        return sum(before != after for before, after in pairwise(known))
    return len(window)


def _sequence(rule: Json, who: Customer) -> Iterable[Said]:
    return _pattern(rule, who) if "pattern" in rule else _steps(rule, who)


def _steps(rule: Json, who: Customer) -> Iterable[Said]:
    steps = [picked(step, who) for step in rule["steps"]]
    for anchor in steps[-1]:
        if scope_of(rule, anchor, who) is None:
            continue
        same = same_as(rule, anchor, who)
        chain = [anchor]
        for units in reversed(steps[:-1]):
            before = [one for one in units if one.order < chain[0].order and same(one)]
            if not before:
                break
            chain.insert(0, before[-1])
        if len(chain) < len(steps) or not is_within(rule, chain[0], anchor):
            continue
        between = [one for one in barriers(rule, who) if chain[0].order < one.order < anchor.order and same(one)]
        others = [one for one in steps[-1] if chain[-2].order < one.order < anchor.order and same(one)]
        if not between and not (rule.get("once") and others):
            yield Said(anchor=anchor, evidence=chain)


def _pattern(rule: Json, who: Customer) -> Iterable[Said]:
    scopes = dict.fromkeys(scope_of(rule, one, who) for one in who.touchpoints)
    for scope in scopes:
        units = [
            one
            for one in picked(rule, who)
            if scope is not None and scope_of(rule, one, who) == scope and read(one.doc, rule["field"]) is not None
        ]
        runs = [list(run) for _, run in groupby(units, key=lambda one: read(one.doc, rule["field"]))]
        for end in range(len(rule["pattern"]), len(runs) + 1):
            last = runs[end - len(rule["pattern"]) : end]
            chain = [*(run[-1] for run in last[:-1]), last[-1][0]]
            values = [read(one.doc, rule["field"]) for one in chain]
            pairs = [(i, j) for i in range(len(values)) for j in range(i)]
            fits = all((values[i] == values[j]) == (rule["pattern"][i] == rule["pattern"][j]) for i, j in pairs)
            if fits and is_within(rule, chain[0], chain[-1]):
                yield Said(anchor=chain[-1], evidence=chain)


def _threshold(rule: Json, who: Customer) -> Iterable[Said]:
    units = [one for one in picked(rule, who) if number_of(one, rule["field"]) is not None]
    per = rule.get("per", "touchpoint")
    over: dict[Any, Said] = {}
    for anchor in units:
        scope = anchor.order if per == "touchpoint" else scope_of(rule, anchor, who)
        if scope is None or scope in over:
            continue
        added = [one for one in units if one.order <= anchor.order and scope_of({"per": per}, one, who) == scope]
        number = (
            sum(number_of(one, rule["field"]) for one in added)
            if rule.get("total")
            else number_of(anchor, rule["field"])
        )
        limit = next((one for one in rule["limits"] if matches(one.get("when", {}), anchor.doc)), None)
        if limit is not None and is_over(number, limit):
            over[scope] = Said(anchor=anchor, evidence=added if rule.get("total") else [anchor])
    return over.values()


def _absence(rule: Json, who: Customer) -> Iterable[Said]:
    for arming in who.touchpoints:
        if not matches(rule["after"], arming.doc) or (due := _due(rule, arming, who)) is None:
            continue
        agreed = agreeing(rule, arming)
        follow_ups = [
            one
            for one in who.touchpoints
            if one is not arming and arming.at <= one.at <= due and matches(rule["expect"], one.doc) and agreed(one)
        ]
        if not follow_ups:
            yield Said(anchor=arming, evidence=[arming], due=due)


def _due(rule: Json, arming: Unit, who: Customer) -> int | None:
    hours = rule.get("active_time_interval")
    if "within" in rule:
        return business_clock.due(hours, _stops(rule, arming, who), arming.at, duration(rule["within"]))
    promised = arming.doc.get("due_at")
    if promised is None or microseconds(promised) < arming.at:
        return None
    grace = duration(rule.get("grace", "0s"))
    return business_clock.due(hours, (), microseconds(promised), grace) if grace else microseconds(promised)


def _stops(rule: Json, arming: Unit, who: Customer) -> list[tuple[int, bool]]:
    """The moments after the arming at which the clock stops, or runs again."""
    agreed = agreeing(rule, arming)
    stops: list[tuple[int, bool]] = []
    for one in who.touchpoints:
        if "pauses" not in rule or one.order <= arming.order or not agreed(one):
            continue
        resumes = matches(rule["resumes"], one.doc)
        if resumes or matches(rule["pauses"], one.doc):
            stops.append((one.at, resumes))
    return stops


def _response(rule: Json, who: Customer) -> Iterable[Said]:
    taken = {key for one in who.contacts for key in one.parts}
    for contact in who.contacts:
        same = agreeing(rule, contact)
        own = [one for one in who.touchpoints if one.fact.key in contact.parts]
        asks = [one for one in own if matches(rule["after"], one.doc) and not matches(rule["expect"], one.doc)]
        replies = [
            one
            for one in who.touchpoints
            if (one in own or one.fact.key not in taken) and matches(rule["expect"], one.doc) and same(one)
        ]
        for ask in asks:
            before = [one.at for one in replies if asks[0].at <= one.at < ask.at]
            asked = [one for one in asks if one.order < ask.order and (not before or one.at > max(before))]
            within = rule.get("within_by_channel", {}).get(ask.doc["channel"], rule.get("within"))
            if asked or within is None or rule["reply"] != ("next" if before else "first"):
                continue
            due = business_clock.due(rule.get("active_time_interval"), (), ask.at, duration(within))
            if due is not None and not any(ask.at <= one.at <= due for one in replies):
                yield Said(anchor=ask, evidence=[ask], due=due)


def _aggregate(rule: Json, who: Customer) -> Iterable[Said]:
    field = rule.get("field")
    units = [one for one in picked(rule, who) if field is None or number_of(one, field) is not None]
    scopes = dict.fromkeys(scope_of(rule, one, who) for one in units)
    for scope in scopes:
        group = [one for one in units if scope is not None and scope_of(rule, one, who) == scope]
        over = False
        for last in group:
            agreed = agreeing(rule, last)
            window = [
                one
                for one in group
                if one is last or (one.order < last.order and is_within(rule, one, last) and agreed(one))
            ][-MOST_UNITS:]
            was, over = over, len(window) >= rule.get("at_least", 1) and aggregates.is_crossed(rule, window)
            if over and not was:
                yield Said(anchor=last, evidence=window)


def _stage(rule: Json, who: Customer) -> Iterable[Said]:
    marks = [(one, stage) for one in who.touchpoints if (stage := _begun(rule, one)) is not None]
    for place, (mark, stage) in enumerate(marks):
        agreed = agreeing(rule, mark)
        within = None if stage == ENDED else rule["stages"][stage].get("within")
        before = [other for one, other in marks[:place] if agreed(one)]
        if within is None or (before and before[-1] == stage):
            continue
        due = business_clock.due(rule.get("active_time_interval"), (), mark.at, duration(within))
        left = [one for one, other in marks if other != stage and agreed(one) and due and mark.at <= one.at <= due]
        if due is not None and not left:
            yield Said(anchor=mark, evidence=[mark], due=due)


ENDED: Final = -1


def _begun(rule: Json, one: Unit) -> int | None:
    """The number of the stage that a touchpoint begins, the last of several; `ENDED`, or none."""
    if matches(rule["ends"], one.doc):
        return ENDED
    begun = [number for number, stage in enumerate(rule["stages"]) if matches(stage["begins"], one.doc)]
    return begun[-1] if begun else None


def _effort(rule: Json, who: Customer) -> Iterable[Said]:
    journeys: dict[int, list[Unit]] = {}
    for one in who.touchpoints:
        journeys.setdefault(who.journey_of[one.fact.key], []).append(one)
    for units in journeys.values():
        for place in range(1, len(units) + 1):
            so_far = units[:place]
            talks = [one.doc for one in who.contacts if any(one.fact.key == each.fact.key for each in so_far)]
            if effort.score([one.fact for one in so_far], talks) >= rule["at_least"]:
                yield Said(anchor=units[place - 1], evidence=units[:place])
                break


def _consequence(rule: Json, who: Customer) -> Iterable[Said]:
    earlier = sorted(
        (
            (one.anchor.at if one.due is None else one.due, who.touchpoints.index(_own(one.anchor, who)), place, one)
            for place, carried in enumerate(rule["frictions"])
            for _, one in _by_level(carried, who)
        ),
        key=lambda each: (each[0], each[1], rule["frictions"][each[2]]["id"]),
    )
    if "expect" not in rule:
        for unit in picked(rule, who):
            reasons = [
                one.anchor
                for known, _, place, one in earlier
                if known <= unit.at
                and ("within" not in rule or unit.at - known <= duration(rule["within"]))
                and not any(each.order < unit.order for each in _settling(rule["frictions"][place], one.anchor, who))
                and _later(unit, one.anchor, who)
                and agreeing(rule, one.anchor)(unit)
            ]
            if reasons:
                yield Said(anchor=unit, evidence=[reasons[-1], unit])
        return
    said: list[Any] = []
    for known, _, place, one in earlier:
        due = known + duration(rule["within"])
        came = [
            unit
            for unit in who.touchpoints
            if known <= unit.at <= due
            and matches(rule["expect"], unit.doc)
            and _later(unit, one.anchor, who)
            and agreeing(rule, one.anchor)(unit)
        ]
        settled = _settling(rule["frictions"][place], one.anchor, who)[:1]
        if one.anchor.order not in said and not came and not any(each.at <= due for each in settled):
            yield Said(anchor=one.anchor, evidence=[one.anchor], due=due)
        said.append(one.anchor.order)


def _own(unit: Unit, who: Customer) -> Unit:
    """The touchpoint of a unit."""
    return next(one for one in who.touchpoints if one.fact.key == unit.fact.key)


def _settling(rule: Json, anchor: Unit, who: Customer) -> list[Unit]:
    """The touchpoints of the anchor's journey, after it, that settle a friction of the rule."""
    return [
        one
        for one in who.touchpoints
        if one.order > anchor.order
        and who.journey_of[one.fact.key] == who.journey_of[anchor.fact.key]
        and any(matches(closing, one.doc) for closing in rule.get("closes_when", ()))
    ]


def _later(unit: Unit, anchor: Unit, who: Customer) -> bool:
    """After the anchor, and in no contact that has it."""
    together = any(unit.fact.key in each.parts and anchor.fact.key in each.parts for each in who.contacts)
    return unit.order > anchor.order and not together


BY_SHAPE: Final[dict[str, Callable[[Json, Customer], Iterable[Said]]]] = {
    "count": _count,
    "sequence": _sequence,
    "threshold": _threshold,
    "absence": _absence,
    "response": _response,
    "aggregate": _aggregate,
    "stage": _stage,
    "effort": _effort,
    "consequence": _consequence,
}
"""What each shape says of a customer."""
