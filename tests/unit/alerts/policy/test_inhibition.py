"""Inhibition: equal labels, missing ones, and issues that match both sides."""

from uuid import UUID

from services.alerts.policy.inhibition import InhibitionSource, InhibitRule, find_inhibitor, sources_of, target_keys
from services.alerts.policy.matchers import Labels, parse_matchers


def a_rule(source: str, target: str, *equal: str) -> InhibitRule:
    return InhibitRule(
        id=UUID(int=1),
        name="r",
        source_matchers=parse_matchers(source),
        target_matchers=parse_matchers(target),
        equal=equal,
    )


def inhibitor(rule: InhibitRule, target: Labels, *sources: Labels) -> UUID | None:
    found: dict[str, list[InhibitionSource]] = {}
    for number, labels in enumerate(sources):
        for source in sources_of(UUID(int=number), labels, [rule]):
            found.setdefault(source.key, []).append(source)
    by = find_inhibitor(target, [rule], found)
    return by.source if by else None


OUTAGE = {"rule": ("payment_declines",), "reason": ("payment",), "severity": ("critical",)}
MILD = {"rule": ("long_wait",), "reason": ("payment",), "severity": ("low",)}


def test_a_source_inhibits_what_shares_its_labels() -> None:
    rule = a_rule("severity=critical", "severity!=critical", "reason")

    assert inhibitor(rule, MILD, OUTAGE) == UUID(int=0)
    assert inhibitor(rule, MILD, {**OUTAGE, "reason": ("delivery",)}) is None
    assert inhibitor(rule, MILD) is None


def test_a_label_that_both_lack_is_equal() -> None:
    rule = a_rule("severity=critical", "severity=low", "channel")

    assert inhibitor(rule, MILD, OUTAGE) == UUID(int=0)
    assert inhibitor(rule, {**MILD, "channel": ("web",)}, OUTAGE) is None


def test_what_matches_both_sides_is_inhibited_by_a_pure_source_alone() -> None:
    rule = a_rule("reason=payment", 'rule=~".+"', "reason")
    pure = {"reason": ("payment",)}

    assert inhibitor(rule, MILD, OUTAGE, MILD) is None
    assert inhibitor(rule, MILD, OUTAGE, pure) == UUID(int=1)


def test_a_source_of_one_rule_is_found_under_that_rule_alone() -> None:
    rule = a_rule("severity=critical", "severity=low", "reason")

    assert target_keys(MILD, [rule]) == [sources_of(UUID(int=0), OUTAGE, [rule])[0].key]
    assert target_keys(OUTAGE, [rule]) == []
