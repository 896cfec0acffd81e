"""Readers of Korean see words: no code of ours, and none of those that producers send everywhere."""

import re

import pytest

from schemas.vocabulary import CHANNELS_IN_KOREAN, OUTCOMES_IN_KOREAN, REASONS_IN_KOREAN
from services.alerts.deliver.notifiers.notifier import ReaderOptions
from services.alerts.deliver.notifiers.samples import sample_messages
from services.alerts.deliver.notifiers.wording import WordedMessage, word_message
from services.alerts.outbreaks import outbreak_holding
from tests.architecture.tree import ROOT

CODES = re.compile(r"\b(billing|payment|unresolved|retracted|called_back|case_id|premium|phone|web|failing|critical)\b")
TEAMS = {"premium care"}
"""What people named themselves stays as they named it."""


def all_of(worded: WordedMessage) -> str:
    facts = [part for name, value in worded.facts if value not in TEAMS for part in (name, value)]
    said = (worded.headline, worded.severity, worded.status, worded.why, worded.playbook, *facts, *worded.steps)
    return "\n".join(said)


@pytest.mark.parametrize("sample", sorted(sample_messages()))
def test_no_code_reaches_a_reader_of_korean(sample: str) -> None:
    text = all_of(word_message(sample_messages()[sample], ReaderOptions(language="ko")))

    assert not CODES.findall(re.sub(r"billing \(✓ minji\), payments", "", text))


def test_control_english_holds_some_of_them() -> None:
    text = "".join(all_of(word_message(one, ReaderOptions(language="en"))) for one in sample_messages().values())

    assert set(CODES.findall(text)) >= {"billing", "payment", "unresolved", "case_id"}


@pytest.mark.parametrize(("of", "words"), [("reason", REASONS_IN_KOREAN), ("said", OUTCOMES_IN_KOREAN)])
def test_the_console_says_the_same_words(of: str, words: dict[str, str]) -> None:
    page = (ROOT / "services/console/pages/texts/ko.js").read_text(encoding="utf-8")
    [block] = re.findall(rf"^  {of}: {{(.*?)}},$", page, flags=re.DOTALL | re.MULTILINE)

    assert dict(re.findall(r'(\w+): "([^"]*)"', block)) == words


def test_outbreaks_call_channels_as_the_contract_does() -> None:
    assert outbreak_holding._CHANNELS_KO == CHANNELS_IN_KOREAN
