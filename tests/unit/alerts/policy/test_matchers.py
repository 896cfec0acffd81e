"""Matchers: how they are written, and labels with several values."""

import time

import pytest

from services.alerts.policy.matchers import MatcherError, parse_matcher, parse_matchers


@pytest.mark.parametrize(
    ("text", "name", "operator", "value"),
    [
        ('reason="billing"', "reason", "=", "billing"),
        ("reason=billing", "reason", "=", "billing"),
        ('  reason  !=  "billing"  ', "reason", "!=", "billing"),
        ("reason=", "reason", "=", ""),
        ('reason=""', "reason", "=", ""),
        (r'reason="say \"no\""', "reason", "=", 'say "no"'),
        (r'reason="a\nb"', "reason", "=", "a\nb"),
        (r'reason=~"\d+"', "reason", "=~", r"\d+"),
        (r"reason=a\\", "reason", "=", "a\\"),
        ("reason=~high|critical", "reason", "=~", "high|critical"),
        ('reason="요금"', "reason", "=", "요금"),
    ],
)
def test_a_matcher_is_read_and_written(text: str, name: str, operator: str, value: str) -> None:
    matcher = parse_matcher(text)

    assert (matcher.name, matcher.operator, matcher.value) == (name, operator, value)
    assert parse_matcher(str(matcher)) == matcher


@pytest.mark.parametrize(
    "text", ["reason", '="x"', 'reason="x', 'reason=x"', 'reason="a"b"', "1a=b", "a-b=c", 'reason=~"("', 'a=~"(?<x"']
)
def test_what_is_no_matcher_says_how_to_write_one(text: str) -> None:
    with pytest.raises(MatcherError, match=r"."):
        parse_matcher(text)


def test_several_stand_in_braces_and_a_comma_in_quotation_marks_is_part_of_a_value() -> None:
    assert [str(one) for one in parse_matchers('{a="1,2", b!~"x",}')] == ['a="1,2"', 'b!~"x"']


LABELS = {"rule": ("long_wait", "repeat_contact_24h"), "channel": ("phone",)}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("rule=long_wait", True),
        ("rule!=long_wait", False),
        ("rule!=transfers", True),
        ('rule=~"repeat_.*"', True),
        ('rule=~"repeat"', False),  # anchored at both ends
        ('rule!~"repeat_.*"', False),
        ("reason=", True),
        ("reason!=", False),
        ('reason=~".*"', True),
        ('reason=~".+"', False),
        ("channel!=", True),
    ],
)
def test_any_value_fulfils_and_none_may_contradict(text: str, matches: bool) -> None:
    assert parse_matcher(text).matches(LABELS) is matches


def test_no_pattern_takes_forever() -> None:
    matcher = parse_matcher('reason=~"(a+)+b"')
    started = time.perf_counter()

    assert matcher.matches({"reason": ("a" * 5000,)}) is False
    assert time.perf_counter() - started < 1
