import re
import string
from enum import StrEnum

import pytest

from schemas.identifiers.spelling import DropReason
from schemas.languages import Language
from services.ingest.reasons import (
    STATUS,
    ItemOutcome,
    RepairKind,
    RequestRefusal,
    ResponseSummary,
    TouchpointRejection,
    UnavailabilityReason,
)
from services.ingest.results.messages import SENTENCES, ExplainedReason, say

LISTS: list[type[StrEnum]] = [
    TouchpointRejection,
    DropReason,
    RepairKind,
    UnavailabilityReason,
    ResponseSummary,
    RequestRefusal,
]
REASONS = [reason for list_ in LISTS for reason in list_]


def test_no_reason_stands_in_two_lists() -> None:
    values = [str(reason) for reason in [*REASONS, *ItemOutcome]]

    assert sorted(values) == sorted(set(values))


def test_every_reason_has_its_words_and_every_refusal_its_status() -> None:
    assert set(SENTENCES) == set(REASONS)
    assert set(STATUS) == set(RequestRefusal)


@pytest.mark.parametrize("reason", SENTENCES, ids=str)
def test_both_languages_say_the_same_facts_and_codes(reason: ExplainedReason) -> None:
    facts, codes = [], []
    for language in Language:
        text = SENTENCES[reason][language]
        facts.append({name for _, name, _, _ in string.Formatter().parse(text) if name})
        codes.append(set(re.findall(r"`[^`]+`", text)))

    assert facts[0] == facts[1]
    assert codes[0] == codes[1]
    assert re.search("[가-힣]", SENTENCES[reason][Language.KO])


def test_a_sentence_is_filled_in() -> None:
    assert "at" not in say(TouchpointRejection.ITEM_TOO_LARGE, Language.KO, limit=7).split()
    assert "7" in say(TouchpointRejection.ITEM_TOO_LARGE, Language.KO, limit=7)
    assert '{"touchpoints": [...]}' in say(RequestRefusal.EMPTY_BODY, Language.EN)
