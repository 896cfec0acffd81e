"""Every refusal speaks both languages, and to each caller the right one."""

import pytest

from services.journey.api.messages import ReadRefusal, refuse


@pytest.mark.parametrize("refusal", list(ReadRefusal))
def test_every_refusal_has_a_status_and_two_languages(refusal: ReadRefusal) -> None:
    english, korean = refuse(refusal, "en"), refuse(refusal, "ko")
    assert 400 <= english.status <= 503
    assert english.code == korean.code == refusal
    assert any("가" <= letter <= "힣" for letter in korean.message)
    assert english.message.isascii() or "…" in english.message
