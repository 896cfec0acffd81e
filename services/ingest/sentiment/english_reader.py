"""Finds the words of an English text that tell how its writer feels. Pure; about a microsecond a word."""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache

from services.ingest.sentiment.lexicon import WordList
from services.ingest.sentiment.text_reading import WeightedWord, weigh_contrast

_TOKEN = re.compile(r"[a-z0-9]+(?:['-][a-z]+)*|[.!?;,\n]")
_STRETCHED = re.compile(r"([a-z])\1{2,}")
_DOUBLED = re.compile(r"([a-z])\1")
_LONG = 4
_REMEMBERED = 10_000
"""Words whose phrases are remembered; people write few different ones."""
_STOPS = frozenset(".!?;\n")
_REACH = 3
"""How many words a negator or a factor reaches ahead."""

_DENIED_GOOD = -0.8
_DENIED_BAD = -0.5
_DENIED_NEED = -1.5


class EnglishReader:
    """Reads texts with one list of words, prepared once."""

    def __init__(self, words: WordList) -> None:
        """`words` as the file has them."""
        self._weights = _Phrases({**dict.fromkeys(words.needed, None), **words.words})
        self._negators = frozenset(words.negators)
        self._factors = words.factors
        self._contrasts = frozenset(words.contrasts)
        self._concessions = _Phrases(dict.fromkeys(words.concessions, 0.5))

    def read(self, text: str) -> list[WeightedWord]:
        """Return what is found in `text`, which is in small letters, in its order."""
        tokens = [(found.start(), found.group()) for found in _TOKEN.finditer(_unstretched(text))]
        words = [word for _, word in tokens]
        findings: list[WeightedWord] = []
        conceding, contrast, index, taken = 1.0, -1, 0, 0
        while index < len(words):
            word = words[index]
            if word in _STOPS or word == ",":
                conceding = 1.0
            elif word in self._contrasts:
                contrast = tokens[index][0]
            elif self._concessions.found(words, index)[0]:
                conceding = 0.5
            length, weight = self._weights.found(words, index)
            if length:
                meant = self._meant(words, taken, index, length, weight) * conceding
                if meant:
                    findings.append(WeightedWord(tokens[index][0], " ".join(words[index : index + length]), meant))
                taken = index + length if length > 1 else taken
            index += length or 1
        return weigh_contrast(findings, contrast)

    def _meant(self, words: list[str], taken: int, index: int, length: int, weight: float | None) -> float:
        """Return the weight of the phrase at `index` as the words before it, from `taken` on, make it."""
        factor, denied = 1.0, False
        for back in range(1, _REACH + 1):
            before = words[index - back] if index - back >= taken else "."
            if before in _STOPS or before == ",":
                break
            denied = denied or before in self._negators or before.endswith("n't")
            factor *= self._factors.get(before, 1.0)
            if back == 1 and index >= 2:
                factor *= self._factors.get(f"{words[index - 2]} {before}", 1.0)
        if weight is None:
            return _DENIED_NEED if denied else 0.0
        if denied and (length == 1 or weight > 0):  # a complaint of several words has its own denial
            weight *= _DENIED_GOOD if weight > 0 else _DENIED_BAD
        return weight * factor


class _Phrases:
    """Phrases by their first word: exact words by themselves, stems (`annoy*`) by their letters."""

    def __init__(self, weights: Mapping[str, float | None]) -> None:
        self._exact: dict[str, list[tuple[list[str], float | None]]] = defaultdict(list)
        self._stems: dict[str, list[tuple[list[str], float | None]]] = defaultdict(list)
        for phrase, weight in weights.items():
            first, *rest = phrase.split()
            known = self._stems if first.endswith("*") else self._exact
            known[_undoubled(first.removesuffix("*"))].append((rest, weight))
        self._first = lru_cache(maxsize=_REMEMBERED)(self._beginning)
        self._lengths = tuple(sorted({len(stem) for stem in self._stems}, reverse=True))
        for known in (self._exact, self._stems):
            for phrases in known.values():
                phrases.sort(key=lambda phrase: -len(phrase[0]))

    def found(self, words: list[str], index: int) -> tuple[int, float | None]:
        """Return how many words the longest phrase at `index` has, 0 without one, and its weight."""
        best: tuple[int, float | None] = (0, None)
        for phrases in self._first(words[index]):
            for rest, weight in phrases:
                if len(rest) < best[0]:
                    break
                if _follows(words, index + 1, rest):
                    best = (len(rest) + 1, weight)
                    break
        return best

    def _beginning(self, word: str) -> tuple[list[tuple[list[str], float | None]], ...]:
        """Return the phrases that may begin with `word`, by each of the words and stems that it is."""
        word = _undoubled(word)
        stems = (self._stems.get(word[:length]) for length in self._lengths if len(word) >= length)
        return tuple(phrases for phrases in (self._exact.get(word), *stems) if phrases is not None)


def _follows(words: list[str], index: int, rest: list[str]) -> bool:
    if index + len(rest) > len(words):
        return False
    return all(
        word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted
        for word, wanted in zip(words[index : index + len(rest)], rest, strict=True)
    )


def _undoubled(word: str) -> str:
    """Return a longer word without double letters, where most spelling mistakes are: "dissapointed", "excelent"."""
    return _DOUBLED.sub(r"\1", word) if len(word) >= _LONG else word


def _unstretched(text: str) -> str:
    """Return `text` with letters that somebody held down given once: "sooo slowww"."""
    return _STRETCHED.sub(r"\1", text)
