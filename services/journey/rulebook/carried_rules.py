"""Rules that look at the frictions of others: those that they name are put into them.

A rule that is stored is whole: it carries the rules that it looks at, so that a change of one is a change of both.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

MEMBER = "frictions"
"""What names other rules in a rule."""

CARRIED_SHAPES = frozenset({"count", "sequence", "threshold", "absence", "response", "aggregate"})

_LEFT_OUT = frozenset({"playbook", "implies", "severity_by_service_level", "enabled"})
"""Members that say nothing about what a rule finds. Its cool-down and cap are kept: they stand in the rule."""


def in_place(rule: dict[str, Any], rules: Mapping[str, dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Return the rule with the rules that it names in it, and what is wrong with its naming them."""
    if MEMBER not in rule:
        return rule, []
    carried, problems = [], []
    for named in rule[MEMBER]:
        if isinstance(named, dict):
            carried.append(named)
        elif named not in rules:
            near = get_close_matches(named, list(rules), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"{rule['id']}: {MEMBER}: there is no rule {named}{hint}")
        elif rules[named]["shape"] not in CARRIED_SHAPES:
            problems.append(f"{rule['id']}: {MEMBER}: {named} looks at more than touchpoints; name what it looks at")
        else:
            carried.append({name: value for name, value in rules[named].items() if name not in _LEFT_OUT})
    return {**rule, MEMBER: carried}, problems


def all_in_place(rules: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rules, each with those that it names in it; left out are those that name what they cannot."""
    known = {rule["id"]: rule for rule in rules}
    placed = [in_place(rule, known) for rule in rules]
    return [rule for rule, wrong in placed if not wrong], [problem for _, wrong in placed for problem in wrong]
