"""Makes one story of what the journey API says of a customer: who they are, what happened, where it got hard.

Every function is pure: sentences from answers, in the words and the time zone given. Printing is left to the command.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from schemas.kinds import KindCatalogue
from waymark.customer.customer_documents import AnswerFriction, AnswerTouchpoint
from waymark.customer.customer_opening import StoryOpening
from waymark.customer.customer_reading import CustomerAnswers
from waymark.customer.story_phrases import StoryPhrases
from waymark.customer.story_words import StoryWords

LONG_PAUSE = timedelta(hours=6)
"""A pause that is told in words."""

_MARKS = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"

Ref = tuple[str, str]


MOST_EARLIER = 5
"""Frictions that are told although their touchpoints are left out: the latest; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryMoment:
    """One touchpoint of the story. `pins` tell the frictions that it completes, `quote` is what was said."""

    at: datetime
    channel: str
    sentence: str
    marks: str = ""
    pause: str = ""
    quote: str = ""
    pins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerStory:
    """A story: what is so now, what rests on touchpoints that are not shown, and the moments, oldest first."""

    opening: tuple[str, ...]
    left_out: tuple[str, ...]
    moments: tuple[StoryMoment, ...]

    @property
    def channels(self) -> list[str]:
        """The channels, in the order of their first use."""
        return list(dict.fromkeys(moment.channel for moment in self.moments))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryTeller:
    """Tells stories in one language and one time zone."""

    words: StoryWords
    kinds: KindCatalogue
    zone: tzinfo | None = None

    @property
    def phrases(self) -> StoryPhrases:
        """The phrases of this language and this time zone."""
        return StoryPhrases(words=self.words, zone=self.zone)

    def tell(self, answers: CustomerAnswers) -> CustomerStory:
        """Return the story of one customer."""
        shown = {(one.source, one.id) for one in answers.touchpoints}
        standing = [one for one in reversed(answers.customer.frictions) if one.state == "detected"]
        pinned = [one for one in standing if _completed_by(one, shown) is not None]
        return CustomerStory(
            opening=tuple(StoryOpening(phrases=self.phrases).lines(answers, standing)),
            left_out=tuple(self._left_out(answers, [one for one in standing if one not in pinned])),
            moments=tuple(self._moments(answers.touchpoints, pinned, shown)),
        )

    def _left_out(self, answers: CustomerAnswers, unpinned: Sequence[AnswerFriction]) -> Iterator[str]:
        if (before := len(unpinned) - MOST_EARLIER) > 0:
            yield self.words.more_earlier.format(frictions=self.phrases.counted("frictions", before))
        for one in unpinned[-MOST_EARLIER:]:
            yield self.words.pinned_earlier.format(when=self.phrases.day(one.occurred_at), **self._said(one))
        if answers.earlier:
            yield self.words.earlier
        if not answers.touchpoints:
            yield self.words.nothing

    def _moments(
        self, touchpoints: Sequence[AnswerTouchpoint], pinned: Sequence[AnswerFriction], shown: set[Ref]
    ) -> Iterator[StoryMoment]:
        marks: defaultdict[Ref, list[str]] = defaultdict(list)
        pins: defaultdict[Ref, list[str]] = defaultdict(list)
        places = {(one.source, one.id): place for place, one in enumerate(touchpoints)}
        completed = {one.id: max(places[ref] for ref in _evidence(one) if ref in shown) for one in pinned}
        for number, one in enumerate(sorted(pinned, key=lambda friction: completed[friction.id])):
            mark = _MARKS[number] if number < len(_MARKS) else f"({number + 1})"
            for ref in _evidence(one):
                marks[ref].append(mark)
            last = touchpoints[completed[one.id]]
            pins[last.source, last.id].append(self.words.pinned.format(marks=mark, **self._said(one)))
        before: datetime | None = None
        for touchpoint in touchpoints:
            ref = touchpoint.source, touchpoint.id
            yield StoryMoment(
                at=touchpoint.occurred_at.astimezone(self.zone),
                channel=touchpoint.channel,
                sentence=self._sentence(touchpoint),
                marks="".join(marks[ref]),
                pause=self._pause(before, touchpoint.occurred_at),
                quote=self._quote(touchpoint),
                pins=tuple(pins[ref]),
            )
            before = touchpoint.occurred_at

    def _sentence(self, one: AnswerTouchpoint) -> str:
        return ", ".join([self._title(one.kind), *self._circumstances(one), *self._trouble(one)])

    def _title(self, kind: str) -> str:
        known = self.kinds.get(kind)
        if known is None:
            return kind.replace("_", " ").capitalize()
        return known.title.ko if self.words.language == "ko" else known.title.en

    def _circumstances(self, one: AnswerTouchpoint) -> Iterator[str]:
        if one.direction == "outbound":
            yield self.words.by_us
        if one.outcome:
            yield self.phrases.outcome(one.outcome)
        if one.reason:
            yield self.words.about.format(reason=one.reason)
        if one.queue:
            yield self.words.queue.format(queue=one.queue)

    def _trouble(self, one: AnswerTouchpoint) -> Iterator[str]:
        words = self.words
        if one.wait_s:
            yield words.wait.format(time=self.phrases.lasting(one.wait_s))
        if one.hold_s:
            yield words.hold.format(time=self.phrases.lasting(one.hold_s))
        if one.transfers:
            yield words.transfers.format(transfers=self.phrases.counted("transfers", one.transfers))
        if one.due_at:
            yield words.due.format(when=f"{one.due_at.astimezone(self.zone):%m-%d %H:%M}")
        if one.late:
            yield words.late

    def _quote(self, one: AnswerTouchpoint) -> str:
        if one.text:
            return self.words.quote.format(text=" ".join(one.text.split()))
        return self.words.sealed if one.sealed_text else ""

    def _pause(self, before: datetime | None, at: datetime) -> str:
        if before is None or at - before < LONG_PAUSE:
            return ""
        pause = at - before
        unit, number = ("day", pause.days) if pause.days else ("hour", round(pause / timedelta(hours=1)))
        one, many = self.words.later[unit]
        return (one if number == 1 else many).format(n=number)

    def _said(self, one: AnswerFriction) -> dict[str, str]:
        language = self.words.language
        return {
            "title": getattr(one.title, language),
            "severity": self.phrases.severity(one.severity),
            "explanation": getattr(one.explanation, language),
        }


def _evidence(friction: AnswerFriction) -> list[Ref]:
    return [(ref.source, ref.id) for ref in friction.touchpoints]


def _completed_by(friction: AnswerFriction, shown: Iterable[Ref]) -> Ref | None:
    """Return the latest touchpoint of the evidence, None if it is not among those shown."""
    evidence = _evidence(friction)
    return evidence[-1] if evidence and evidence[-1] in shown else None
