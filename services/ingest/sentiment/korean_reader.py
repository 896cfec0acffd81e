"""Finds the stems of a Korean text that tell how its writer feels. Pure; it needs no analyser of the grammar.

Spaces are left out before anything is looked for, since people leave them out as they like; where words begin is
remembered for the few stems that must begin one.
"""

import re
from collections import defaultdict

import msgspec

from services.ingest.sentiment.lexicon import WordList
from services.ingest.sentiment.text_reading import WeightedWord, weigh_contrast

_DENIED_GOOD = -0.9
_DENIED_BAD = -0.6
_DENIED_NEED = -1.6

_DENIED = re.compile(
    r"[가-힣]{0,2}?지(?:는|도|가|를)?(?:않|못|안)"  # 친절하지 않다
    r"|[가-힣]{0,9}?(?:없|안(?=[되돼됩됐와왔오옵받들열해]))"  # 불편한 점이 하나도 없다, 도움이 안 되다
    r"|[가-힣]{0,4}?못(?:합|해|하|받|했|됐)"
)
_ENDED = re.compile(r"[.!?\n,~]|지만|는데|은데|고(?=[가-힣])")
_REACH = 12


class _Stem(msgspec.Struct, frozen=True, gc=False):
    letters: str
    weight: float | None
    begins: bool
    phrase: bool


class KoreanReader:
    """Reads texts with one list of stems, prepared once."""

    def __init__(self, words: WordList) -> None:
        """`words` as the file has them."""
        self._stems: dict[str, list[_Stem]] = defaultdict(list)
        for stem in words.needed:
            self._add(stem, None)
        for stem, weight in words.words.items():
            self._add(stem, weight)
        for stems in self._stems.values():
            stems.sort(key=lambda stem: -len(stem.letters))
        self._negators = tuple(words.negators)
        self._factors = tuple(sorted(words.factors.items(), key=lambda factor: -len(factor[0])))
        contrasts = sorted((re.escape(one) for one in words.contrasts), key=len, reverse=True)
        self._contrast = re.compile("|".join(contrasts)) if contrasts else None
        conceding = sorted((re.escape(one) for one in words.concessions), key=len, reverse=True)
        self._concession = re.compile("|".join(conceding)) if conceding else None

    def _add(self, stem: str, weight: float | None) -> None:
        bare = stem.removeprefix("^").replace(" ", "")
        self._stems[bare[0]].append(_Stem(bare, weight, begins=stem.startswith("^"), phrase=" " in stem))

    def read(self, text: str) -> list[WeightedWord]:
        """Return what is found in `text`, which is in small letters, in its order."""
        words = text.split(" ")
        squeezed = "".join(words)
        starts = _starts(words)
        findings: list[WeightedWord] = []
        index = 0
        while index < len(squeezed):
            found = self._at(squeezed, starts, index)
            if found is None:
                index += 1
                continue
            end = index + len(found.letters)
            meant = self._meant(squeezed, starts, index, found)
            if self._concession is not None and self._concession.match(squeezed, end - 1):
                meant *= 0.5
            if meant:
                findings.append(WeightedWord(index, found.letters, meant))
            index = end
        return weigh_contrast(findings, self._last_contrast(squeezed))

    def _at(self, squeezed: str, starts: set[int], index: int) -> _Stem | None:
        for stem in self._stems.get(squeezed[index], ()):
            if squeezed.startswith(stem.letters, index) and (not stem.begins or index in starts):
                return stem
        return None

    def _meant(self, squeezed: str, starts: set[int], begin: int, stem: _Stem) -> float:
        """Return the weight of the stem at `begin` as its surroundings make it."""
        weight = stem.weight
        deniable = not stem.phrase or weight is None or weight > 0  # a complaint of several words has its own denial
        denied = deniable and (
            self._denied_before(squeezed, starts, begin) or self._denied_after(squeezed, begin + len(stem.letters))
        )
        if weight is None:
            return _DENIED_NEED if denied else 0.0
        if denied:
            return weight * (_DENIED_GOOD if weight > 0 else _DENIED_BAD)
        return weight * self._factor(squeezed, begin)

    def _denied_before(self, squeezed: str, starts: set[int], begin: int) -> bool:
        return any(
            squeezed.startswith(negator, begin - len(negator)) and begin - len(negator) in starts
            for negator in self._negators
            if begin >= len(negator)
        )

    def _denied_after(self, squeezed: str, end: int) -> bool:
        clause = squeezed[end : end + _REACH]
        stop = _ENDED.search(clause)
        return _DENIED.match(clause[: stop.start()] if stop is not None else clause) is not None

    def _factor(self, squeezed: str, begin: int) -> float:
        for word, factor in self._factors:
            if squeezed.startswith(word, begin - len(word)) and begin >= len(word):
                return factor
        return 1.0

    def _last_contrast(self, squeezed: str) -> int:
        found = -1
        if self._contrast is not None:
            for one in self._contrast.finditer(squeezed):
                found = one.start()
        return found


def _starts(words: list[str]) -> set[int]:
    starts, at = set(), 0
    for word in words:
        starts.add(at)
        at += len(word)
    return starts
