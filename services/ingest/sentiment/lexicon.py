"""The words that tell how somebody feels, as they stand in YAML files, and laying one file over another. Pure."""

from typing import Annotated

import msgspec

Weight = Annotated[float, msgspec.Meta(ge=-3, le=3)]
"""How a word makes a text feel: -3 (very bad) to 3 (very good); 0 silences a word of the file below."""

Factor = Annotated[float, msgspec.Meta(gt=0, le=3)]
"""What a word multiplies the next one by."""

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class WordList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The words of one language, in small letters.

    An English word may end in `*`, which stands for any ending; a Korean one is a stem and stands for all that begins
    with it, anywhere in a word, or at its beginning if it has a `^` in front. A phrase is a word with spaces; Korean
    ones are found with other spaces too.

    `words` have their weights. `needed` are words that say nothing, but a complaint when they are denied ("does not
    work"). `negators` deny what comes after them. `factors` make the next word stronger or weaker. What stands before
    one of the `contrasts` ("but") counts half and what follows counts more; after `concessions` ("although") the
    clause counts half.
    """

    words: dict[Word, Weight] = {}
    needed: tuple[Word, ...] = ()
    negators: tuple[Word, ...] = ()
    factors: dict[Word, Factor] = {}
    contrasts: tuple[Word, ...] = ()
    concessions: tuple[Word, ...] = ()


class Lexicon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says: the lists of both languages, and `signs` (emoji, emoticons) with their weights."""

    en: WordList = WordList()
    ko: WordList = WordList()
    signs: dict[Word, Weight] = {}


def lay_over(below: Lexicon, above: Lexicon) -> Lexicon:
    """Return `below` with what `above` adds to it and says differently."""
    return Lexicon(
        en=_list_over(below.en, above.en),
        ko=_list_over(below.ko, above.ko),
        signs={**below.signs, **above.signs},
    )


def _list_over(below: WordList, above: WordList) -> WordList:
    return WordList(
        words={**below.words, **above.words},
        needed=(*below.needed, *above.needed),
        negators=(*below.negators, *above.negators),
        factors={**below.factors, **above.factors},
        contrasts=(*below.contrasts, *above.contrasts),
        concessions=(*below.concessions, *above.concessions),
    )
