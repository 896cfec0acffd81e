"""Rules that an analyst might write, at random: every member of every shape, over the fields of dense stories."""

from random import Random
from typing import Any, Final

from tests.oracle.dense import KINDS

Json = dict[str, Any]

TIMES: Final = ("15m", "30m", "45m", "1h", "24h", "7d", "14d")
SCOPES: Final = ("customer", "journey", "case", "matter", "contact", "interaction")
FIELDS: Final = ("channel", "reason", "outcome", "queue", "refs.case_id", "refs.order_id", "source", "service_level")
VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "channel": ("phone", "chat", "web"),
    "reason": ("billing", "delivery", "other"),
    "outcome": ("resolved", "unresolved", "abandoned"),
    "queue": ("A", "B", "C"),
    "direction": ("inbound", "outbound"),
    "source": ("crm", "ivr"),
    "service_level": ("basic", "premium"),
    "transfers": (0, 1, 2, 1.0),
    "wait_s": (0, 120, 119.5),
    "refs.case_id": ("1", "2"),
    "score.metric": ("ces", "nps"),
}
NUMBERS: Final = ("wait_s", "transfers", "score.value", "score.on_7", "sequence")
HOURS: Final[tuple[Json, ...]] = (
    {"weekdays": ["monday:friday"], "times": [{"start_time": "09:00", "end_time": "18:00"}], "location": "Asia/Seoul"},
    {"weekdays": ["monday:friday", "sunday"], "location": "Europe/Berlin", "except_dates": ["2026-10-26"]},
    {"times": [{"start_time": "02:15", "end_time": "02:45"}, {"start_time": "22:00", "end_time": "24:00"}]}
    | {"location": "Europe/Berlin"},
    {"weekdays": ["saturday"], "times": [{"start_time": "00:00", "end_time": "13:30"}]},
)
WORDS: Final = {"en": "x", "ko": "엑스"}


def a_rule(random: Random, number: int) -> Json:
    """A rule as a rules file has it."""
    shape = random.choice(
        (_count, _steps, _steps, _pattern, _threshold, _threshold, _absence, _response, _aggregate, *MORE)
    )(random)
    rule = {"id": f"odd_{number}", "severity": "low", "title": WORDS, "explanation": WORDS, **shape}
    if random.random() < 0.2:
        rule["cooldown"] = random.choice(TIMES)
    if random.random() < 0.2:
        rule["cap"] = {"max": random.randint(1, 3), "within": random.choice(TIMES)}
    elif random.random() < 0.1:
        rule["cap"] = [{"max": 1, "within": "15m"}, {"max": random.randint(2, 3), "within": "1d"}]
    if random.random() < 0.4:
        levels = random.sample(("basic", "premium"), random.randint(1, 2))
        rule["by_service_level"] = {level: _parameters(random, rule) for level in levels}
    return rule


def _parameters(random: Random, rule: Json) -> Json:
    """Some of the numbers and times of a rule, otherwise."""
    others: Json = {"cooldown": random.choice(TIMES), "cap": {"max": 1, "within": random.choice(TIMES)}}
    if rule["shape"] in {"count", "aggregate", "effort"}:
        others["at_least"] = random.randint(1, 4)
    times = ("15m", "1h", "9h", "30h") if "active_time_interval" in rule else TIMES
    others |= {member: random.choice(times) for member in ("within", "grace") if member in rule}
    if rule["shape"] == "response":
        others["within_by_channel"] = {random.choice(VALUES["channel"]): random.choice(times)}
    names = random.sample(sorted(others), random.randint(1, len(others)))
    return {name: others[name] for name in names}


def _count(random: Random) -> Json:
    of_what = random.choice(({}, {}, {"distinct": random.choice(FIELDS)}, {"changes": random.choice(FIELDS)}))
    rule = {"shape": "count", "at_least": random.randint(1, 4), **_among(random), **of_what, **_cut(random)}
    if random.random() < 0.1:
        rule["outside_time_interval"] = _hours(random)["active_time_interval"]
    return rule | ({"contacts": True} if random.random() < 0.4 else {})


def _steps(random: Random) -> Json:
    steps = [
        {"of": _matcher(random)} | ({"contacts": True} if random.random() < 0.3 else {})
        for _ in range(random.randint(2, 3))
    ]
    rule = {"shape": "sequence", "steps": steps, **_among(random), **_cut(random)}
    del rule["of"]
    return rule | ({"once": True} if random.random() < 0.3 else {})


def _pattern(random: Random) -> Json:
    pattern = random.choice((["a", "b"], ["a", "b", "a"], ["a", "b", "c"], ["a", "b", "a", "b"], ["a", "b", "c", "a"]))
    rule = {"shape": "sequence", "field": random.choice(FIELDS), "pattern": pattern, **_among(random)}
    rule.pop("same", None)
    return rule


def _threshold(random: Random) -> Json:
    limits = [
        {random.choice(("gt", "gte", "lt", "lte")): random.choice((0, 1, 2, 3, 119.5, 120, 240))}
        for _ in range(random.randint(1, 2))
    ]
    if random.random() < 0.5:
        limits[0]["when"] = _matcher(random)
    rule = {"shape": "threshold", "field": random.choice(NUMBERS), "limits": limits, "of": _matcher(random)}
    per = random.choice((None, *SCOPES))
    if per is not None:
        rule |= {"per": per} | ({"total": True} if random.random() < 0.4 else {})
    return rule | ({"contacts": True} if random.random() < 0.3 else {})


def _aggregate(random: Random) -> Json:
    function = random.choice(("sum", "min", "max", "mean", "late_mean", "first", "last", "trend", "since"))
    limits = [{random.choice(("gt", "gte", "lt", "lte")): random.choice((-0.5, 0, 1, 2.5, 60, 120, 900, 86400))}]
    rule: Json = {"shape": "aggregate", "function": function, "limits": limits, **_among(random)}
    if function != "since":
        rule["field"] = random.choice(NUMBERS)
    if random.random() < 0.4:
        rule["at_least"] = random.randint(1, 4)
    return rule | ({"contacts": True} if random.random() < 0.3 else {})


def _absence(random: Random) -> Json:
    due: Json = random.choice(({"within": random.choice(TIMES)}, {"grace": random.choice(TIMES)}, {}))
    if due and random.random() < 0.5:
        due = {member: random.choice(("15m", "1h", "9h", "30h")) for member in due} | _hours(random)
    if "within" in due and random.random() < 0.5:
        due |= {"pauses": _matcher(random), "resumes": _matcher(random)}
    rule = {"shape": "absence", "after": _matcher(random), "expect": _matcher(random), **due}
    return rule | ({"same": random.sample(FIELDS, random.randint(1, 2))} if random.random() < 0.5 else {})


def _response(random: Random) -> Json:
    """Replies that the company or a bot might give, and any others."""
    after = random.choice(({}, {"direction": "inbound"}, _matcher(random)))
    expect = random.choice(({"kind": ["message_sent", "bot_replied", "call_ended"]}, _matcher(random)))
    rule: Json = {"shape": "response", "reply": random.choice(("first", "next")), "after": after, "expect": expect}
    hours = _hours(random) if random.random() < 0.3 else {}
    times = ("15m", "1h", "9h", "30h") if hours else TIMES
    channels = {channel: random.choice(times) for channel in random.sample(("phone", "chat", "email", "messenger"), 3)}
    rule |= random.choice(({"within": random.choice(times)}, {"within_by_channel": channels}))
    return rule | hours | ({"same": random.sample(FIELDS, random.randint(1, 2))} if random.random() < 0.4 else {})


def _hours(random: Random) -> Json:
    spans = random.sample(HOURS, random.randint(1, 2))
    return {"active_time_interval": {"name": "odd", "time_intervals": spans}}


def _stage(random: Random) -> Json:
    stages = [
        {"name": f"s{number}", "begins": _matcher(random), "within": random.choice(TIMES)}
        for number in range(random.randint(1, 3))
    ]
    if len(stages) > 1 and random.random() < 0.3:
        del stages[0]["within"]
    rule: Json = {"shape": "stage", "stages": stages, "ends": _clause(random)}
    if random.random() < 0.3:
        for stage in stages:
            stage |= {"within": random.choice(("15m", "1h", "9h", "30h"))}
        rule |= _hours(random)
    return rule | ({"same": random.sample(FIELDS, random.randint(1, 2))} if random.random() < 0.5 else {})


def _effort(random: Random) -> Json:
    return {"shape": "effort", "at_least": random.choice((1, 20, 26, 40, 53, 70))}


def _consequence(random: Random) -> Json:
    makers = (_count, _steps, _threshold, _absence, _response, _aggregate)
    carried = [
        {
            "id": f"inner_{number}",
            "severity": "low",
            "title": WORDS,
            "explanation": WORDS,
            **random.choice(makers)(random),
        }
        for number in range(random.randint(1, 3))
    ]
    for one in carried:
        if random.random() < 0.4:
            one["closes_when"] = [{"kind": random.choice(KINDS)}]
        if random.random() < 0.2:
            one["by_service_level"] = {"premium": _parameters(random, one)}
    rule: Json = {"shape": "consequence", "frictions": carried}
    if random.random() < 0.5:
        rule |= {"expect": _matcher(random), "within": random.choice(TIMES)}
    else:
        rule |= random.choice(({"contacts": True, "of": _matcher(random)}, {"of": _clause(random)}))
        rule |= {"within": random.choice(TIMES)} if random.random() < 0.5 else {}
    return rule | ({"same": random.sample(FIELDS, 1)} if random.random() < 0.4 else {})


MORE: Final = (_stage, _effort, _consequence)


def _among(random: Random) -> Json:
    members: Json = {"of": _matcher(random)}
    if random.random() < 0.7:
        members["within"] = random.choice(TIMES)
    if random.random() < 0.5:
        members["per"] = random.choice(SCOPES)
    if random.random() < 0.4:
        members["same"] = random.sample(FIELDS, random.randint(1, 2))
    return members


def _cut(random: Random) -> Json:
    return {"without": _clause(random)} if random.random() < 0.3 else {}


def _matcher(random: Random) -> Any:
    if random.random() < 0.25:
        return {}
    clauses = [_clause(random) for _ in range(random.choice((1, 1, 1, 2)))]
    return clauses if len(clauses) > 1 else clauses[0]


def _clause(random: Random) -> Json:
    clause: Json = {}
    if random.random() < 0.6:
        kinds = random.sample(KINDS, random.randint(1, 4))
        clause["kind"] = kinds if len(kinds) > 1 else kinds[0]
    for field in random.sample(sorted(VALUES), random.randint(0 if clause else 1, 2)):
        clause[field] = _want(random, VALUES[field])
    return clause


def _want(random: Random, values: tuple[Any, ...]) -> Any:
    value = random.choice(values)
    choices: list[Any] = [value, value, random.sample(values, 2), {"exists": random.random() < 0.5}, {"not": value}]
    if isinstance(value, str):
        choices.append({"contains": value[1:].upper() or "B"})
    else:
        choices += [{"gte": value}, {"lt": value}, {"gt": 0, "lte": value}]
    return random.choice(choices)
