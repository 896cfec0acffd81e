"""How often the computed sentiment is right, on the labelled sentences beside this module, and as tables for the docs.

`python -m tests.unit.ingest.sentiment_accuracy` writes the tables into docs/sentiment.md again.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.ingest.sentiment.estimator import SentimentEstimator
from services.ingest.sentiment.lexicon_file import shipped

PAGE = Path(__file__).parents[3] / "docs" / "sentiment.md"
LABELS = ("negative", "neutral", "positive")
HARD = ("negation", "mixed", "polite", "spelling", "emoji", "phrase", "irony")
OUR_BORDER, VADER_BORDER = 0.2, 0.05
"""From where on a value is a mood; VADER's is the one that its authors recommend."""
LINE = -0.4
"""What effort and rules take for negative."""

_FOLDER = Path(__file__).parent / "labelled"
_TABLES = re.compile(r"(?<=<!-- accuracy -->\n).*(?=<!-- /accuracy -->)", re.DOTALL)

Teller = Callable[[str], float | None]


@dataclass(frozen=True, slots=True)
class LabelledSentence:
    """A sentence, what is hard about it (`plain`: nothing), and the mood that a person read in it."""

    label: str
    difficulty: str
    text: str


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How one way to tell moods did on some sentences."""

    pairs: Counter[tuple[str, str]]
    right_by_difficulty: Counter[str]
    by_difficulty: Counter[str]
    below_line: int
    rightly_below_line: int

    @property
    def share(self) -> float:
        """The share that is told rightly, 0 to 1."""
        return sum(count for (label, told), count in self.pairs.items() if label == told) / self.pairs.total()

    def row(self, name: str) -> str:
        """One row of the table of confusions."""
        cells = [" / ".join(str(self.pairs[label, told]) for told in LABELS) for label in LABELS]
        return f"| {name} | {self.share:.0%} | {' | '.join(cells)} | {self.rightly_below_line} of {self.below_line} |"


@cache
def sentences(language: str) -> tuple[LabelledSentence, ...]:
    """Return the sentences of a language, in the order of the file."""
    lines = (_FOLDER / f"{language}.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(LabelledSentence(*line.split("\t")) for line in lines)


def half(language: str, *, final: bool) -> Sequence[LabelledSentence]:
    """Return every other sentence: those that the words were tuned on, or those kept for the end."""
    return sentences(language)[int(final) :: 2]


@cache
def ours() -> Teller:
    """Return the shipped way to tell moods."""
    estimator = SentimentEstimator(shipped())
    return lambda text: estimator.estimate(text).value


@cache
def vader() -> Teller:
    """Return VADER's."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return lambda text: float(analyzer.polarity_scores(text)["compound"])


def accuracy(tell: Teller, among: Sequence[LabelledSentence], border: float) -> Accuracy:
    """Return how `tell` does `among` some sentences; a value nearer to 0 than `border` is neutral."""
    pairs: Counter[tuple[str, str]] = Counter()
    right: Counter[str] = Counter()
    below = rightly = 0
    for one in among:
        value = tell(one.text)
        told = "neutral" if value is None or abs(value) < border else LABELS[0 if value < 0 else 2]
        pairs[one.label, told] += 1
        right[one.difficulty] += told == one.label
        if value is not None and value <= LINE:
            below += 1
            rightly += one.label == "negative"
    return Accuracy(pairs, right, Counter(one.difficulty for one in among), below, rightly)


def tables() -> str:
    """Return the tables of docs/sentiment.md."""
    return "\n".join(_tables()) + "\n"


def _tables() -> Iterator[str]:
    told = "negative told as − / 0 / + | neutral as − / 0 / + | positive as − / 0 / +"
    yield f"| sentences | right | {told} | at −0.4 rightly |"
    yield "|---|---|---|---|---|---|"
    for language, name in (("en", "English"), ("ko", "Korean")):
        for final, which in ((False, "tuned on"), (True, "kept")):
            among = half(language, final=final)
            yield accuracy(ours(), among, OUR_BORDER).row(f"{name}, {which}")
            if language == "en":
                yield accuracy(vader(), among, VADER_BORDER).row(f"{name}, {which}: VADER")
    yield ""
    yield "| right, of the kept ones | plain | " + " | ".join(HARD) + " |"
    yield "|---|---|" + "---|" * len(HARD)
    for name, tell, language, border in (
        ("English", ours(), "en", OUR_BORDER),
        ("English: VADER", vader(), "en", VADER_BORDER),
        ("Korean", ours(), "ko", OUR_BORDER),
    ):
        found = accuracy(tell, half(language, final=True), border)
        cells = [f"{found.right_by_difficulty[one]}/{found.by_difficulty[one]}" for one in ("plain", *HARD)]
        yield f"| {name} | {' | '.join(cells)} |"


def page_with(text: str) -> str:
    """Return the page `text` with the tables of now in it."""
    return _TABLES.sub(lambda _: tables(), text)


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
