from datetime import UTC, datetime

import pytest

from services.ingest.inspector import hints
from tests.unit.ingest.mistakes import DOCUMENT, MISTAKES, Mistake, document, make


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
async def test_the_inspector_says_what_is_wrong_and_how_to_mend_it_in_both_languages(mistake: Mistake) -> None:
    answer, seen = await make(mistake)

    assert answer.status >= 400
    assert {entry["code"] for entry in seen.values()} == {mistake.code}
    english, korean = seen["en"], seen["ko"]
    assert any("가" <= character <= "힣" for character in korean["message"])
    assert not any("가" <= character <= "힣" for character in english["message"])
    assert english["message"] in {
        answer.json["message"],
        *(result["message"] for result in answer.json.get("results", [])),
    }


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("occurred_at", 1_795_306_440_000, "milliseconds"),
        ("occurred_at", "1795306440", "seconds"),
        ("occurred_at", "2026-11-22 09:14", "offset is missing"),
        ("occurred_at", "2026.11.22", "a date alone"),
        ("occurred_at", "2026-11-22T09:14:10Z", "about 9 h ahead"),
        ("occurred_at", "2026-11-22T00:20:00Z", None),
        ("occurred_at", "9999-12-31T23:59:59-12:00", None),
        ("channel", "Call-Center", "`phone`"),
        ("channel", "카카오톡", "`messenger`"),
        ("channel", "fax", None),
        ("customer.phone", "123-4567", "area code"),
        ("customer.phone", "010-1234-5678", None),
        ("wait_s", "412", "without them"),
        ("customer.customer_id", 1009, "in quotes"),
        ("replay", True, None),
        ("text", "412", None),
    ],
)
def test_a_guess_is_made_from_the_shape_and_quotes_nothing(path: str, value: object, says: str | None) -> None:
    hint = hints.guess(path, value, datetime(2026, 11, 22, 0, 15, tzinfo=UTC))

    if says is None:
        assert hint is None
    else:
        assert hint is not None
        assert says in hint.english
        assert str(value) not in hint.english + hint.korean


async def test_the_document_says_what_the_service_says() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == await document(), "python -m tests.unit.ingest.mistakes writes it"
