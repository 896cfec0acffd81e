"""The language of a message is the one that the request prefers."""

import pytest

from schemas.languages import preferred_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR", "ko"),
        ("KO", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("ko;q=0.5,en;q=0.4", "ko"),
        ("ko;q=0.4, en;q=0.5", "en"),
        ("ko;q=0", "en"),
        ("fr,de", "en"),
        ("fr,ko;q=0.1", "ko"),
        ("*", "en"),
        ("ko,en", "ko"),
        ("en;Q=0.5,ko;Q=0.6", "ko"),
        ("ko;q=nonsense", "en"),
        ("ko;level=1", "ko"),
        (";;;,,,=", "en"),
    ],
)
def test_the_language_is_the_one_preferred(header: str, language: str) -> None:
    assert preferred_language(header) == language
