"""Compiles matchers once into closures that read fields and test conditions.

A rule can name every field of a touchpoint: `kind`, `wait_s`, `refs.case_id`, `attributes.ivr_path`, `customer.email`,
`score.value`, `value.amount`, and `score.on_7` for a score converted to a scale of seven.
"""

import re
from collections.abc import Callable
from difflib import get_close_matches
from operator import attrgetter

import msgspec

from services.journey.domain.rules.rule import Clause, FieldCondition, Matcher, Scalar
from services.journey.domain.touchpoint import Touchpoint

Get = Callable[[Touchpoint], object]
Test = Callable[[Touchpoint], bool]

_PLAIN = frozenset(Touchpoint.__struct_fields__) - {"refs", "attributes", "customer", "score", "value"}
_TIMES = frozenset({"occurred_at", "received_at", "due_at", "sent_at", "reported_at"})
_ON_SCALE = re.compile(r"score\.on_(?P<scale>[1-9][0-9]{0,2})")
_MONEY_AND_SCORE = frozenset({"score.metric", "score.value", "score.scale", "value.amount", "value.currency"})


class InvalidRuleError(ValueError):
    """A part of a rule has no meaning; the message says which part and why."""


class CompiledMatcher(msgspec.Struct, frozen=True):
    """A matcher ready to run: only touchpoints of `kinds` can match (None: any kind), and `test`, if any, decides."""

    kinds: frozenset[str] | None
    test: Test | None

    def matches(self, touchpoint: Touchpoint) -> bool:
        """Return whether the matcher matches `touchpoint`."""
        return (self.kinds is None or touchpoint.kind in self.kinds) and (self.test is None or self.test(touchpoint))


def mentions_field(rule: object, field: str) -> bool:
    """Return whether `rule` looks at `field` anywhere: in a matcher, or in what it compares or counts."""
    if isinstance(rule, msgspec.Struct):
        return any(mentions_field(getattr(rule, member), field) for member in rule.__struct_fields__)
    if isinstance(rule, dict):
        return field in rule or any(mentions_field(value, field) for value in rule.values())
    if isinstance(rule, tuple | list):
        return any(mentions_field(one, field) for one in rule)
    return rule == field


def field_getter(field: str) -> Get:
    """Return a reader of `field`, which gives None where it is unknown; raise `InvalidRuleError` for no such field."""
    if field in _PLAIN:
        return attrgetter(field)
    if field in _MONEY_AND_SCORE:
        return _of_struct(*field.split("."))
    if scale := _ON_SCALE.fullmatch(field):
        return _score_on(int(scale["scale"]))
    family, _, name = field.partition(".")
    if not name:
        raise InvalidRuleError(_no_such(field))
    if family == "refs":
        return lambda touchpoint: touchpoint.refs.get(name)
    if family == "attributes":
        return _nested(name)
    if family == "customer":
        return _identifier(name)
    raise InvalidRuleError(_no_such(field))


def _no_such(field: str) -> str:
    known = {
        *_PLAIN,
        *_MONEY_AND_SCORE,
        "score.on_7",
        *(f"{family}.…" for family in ("refs", "attributes", "customer")),
    }
    near = get_close_matches(field, sorted(known), n=1)
    family, _, name = field.partition(".")
    if name and (families := get_close_matches(family, ["refs", "attributes", "customer"], n=1)):
        near = [f"{families[0]}.{name}"]
    return f"a touchpoint has no field {field!r}" + (f"; did you mean {near[0]}?" if near else "")


def number(get: Get) -> Callable[[Touchpoint], int | float | None]:
    """Return a reader of numbers, which gives None where the field is unknown or no number."""

    def read(touchpoint: Touchpoint) -> int | float | None:
        value = get(touchpoint)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    return read


def compile_matcher(matcher: Matcher) -> CompiledMatcher:
    """Compile `matcher`; raise `InvalidRuleError` if it has no meaning."""
    clauses = matcher if isinstance(matcher, tuple) else (matcher,)
    if not clauses or not all(clauses):
        return CompiledMatcher(None, None)
    kinds = [_kinds(clause) for clause in clauses]
    common = None if None in kinds else frozenset().union(*(found for found in kinds if found is not None))
    if all(found is not None and len(clause) == 1 for found, clause in zip(kinds, clauses, strict=True)):
        return CompiledMatcher(common, None)
    if len(clauses) == 1:
        return CompiledMatcher(
            common, _all({field: want for field, want in clauses[0].items() if field != "kind" or not common})
        )
    tests = [_all(clause) for clause in clauses]
    return CompiledMatcher(common, lambda touchpoint: any(test(touchpoint) for test in tests))


def _kinds(clause: Clause) -> frozenset[str] | None:
    """Return the kinds that `clause` demands by name; None if it names none."""
    want = clause.get("kind")
    if isinstance(want, str):
        return frozenset({want})
    if isinstance(want, tuple):
        return frozenset(str(kind) for kind in want)
    return None


def _all(clause: Clause) -> Test:
    tests = [_test(field, want) for field, want in clause.items()]
    if len(tests) == 1:
        return tests[0]
    return lambda touchpoint: all(test(touchpoint) for test in tests)


def _test(field: str, want: Scalar | tuple[Scalar, ...] | FieldCondition) -> Test:
    get = field_getter(field)
    if isinstance(want, FieldCondition):
        return _condition(field, get, want)
    if field in _TIMES:
        raise InvalidRuleError(f"{field} is a time: it can only be asked for with exists")
    return _is_one_of(get, want if isinstance(want, tuple) else (want,))


def _condition(field: str, get: Get, want: FieldCondition) -> Test:
    tests = [*_bounds(get, want)]
    if want.exists is not None:
        exists = want.exists
        tests.append(lambda touchpoint: (get(touchpoint) is not None) == exists)
    if want.is_not is not None:
        unwanted = _is_one_of(get, want.is_not if isinstance(want.is_not, tuple) else (want.is_not,))
        tests.append(lambda touchpoint: get(touchpoint) is not None and not unwanted(touchpoint))
    if want.contains is not None:
        tests.append(_contains(get, want.contains.casefold()))
    if not tests:
        raise InvalidRuleError(f"nothing is asked of {field}")
    if field in _TIMES and (len(tests) > 1 or want.exists is None):
        raise InvalidRuleError(f"{field} is a time: it can only be asked for with exists")
    return tests[0] if len(tests) == 1 else lambda touchpoint: all(test(touchpoint) for test in tests)


def _bounds(get: Get, want: FieldCondition) -> list[Test]:
    read = number(get)
    tests: list[Test] = []
    if (gt := want.gt) is not None:
        tests.append(lambda touchpoint: (n := read(touchpoint)) is not None and n > gt)
    if (gte := want.gte) is not None:
        tests.append(lambda touchpoint: (n := read(touchpoint)) is not None and n >= gte)
    if (lt := want.lt) is not None:
        tests.append(lambda touchpoint: (n := read(touchpoint)) is not None and n < lt)
    if (lte := want.lte) is not None:
        tests.append(lambda touchpoint: (n := read(touchpoint)) is not None and n <= lte)
    return tests


def _is_one_of(get: Get, wanted: tuple[Scalar, ...]) -> Test:
    if all(isinstance(want, str) for want in wanted):
        if len(wanted) == 1:
            only = wanted[0]
            return lambda touchpoint: get(touchpoint) == only
        return lambda touchpoint: get(touchpoint) in wanted
    return lambda touchpoint: any(_same(get(touchpoint), want) for want in wanted)


def _same(value: object, want: Scalar) -> bool:
    """Return whether both are equal and of one sort: 1 equals 1.0, but true does not equal 1."""
    return value == want and isinstance(value, bool) == isinstance(want, bool)


def _contains(get: Get, want: str) -> Test:
    def test(touchpoint: Touchpoint) -> bool:
        value = get(touchpoint)
        return isinstance(value, str) and want in value.casefold()

    return test


def _of_struct(member: str, name: str) -> Get:
    def read(touchpoint: Touchpoint) -> object:
        struct = getattr(touchpoint, member)
        return None if struct is None else getattr(struct, name)

    return read


def _score_on(scale: int) -> Get:
    def read(touchpoint: Touchpoint) -> object:
        score = touchpoint.score
        return None if score is None or not score.scale else score.value * scale / score.scale

    return read


def _nested(path: str) -> Get:
    names = path.split(".")

    def read(touchpoint: Touchpoint) -> object:
        node: object = touchpoint.attributes
        for name in names:
            node = node.get(name) if isinstance(node, dict) else None
        return node

    return read


def _identifier(name: str) -> Get:
    type_, _, member = name.partition(".")
    if member not in {"", "verified"}:
        raise InvalidRuleError(f"an identifier has no member {member!r}")

    def read(touchpoint: Touchpoint) -> object:
        identifier = touchpoint.customer.get(type_)
        if identifier is None:
            return None
        return identifier.verified if member else identifier.value

    return read
