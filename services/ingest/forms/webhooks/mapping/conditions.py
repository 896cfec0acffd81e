"""Conditions on an event: a fixed set of comparisons, compiled once; no expression is ever evaluated. Pure."""

import hmac
import re
from collections.abc import Callable

from services.ingest.forms.webhooks.mapping.paths import EventContext, EventPathError, Getter, as_text, compile_path
from services.ingest.forms.webhooks.mapping.system_schema import EventCondition, Scalar, Wanted, When
from services.ingest.forms.webhooks.mapping.values import ValueSpecError

ConditionTest = Callable[[EventContext], bool]


def compile_condition(when: When | list[When]) -> ConditionTest:
    """Return the test that `when` means: all of its conditions, of a list any one group.

    Raises:
        ValueSpecError: a path cannot be read.
    """
    groups = [[_test(path, wanted) for path, wanted in group.items()] for group in _groups(when)]
    return lambda view: any(all(test(view) for test in tests) for tests in groups)


def _groups(when: When | list[When]) -> list[When]:
    return when if isinstance(when, list) else [when]


def _test(path: str, wanted: Wanted) -> ConditionTest:
    get = _getter(path)
    if isinstance(wanted, EventCondition):
        return _condition(get, wanted)
    values = _folded(wanted if isinstance(wanted, list) else [wanted])
    return lambda view: _text(get, view) in values


def _condition(get: Getter, wanted: EventCondition) -> ConditionTest:
    tests: list[Callable[[str], bool]] = []
    if wanted.one_of is not None:
        included = _folded(list(wanted.one_of))
        tests.append(lambda text: text in included)
    if wanted.none_of is not None:
        excluded = _folded(list(wanted.none_of))
        tests.append(lambda text: text not in excluded)
    if wanted.exists is not None:
        tests.append(lambda text: bool(text) is wanted.exists)
    if wanted.starts_with is not None:
        tests.append(lambda text: text.startswith((wanted.starts_with or "").casefold()))
    if wanted.ends_with is not None:
        tests.append(lambda text: text.endswith((wanted.ends_with or "").casefold()))
    if wanted.at_least is not None:
        tests.append(lambda text: _number(text) >= (wanted.at_least or 0))
    compared = [
        compare(get, _getter(other))
        for other, compare in (
            (wanted.same_as, _same),
            (wanted.differs_from, _different),
            (wanted.not_in, _not_in),
            (wanted.other_domain_than, _of_other_domain),
        )
        if other is not None
    ]
    if not tests and not compared:
        raise ValueSpecError("a condition that says nothing")
    return lambda view: all(test(_text(get, view)) for test in tests) and all(test(view) for test in compared)


def _getter(path: str) -> Getter:
    try:
        return compile_path(path)
    except EventPathError as error:
        raise ValueSpecError(str(error)) from None


def _same(get: Getter, other: Getter) -> ConditionTest:
    return _compared(get, other, same=True)


def _different(get: Getter, other: Getter) -> ConditionTest:
    return _compared(get, other, same=False)


def _compared(get: Getter, other: Getter, *, same: bool) -> ConditionTest:
    """Whether two values that are both there are the same; in constant time, as one of them may be a secret."""

    def test(view: EventContext) -> bool:
        left, right = as_text(get(view)).encode(), as_text(other(view)).encode()
        return bool(left and right) and hmac.compare_digest(left, right) is same

    return test


_ADDRESS = re.compile(r'[^\s<>,;:"()]+@[^\s<>,;:"()]+')


def _not_in(get: Getter, other: Getter) -> ConditionTest:
    def test(view: EventContext) -> bool:
        listed = {one.strip() for one in _text(other, view).split(",")}
        return not any({one, _domain(one)} & listed for one in _ADDRESS.findall(_text(get, view)))

    return test


def _of_other_domain(get: Getter, other: Getter) -> ConditionTest:
    def test(view: EventContext) -> bool:
        own = {_domain(one) for one in _ADDRESS.findall(_text(other, view))}
        return not any(_domain(one) in own for one in _ADDRESS.findall(_text(get, view)))

    return test


def _domain(address: str) -> str:
    return "@" + address.rpartition("@")[2]


def _text(get: Getter, view: EventContext) -> str:
    return as_text(get(view)).casefold()


def _folded(values: list[Scalar]) -> frozenset[str]:
    return frozenset(as_text(value).casefold() for value in values)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("-inf")
