"""Texts of any length and any script are cut to the limits of every vendor, between graphemes."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.deliver.notifiers.cutting import (
    ELLIPSIS,
    characters,
    cut,
    last_lines,
    unlinked,
    utf8_bytes,
    utf16_units,
)
from services.alerts.deliver.notifiers.notifier import Outbound, OutboundMail, OutboundRequest
from services.alerts.deliver.notifiers.registry import OURS
from services.alerts.deliver.notifiers.samples import sample_bodies
from services.alerts.deliver.notifiers.told_message import ToldMessage, read_message
from tests.unit.alerts.notifiers.rendering import rendered

MEASURES = (characters, utf16_units, utf8_bytes)
FAMILY = "👨‍👩‍👧‍👦"
AWKWARD = st.lists(
    st.sampled_from(["a", " ", "가", "각", "👩‍💻", FAMILY, "e\u0301", "ש", "ع", "<", "&", "*", "](", "\n"]), max_size=60
).map("".join)


@given(text=AWKWARD | st.text(max_size=60), limit=st.integers(3, 80), measure=st.sampled_from(MEASURES))
def test_a_cut_text_is_within_the_limit_and_splits_no_grapheme(
    text: str, limit: int, measure: Callable[[str], int]
) -> None:
    done = cut(text, limit, measure)

    assert measure(done) <= limit
    if done != text:
        assert done.endswith(ELLIPSIS)
        graphemes = regex.findall(r"\X", text)
        kept = done.removesuffix(ELLIPSIS)
        starts = ["".join(graphemes[:count]).rstrip() for count in range(len(graphemes) + 1)]
        assert kept in starts


def test_korean_has_as_many_characters_as_syllables_and_thrice_the_bytes() -> None:
    assert (characters("세 번"), utf8_bytes("세 번"), utf16_units("😀")) == (3, 7, 2)
    assert cut("가나다라마", 4) == "가나다…"
    assert cut("가나다라마", 10, utf8_bytes) == "가나…"


def test_a_family_stays_together() -> None:
    assert cut(f"ab{FAMILY}c", 5) == "ab…"


def test_the_latest_lines_stay_and_the_others_are_counted() -> None:
    lines = [f"step {number}" for number in range(10)]

    assert last_lines(lines, 30, lambda n: f"+{n} earlier") == "+8 earlier\nstep 8\nstep 9"
    assert last_lines(lines, 1000, str) == "\n".join(lines)
    assert last_lines(lines, 3, lambda n: f"+{n} earlier") == ""


def test_no_link_is_made_of_what_producers_write() -> None:
    assert "](" not in unlinked("[billing](https://evil.example) <https://evil.example>")
    assert "<" not in unlinked("<https://evil.example>")


def a_message(text: str, sample: str, *, steps: int = 10, refs: int = 16) -> ToldMessage:
    """A message whose every free text is `text`."""
    document: dict[str, Any] = json.loads(sample_bodies()[sample])
    step = {
        "occurred_at": "2026-11-22T00:05:00Z",
        "channel": "phone",
        "kind": text or "k",
        "outcome": text,
        "reason": text,
    }
    document["data"] |= {
        "title": {"en": text, "ko": text},
        "reason": text,
        "team": text,
        "acknowledged_by": text or None,
        "refs": {f"{text}{number}": text for number in range(refs)},
        "timeline": [step] * steps,
    }
    return read_message(msgspec.json.encode(document))


LIMITS: dict[str, Callable[[dict[str, Any], int], bool]] = {
    "slack_webhook": lambda body, _: len(json.dumps(body["blocks"], ensure_ascii=False)) < 13_000,
    "slack_bot": lambda body, _: len(body["text"]) < 4_000,
    "teams_workflow": lambda _, size: size <= 21_000,
    "pagerduty": lambda body, size: size <= 512_000 and len(body.get("payload", {}).get("summary", "")) <= 1024,
    "jandi": lambda body, _: len(json.dumps(body, ensure_ascii=False)) < 5_500,
    "dooray": lambda body, _: len(json.dumps(body, ensure_ascii=False)) < 5_500,
    "servicenow": lambda body, _: (
        len(body["records"][0]["description"]) <= 4000
        and all(len(body["records"][0][name]) <= 100 for name in ("source", "node", "resource", "metric_name", "type"))
    ),
    "zendesk": lambda body, _: (
        utf8_bytes(body["ticket"]["comment"]["body"]) <= 65_535 and len(body["ticket"]["subject"]) <= 150
    ),
}


@pytest.mark.parametrize("kind", [one.kind for one in OURS if one.kind != "template"])
@pytest.mark.parametrize("sample", ["opened", "resolved"])
@pytest.mark.parametrize("unit", ["x", "가", FAMILY, "&<>", "ש ", "\n", ""])
@pytest.mark.parametrize("length", [200, 3000])
def test_no_message_is_too_large_for_its_vendor(kind: str, sample: str, unit: str, length: int) -> None:
    for one in rendered(kind, a_message(unit * length, sample)):
        assert within_limits(kind, one)


def within_limits(kind: str, one: Outbound) -> bool:
    if isinstance(one, OutboundMail):
        longest = max(len(line) for line in one.data.split(b"\r\n"))
        return longest <= 998  # RFC 5322, 2.1.1
    assert isinstance(one, OutboundRequest)
    body = json.loads(one.body)
    return LIMITS[kind](body, len(one.body)) if kind in LIMITS else True
