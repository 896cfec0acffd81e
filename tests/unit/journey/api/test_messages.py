"""Every refusal speaks both languages, and to each caller the right one."""

import pytest

from services.journey.api.messages import ReadRefusal, preferred, refuse


@pytest.mark.parametrize("refusal", list(ReadRefusal))
def test_every_refusal_has_a_status_and_two_languages(refusal: ReadRefusal) -> None:
    english, korean = refuse(refusal, "en"), refuse(refusal, "ko")
    assert 400 <= english.status <= 503
    assert english.code == korean.code == refusal
    assert any("가" <= letter <= "힣" for letter in korean.message)
    assert english.message.isascii() or "…" in english.message


@pytest.mark.parametrize(
    ("header", "language"),
    [
        pytest.param(None, "en", id="no preference"),
        pytest.param("ko-KR", "ko", id="Korean"),
        pytest.param("en-US,en;q=0.9,ko;q=0.8", "en", id="English first"),
        pytest.param("fr, ko;q=0.5, en;q=0.1", "ko", id="neither first"),
        pytest.param("ko;q=0", "en", id="anything but Korean"),
        pytest.param("ko;q=high", "en", id="nonsense"),
    ],
)
def test_the_language_is_the_one_the_caller_ranks_higher(header: str | None, language: str) -> None:
    assert preferred(header) == language
