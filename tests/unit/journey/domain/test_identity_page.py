"""The page about identity says what the decisions are."""

from tests.unit.journey.domain.identity_page import PAGE, render


def test_the_page_is_what_the_table_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "python -m tests.unit.journey.domain.identity_page"
