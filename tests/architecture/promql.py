"""What a PromQL expression asks for: its metrics, the labels it matches or groups by, and the functions around them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser as promql

# Grafana fills these in; any legal value will do for reading the expression.
_VARIABLES = (("$__rate_interval", "1m"), ("$__interval", "1m"), ("$__range", "1h"))
RANGE_FUNCTIONS = {"rate", "increase", "irate", "delta", "deriv", "changes", "resets"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """One metric in an expression: what it is matched by, grouped by, and which function reads its range."""

    name: str
    matched: frozenset[str]
    grouped: frozenset[str]
    function: str
    range_s: float | None


def selectors(expression: str) -> list[Selector]:
    """Return every metric that `expression` reads.

    Raises:
        ValueError: when it does not parse.
    """
    for variable, value in _VARIABLES:
        expression = expression.replace(variable, value)
    return list(_selectors(promql.parse(expression), grouped=frozenset(), function=""))


def is_grouped_by_le(expression: str) -> bool:
    """Whether every histogram_quantile in `expression` keeps the label that it needs."""
    calls = expression.count("histogram_quantile(")
    return calls == len(re.findall(r"histogram_quantile\([\d.]+, sum by \((?:\w+, )*le(?:, \w+)*\)", expression))


def _selectors(node: promql.Expr, *, grouped: frozenset[str], function: str) -> Iterator[Selector]:
    match node:
        case promql.VectorSelector():
            yield _selector(node, grouped, function, None)
        case promql.MatrixSelector():
            yield _selector(node.vector_selector, grouped, function, node.range.total_seconds())
        case promql.Call():
            for argument in node.args:
                yield from _selectors(argument, grouped=grouped, function=node.func.name)
        case promql.AggregateExpr():
            by = node.modifier if node.modifier and node.modifier.type == promql.AggModifierType.By else None
            labels = frozenset(by.labels) if by else frozenset()
            yield from _selectors(node.expr, grouped=grouped | labels, function="")
        case promql.BinaryExpr():
            yield from _selectors(node.lhs, grouped=grouped, function="")
            yield from _selectors(node.rhs, grouped=grouped, function="")
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from _selectors(node.expr, grouped=grouped, function=function)


def _selector(node: promql.VectorSelector, grouped: frozenset[str], function: str, range_s: float | None) -> Selector:
    matched = frozenset(matcher.name for matcher in node.matchers.matchers)
    return Selector(name=node.name or "", matched=matched, grouped=grouped, function=function, range_s=range_s)
