"""Reads lexicons from YAML: those that are shipped, and a company's own, laid over them. Every mistake has its line."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from schemas.strict_yaml import yaml_text
from services.ingest.sentiment.lexicon import Lexicon, lay_over

_SHIPPED = Path(__file__).parent / "lexicons"


class LexiconFileError(ValueError):
    """The file cannot be read or is wrong; `problems` lists everything that is wrong with it, one line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@cache
def shipped() -> Lexicon:
    """Return the lexicon that Waymark ships."""
    lexicon = Lexicon()
    for path in sorted(_SHIPPED.glob("*.yaml")):
        lexicon = lay_over(lexicon, read(path))
    return lexicon


def load(path: str) -> Lexicon:
    """Return the shipped lexicon with the file at `path` over it; alone if `path` is empty.

    Raises:
        LexiconFileError: with everything that is wrong with the file.
    """
    return lay_over(shipped(), read(Path(path))) if path else shipped()


def read(path: Path) -> Lexicon:
    """Return what one file says.

    Raises:
        LexiconFileError: with everything that is wrong with it.
    """
    try:
        text = yaml_text.read(path)
    except yaml_text.UnreadableTextError as error:
        raise LexiconFileError([f"{path}: {error}"]) from None
    problems = [*text.doubled, *text.misshapen(Lexicon)]
    if not problems:
        lexicon = msgspec.convert(text.document, Lexicon)
        problems = [text.located(place, f"{place}: {message}") for place, message in _unfit(lexicon)]
    if problems:
        raise LexiconFileError(f"{path}: {problem}" for problem in problems)
    return lexicon


def _unfit(lexicon: Lexicon) -> Iterable[tuple[str, str]]:
    """Yield the place of each word that no reader would ever find, and why."""
    for language in ("en", "ko"):
        words = getattr(lexicon, language)
        for name in msgspec.structs.fields(words):
            members = getattr(words, name.name)
            for number, word in enumerate(members):
                place = f"{language}.{name.name}" + ("" if isinstance(members, Mapping) else f"[{number}]")
                if why := _why_unfit(word, language):
                    yield (f"{place}.{word}" if isinstance(members, Mapping) else place), why


def _why_unfit(word: str, language: str) -> str:
    if word != word.lower():
        return "write it in small letters, as texts are read"
    if not word.replace("^", "").strip():
        return "there is no word here"
    if language == "ko" and "*" in word:
        return "leave out the `*`; a Korean stem stands for all that begins with it"
    if language == "en" and "^" in word:
        return "leave out the `^`; an English word always begins one"
    return ""
