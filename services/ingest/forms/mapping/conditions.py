"""When a rule holds: a fixed set of comparisons of what stands at a path, compiled once. Pure.

Here case does not matter. An import compares the cells of a column itself (`waymark.imports.mapping.recipe`): there
case does matter, blanks around a cell do not, and true is also what a person of any country writes for it.
"""

import hmac
import re
from collections.abc import Callable, Sequence
from functools import partial

from services.ingest.forms.mapping.definitions import EventCondition, Scalar, Wanted, When
from services.ingest.forms.mapping.faults import MappingRuleError
from services.ingest.forms.mapping.readings import as_text
from services.ingest.forms.mapping.values import Context, PathCompiler, Reader

ConditionTest = Callable[[Context], bool]


def compile_condition(when: When | list[When], find: PathCompiler[Context]) -> ConditionTest[Context]:
    """Return the test that `when` means: all of its conditions, of a list any one group.

    Raises:
        MappingRuleError: a path cannot be read.
    """
    groups = [
        every([_test(path, wanted, find) for path, wanted in group.items()])
        for group in (when if isinstance(when, list) else [when])
    ]
    return groups[0] if len(groups) == 1 else lambda view: any(group(view) for group in groups)


def every(tests: Sequence[ConditionTest[Context]]) -> ConditionTest[Context]:
    """Return the test that holds when all of these do."""
    return tests[0] if len(tests) == 1 else lambda view: all(test(view) for test in tests)


def _test(path: str, wanted: Wanted, find: PathCompiler[Context]) -> ConditionTest[Context]:
    get = find(path)
    if isinstance(wanted, EventCondition):
        return _condition(get, wanted, find)
    values = _folded(wanted if isinstance(wanted, list) else [wanted])
    return lambda view: _text(get, view) in values


def _condition(get: Reader[Context], wanted: EventCondition, find: PathCompiler[Context]) -> ConditionTest[Context]:
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
        compare(get, find(other))
        for other, compare in (
            (wanted.same_as, partial(_compared, same=True)),
            (wanted.differs_from, partial(_compared, same=False)),
            (wanted.not_in, _not_in),
            (wanted.other_domain_than, _of_other_domain),
        )
        if other is not None
    ]
    if not tests and not compared:
        raise MappingRuleError("a condition that says nothing")
    return lambda view: all(test(_text(get, view)) for test in tests) and all(test(view) for test in compared)


def _compared(get: Reader[Context], other: Reader[Context], *, same: bool) -> ConditionTest[Context]:
    """Whether two values that are both there are the same; in constant time, as one of them may be a secret."""

    def test(view: Context) -> bool:
        left, right = as_text(get(view)).encode(), as_text(other(view)).encode()
        return bool(left and right) and hmac.compare_digest(left, right) is same

    return test


_ADDRESS = re.compile(r'[^\s<>,;:"()]+@[^\s<>,;:"()]+')


def _not_in(get: Reader[Context], other: Reader[Context]) -> ConditionTest[Context]:
    def test(view: Context) -> bool:
        listed = {one.strip() for one in _text(other, view).split(",")}
        return not any({one, _domain(one)} & listed for one in _ADDRESS.findall(_text(get, view)))

    return test


def _of_other_domain(get: Reader[Context], other: Reader[Context]) -> ConditionTest[Context]:
    def test(view: Context) -> bool:
        own = {_domain(one) for one in _ADDRESS.findall(_text(other, view))}
        return not any(_domain(one) in own for one in _ADDRESS.findall(_text(get, view)))

    return test


def _domain(address: str) -> str:
    return "@" + address.rpartition("@")[2]


def _text(get: Reader[Context], view: Context) -> str:
    return as_text(get(view)).casefold()


def _folded(values: list[Scalar]) -> frozenset[str]:
    return frozenset(as_text(value).casefold() for value in values)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("-inf")
