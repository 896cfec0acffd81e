"""What a rule must see in a history to find anything: kinds of touchpoints, and fields that hardly any of them has.

A rule whose input is not there is not asked. What is said here only rules out: a rule that is asked may find nothing.
"""

from collections.abc import Iterable, Iterator

import msgspec

from services.journey.domain.history import RARE_FIELDS
from services.journey.domain.rules.matching import compile_matcher
from services.journey.domain.rules.rule import FieldCondition, Matcher, Rule


class InputNeed(msgspec.Struct, frozen=True, gc=False):
    """A touchpoint must be of one of `kinds` (None: of any), and each of `fields` must be there somewhere."""

    kinds: frozenset[str] | None
    fields: frozenset[str]

    def is_met(self, kinds: frozenset[str], fields: frozenset[str]) -> bool:
        """Return whether a history with these kinds and rare fields has what is needed."""
        return (self.kinds is None or not self.kinds.isdisjoint(kinds)) and self.fields <= fields


NOTHING_NEEDED: tuple[InputNeed, ...] = ()


def needs_of(rule: Rule) -> tuple[InputNeed, ...]:
    """Return what must be there, all of it, for `rule` to find anything; a shape says nothing that it does not have."""
    needs = [_of_matcher(matcher) for matcher in _required(rule)]
    named = {getattr(rule, member, None) for member in ("field", "distinct", "changes")}
    fields = frozenset(base for one in named if isinstance(one, str) and (base := _base(one)) in RARE_FIELDS)
    if fields:
        needs.append(InputNeed(None, fields))
    if stages := getattr(rule, "stages", ()):
        needs.append(_any_of(_of_matcher(stage.begins) for stage in stages))
    if carried := getattr(rule, "frictions", ()):
        needs.append(_any_of(_together(needs_of(one)) for one in carried))
    return tuple(need for need in needs if need.kinds is not None or need.fields)


def _required(rule: Rule) -> Iterator[Matcher]:
    """Yield the matchers each of which something must match."""
    for member in ("of", "after"):
        matcher = getattr(rule, member, None)
        if matcher:
            yield matcher
    for step in getattr(rule, "steps", ()):
        yield step.of


def _of_matcher(matcher: Matcher) -> InputNeed:
    clauses = matcher if isinstance(matcher, tuple) else (matcher,)
    needed = [
        frozenset(
            base
            for name, want in clause.items()
            if (base := _base(name)) in RARE_FIELDS and not (isinstance(want, FieldCondition) and want.exists is False)
        )
        for clause in clauses
    ]
    return InputNeed(compile_matcher(matcher).kinds, frozenset.intersection(*needed) if needed else frozenset())


def _any_of(needs: Iterable[InputNeed]) -> InputNeed:
    """Return what is needed where one of several needs is enough."""
    several = list(needs)
    known = [need.kinds for need in several if need.kinds is not None]
    kinds = frozenset().union(*known) if len(known) == len(several) else None
    return InputNeed(kinds, frozenset.intersection(*(need.fields for need in several)))


def _together(needs: Iterable[InputNeed]) -> InputNeed:
    """Return needs that must all be met as one, which may ask for less."""
    several = list(needs)
    kinds = next((need.kinds for need in several if need.kinds is not None), None)
    return InputNeed(kinds, frozenset().union(*(need.fields for need in several)))


def _base(field: str) -> str:
    return field.partition(".")[0]
