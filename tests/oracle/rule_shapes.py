"""Any rule of a rules file by the oracle, shape by shape, as docs/semantics.md defines it.

Part of the oracle: it imports nothing of Waymark, on purpose. It looks at everything again for each unit, which is slow
and leaves no room for cleverness. Every timer counts as fired.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any, Final
from uuid import UUID, uuid5

from tests.oracle import business_clock
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
        cooldown, cap = rule.get("cooldown"), rule.get("cap")
        if cooldown and accepted and one.anchor.at - accepted[-1].anchor.at < duration(cooldown):
            continue
        if cap:
            recent = [other for other in accepted if 0 <= one.anchor.at - other.anchor.at < duration(cap["within"])]
            if len(recent) >= cap["max"]:
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
            yield Said(anchor=arming, evidence=[arming])


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
                yield Said(anchor=ask, evidence=[ask])


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
            was, over = over, len(window) >= rule.get("at_least", 1) and _is_crossed(rule, window)
            if over and not was:
                yield Said(anchor=last, evidence=window)


def _is_crossed(rule: Json, window: Sequence[Unit]) -> bool:
    function, last = rule["function"], window[-1]
    if len(window) < 2 and function in {"trend", "since"}:
        return False
    if function == "since":
        value = Fraction(last.at - window[-2].at, 1_000_000)
    else:
        value = _made(function, [Fraction(number_of(one, rule["field"])) for one in window])
    limit = next((one for one in rule["limits"] if matches(one.get("when", {}), last.doc)), None)
    return limit is not None and is_over(round(float(value), 9), limit)


def _made(function: str, numbers: Sequence[Fraction]) -> Fraction:
    """What a function makes of some numbers, exactly."""
    half = len(numbers) // 2
    weighted = [number for place, number in enumerate(numbers, 1) for _ in range(place)]
    return {
        "sum": lambda: sum(numbers, Fraction(0)),
        "min": lambda: min(numbers),
        "max": lambda: max(numbers),
        "mean": lambda: _mean(numbers),
        "late_mean": lambda: _mean(weighted),
        "first": lambda: numbers[0],
        "last": lambda: numbers[-1],
        "trend": lambda: _mean(numbers[len(numbers) - half :]) - _mean(numbers[:half]),
    }[function]()


def _mean(numbers: Sequence[Fraction]) -> Fraction:
    return sum(numbers, Fraction(0)) / len(numbers)


BY_SHAPE: Final[dict[str, Callable[[Json, Customer], Iterable[Said]]]] = {
    "count": _count,
    "sequence": _sequence,
    "threshold": _threshold,
    "absence": _absence,
    "response": _response,
    "aggregate": _aggregate,
}
"""What each shape says of a customer."""
