"""Says how the writer of a text feels, from the words that are found in it. Pure, and the same for the same lexicon."""

import re

import msgspec

from services.ingest.sentiment.english_reader import EnglishReader
from services.ingest.sentiment.korean_reader import KoreanReader
from services.ingest.sentiment.lexicon import Lexicon
from services.ingest.sentiment.text_reading import WeightedWord, sentiment_of

MOST_CHARACTERS = 2_000
"""Of a longer text so much of its end is read: how somebody ends is how they feel."""

_LATIN = re.compile(r"[a-z]{2}")
_KOREAN = re.compile(r"[가-힣ㄱ-ㅎ]")
_HELD_DOWN = re.compile(r"([ㅠㅜㅡㅋㅎ^])\1{2,}")
_SPACES = re.compile(r"\s+")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "`": "'", "\ufe0f": ""})


class SentimentEstimate(msgspec.Struct, frozen=True, gc=False):
    """How a text feels, -1 (very bad) to 1 (very good), None if nobody can tell; and what that was found by."""

    value: float | None
    findings: tuple[WeightedWord, ...]


class SentimentEstimator:
    """Reads Korean, English, and texts in both, with one lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Prepare the `lexicon` for reading, which takes milliseconds."""
        self._english = EnglishReader(lexicon.en)
        self._korean = KoreanReader(lexicon.ko)
        self._signs = {sign.lower().translate(_PLAIN): weight for sign, weight in lexicon.signs.items()}
        signs = sorted((re.escape(sign) for sign in self._signs if sign), key=len, reverse=True)
        self._sign = re.compile("|".join(signs)) if signs else None

    def estimate(self, text: str) -> SentimentEstimate:
        """Return how the writer of `text` feels."""
        plain = text[-MOST_CHARACTERS:].lower().translate(_PLAIN)
        plain = _SPACES.sub(" ", _HELD_DOWN.sub(r"\1\1", plain)).strip()
        findings: list[WeightedWord] = []
        if _KOREAN.search(plain):
            findings += self._korean.read(plain)
        if _LATIN.search(plain):
            findings += self._english.read(plain)
        signs = self._find_signs(plain)
        return SentimentEstimate(sentiment_of(findings + signs), (*findings, *signs))

    def _find_signs(self, plain: str) -> list[WeightedWord]:
        """Return each sign once: three hearts are no more than one."""
        if self._sign is None:
            return []
        found = {one.group(): one.start() for one in self._sign.finditer(plain)}
        return [WeightedWord(at, sign, self._signs[sign]) for sign, at in found.items() if self._signs[sign]]
