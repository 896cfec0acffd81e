import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.touchpoint.normalisation import compose, is_composed

HANGUL = "한글"
JAMO = "\u1112\u1161\u11ab\u1100\u1173\u11af"  # the same two syllables, as some file systems write them


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"text": JAMO}, {"text": HANGUL}, id="text"),
        pytest.param({"refs": {JAMO: JAMO}}, {"refs": {HANGUL: HANGUL}}, id="names and values inside"),
        pytest.param({"a": [JAMO, {"b": JAMO}]}, {"a": [HANGUL, {"b": HANGUL}]}, id="lists"),
        pytest.param({"id": JAMO}, {"id": JAMO}, id="the verbatim member is left"),
        pytest.param({"attributes": {"id": JAMO}}, {"attributes": {"id": HANGUL}}, id="but not one inside"),
        pytest.param({"n": 1, "b": None, "f": [1.5]}, {"n": 1, "b": None, "f": [1.5]}, id="what is no text"),
    ],
)
def test_text_is_composed(before: dict[str, Any], after: dict[str, Any]) -> None:
    compose(before, verbatim="id")

    assert before == after


@pytest.mark.parametrize(
    ("document", "composed"),
    [
        (b'{"a":"b"}', True),
        (f'{{"a":"{HANGUL}"}}'.encode(), True),
        (f'{{"a":"{JAMO}"}}'.encode(), False),
        (b'{"a":"\\u1100\\u1161"}', False),
    ],
)
def test_a_composed_document_is_known_at_a_glance(document: bytes, composed: bool) -> None:
    assert is_composed(document) is composed


@given(st.text(max_size=20))
def test_composing_makes_nfc(text: str) -> None:
    node = {"text": text}
    compose(node)

    assert node["text"] == unicodedata.normalize("NFC", text)
