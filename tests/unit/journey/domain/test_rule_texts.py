"""Titles and explanations: what each place says, in English and in Korean."""

from typing import Any

import pytest

from services.journey.domain.rules.placeholders import duration
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import DAYS, a_rule, at, call, found, seen


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (0, "0 seconds", "0초"),
        (0.9, "0 seconds", "0초"),
        (1, "1 second", "1초"),
        (59.9, "59 seconds", "59초"),
        (60, "1 minute", "1분"),
        (61, "1 minute 1 second", "1분 1초"),
        (412, "6 minutes 52 seconds", "6분 52초"),
        (3_600, "1 hour", "1시간"),
        (3_725, "1 hour 2 minutes", "1시간 2분"),
        (86_400, "1 day", "1일"),
        (2 * 86_400 + 3 * 3_600 + 4 * 60 + 5, "2 days 3 hours", "2일 3시간"),
    ],
)
def test_a_duration_is_reported_in_its_two_largest_units(seconds: float, english: str, korean: str) -> None:
    assert (duration(seconds, "en"), duration(seconds, "ko")) == (english, korean)


def says(places: str, *history: RecordedTouchpoint, **members: Any) -> tuple[str, str, str, str]:
    """The title in both languages, then the explanation, of the last finding of a rule with `places` in all four."""
    rules = a_rule(
        **members,
        title={"en": f"T {places}", "ko": f"제목 {places}"},
        explanation={"en": f"E {places}", "ko": f"설명 {places}"},
    )
    (*_, finding) = found("mine", *history, rules=rules)
    title, explanation = rules.texts(finding)
    return title.en, title.ko, explanation.en, explanation.ko


COUNT = {"shape": "count", "contacts": True, "at_least": 2}
CALLS = [call("a"), call("b", 62)]


def test_title_and_explanation_are_filled_in_both_languages() -> None:
    words = says("{{{count} times in {span}}}", *CALLS, **COUNT)
    assert words == (
        "T {2 times in 1 hour 2 minutes}",
        "제목 {2 times in 1시간 2분}",
        "E {2 times in 1 hour 2 minutes}",
        "설명 {2 times in 1시간 2분}",
    )


@pytest.mark.parametrize(
    ("places", "english", "korean", "history", "members"),
    [
        pytest.param("{within}", "1 day", "1일", CALLS, {**COUNT, "within": "24h"}, id="a window"),
        pytest.param("{within}", "not known", "알 수 없음", CALLS, COUNT, id="no window"),
        pytest.param("{reason}", "not known", "알 수 없음", CALLS, COUNT, id="no reason"),
        pytest.param("{reason}", "환불", "환불", [call("a"), call("b", 1, reason="환불")], COUNT, id="a reason"),
        pytest.param(
            "{channel}", "text message", "문자", [call("a"), call("b", 1, channel="sms")], COUNT, id="a channel"
        ),
        pytest.param(
            "{channel}", "fax", "fax", [call("a"), call("b", 1, channel="fax")], COUNT, id="a channel without a name"
        ),
        pytest.param(
            "{span}",
            "2 days",
            "2일",
            [call("a"), call("b", 2 * DAYS)],
            {"shape": "sequence", "steps": [{"contacts": True}, {"contacts": True}]},
            id="the span of steps",
        ),
        pytest.param(
            "{values}",
            "not known",
            "알 수 없음",
            CALLS,
            {"shape": "sequence", "steps": [{"contacts": True}, {"contacts": True}]},
            id="steps have no values",
        ),
        pytest.param(
            "{values}",
            "A > B",
            "A > B",
            [seen("a", queue="A"), seen("b", 1, queue="B")],
            {"shape": "sequence", "field": "queue", "pattern": ["a", "b"]},
            id="a pattern has",
        ),
        pytest.param(
            "{value}/{limit} {value_time}/{limit_time}",
            "412.5/120 6 minutes 52 seconds/2 minutes",
            "412.5/120 6분 52초/2분",
            [call("a", wait_s=412.46)],
            {"shape": "threshold", "field": "wait_s", "limits": [{"gt": 120}]},
            id="a number has one decimal at most",
        ),
        pytest.param(
            "{value}",
            "300",
            "300",
            [call("a", wait_s=300.0)],
            {"shape": "threshold", "field": "wait_s", "limits": [{"gt": 120}]},
            id="and none where it is whole",
        ),
        pytest.param(
            "{due_at} {waited}",
            "2026-11-22 01:15 UTC 1 hour 15 minutes",
            "2026-11-22 01:15 UTC 1시간 15분",
            [seen("p", 0, "callback_promised", due_at=at(60))],
            {"shape": "absence", "after": {"kind": "callback_promised"}, "expect": {}, "grace": "15m"},
            id="a promise",
        ),
    ],
)
def test_what_stands_for_each_place(
    places: str, english: str, korean: str, history: list[RecordedTouchpoint], members: dict[str, Any]
) -> None:
    _, _, explanation_en, explanation_ko = says(places, *history, **members)
    assert (explanation_en, explanation_ko) == (f"E {english}", f"설명 {korean}")
