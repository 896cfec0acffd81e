"""What the documents say about the accuracy of sentiment is what comes out."""

import pytest

from tests.unit.ingest.sentiment_accuracy import (
    HARD,
    OUR_BORDER,
    PAGE,
    VADER_BORDER,
    accuracy,
    half,
    ours,
    page_with,
    sentences,
    vader,
)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_there_are_enough_sentences_and_half_of_them_are_hard(language: str) -> None:
    every = sentences(language)
    assert len({one.text for one in every}) == len(every) >= 400
    assert sum(one.difficulty in HARD for one in every) >= 200
    assert {one.difficulty for one in every} == {"plain", *HARD}


@pytest.mark.parametrize(("language", "least"), [("en", 0.85), ("ko", 0.89)])
def test_most_moods_are_told(language: str, least: float) -> None:
    assert accuracy(ours(), half(language, final=True), OUR_BORDER).share >= least


def test_english_is_told_better_than_by_vader() -> None:
    kept = half("en", final=True)
    assert accuracy(ours(), kept, OUR_BORDER).share > accuracy(vader(), kept, VADER_BORDER).share + 0.2


@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_effort_takes_for_negative_nearly_always_is(language: str) -> None:
    found = accuracy(ours(), sentences(language), OUR_BORDER)
    assert found.rightly_below_line / found.below_line > 0.95


def test_the_page_has_the_tables_of_now() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page_with(text) == text, "python -m tests.unit.ingest.sentiment_accuracy"
