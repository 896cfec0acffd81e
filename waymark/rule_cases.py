"""Reads cases for rules: YAML with native touchpoints and relative times.

    rules: default                      # or a rules file, beside this one
    defaults: {channel: phone}          # members for touchpoints that lack them
    tests:
      - name: a second call within a day
        touchpoints:
          - {id: first, occurred_at: +0m, kind: call_ended, outcome: unresolved}
          - {id: second, occurred_at: +2h, kind: call_started}
        until: +1d
        expect:
          - {rule: repeat_contact_24h, anchor: second, severity: high}

Touchpoints are read, normalised and refused by the code of ingest. Every mistake is reported at once, with its line.
The command reads files by it, and the journey API what is sent to it, which knows no more than `CaseReader`.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from schemas.documents import touchpoint as touchpoint_v1
from schemas.languages import Language
from schemas.strict_yaml.yaml_text import UnreadableTextError, YamlText
from services.ingest.results import messages
from services.ingest.results.item_result import ItemResult
from services.ingest.sources.source import Source, SourceScope
from services.ingest.timing.touchpoint_time import as_reported
from services.ingest.touchpoint import contract
from services.ingest.touchpoint.acceptance import AcceptanceRules, AcceptedTouchpoint, accept
from services.journey.domain.friction import FrictionSeverity
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint, is_late
from services.journey.trial.case import CasesRefusedError, ExpectedFriction, RuleCase

START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=9)))
"""When a case starts that does not say so: a Monday, nine in the morning in Seoul."""

SOURCE: Final = "test"
CUSTOMER: Final = {"customer": {"customer_id": "customer"}}
RULES: Final = AcceptanceRules(future_tolerance=timedelta(0), phone_region="KR")

_RELATIVE = re.compile(r"\+((?:\d{1,6}[smhd] ?)+)")
_PART = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TIMES = frozenset({"occurred_at", "due_at", "sent_at"})
_DECODER = msgspec.json.Decoder(Touchpoint)

WrittenTime = Any
"""A text or, where YAML takes it for one, a datetime; `_CaseReader` refuses anything else."""


class WrittenExpectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An expected friction, as it is written."""

    rule: str
    anchor: str
    severity: FrictionSeverity | None = None
    at: WrittenTime = None


class WrittenCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case as it is written. Without `until` it ends when its last touchpoint was received."""

    name: str
    touchpoints: list[dict[str, Any]]
    expect: list[WrittenExpectation]
    start: WrittenTime = None
    until: WrittenTime = None
    defaults: dict[str, Any] = {}
    only: list[str] = []


class WrittenCases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of cases as it is written."""

    tests: list[WrittenCase]
    rules: str | None = None
    defaults: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCases:
    """Cases, and `rules`, what they say themselves that they are about: `default`, or the name of a file."""

    rules: str | None
    cases: Sequence[RuleCase]
    text: YamlText
    language: Language

    def problems_with(self, rulebook: Rulebook) -> list[str]:
        """Return a line for each rule that a case names and these rules do not ask: such a case would always fail."""
        known = [rule.id for rule in rulebook.rules]
        running = {rule.id for rule in rulebook.rules if rule.enabled}
        problems: dict[str, None] = {}
        for at, case in enumerate(self.cases):
            named = [(f"only[{index}]", rule) for index, rule in enumerate(case.only)]
            named += [(f"expect[{index}].rule", one.rule) for index, one in enumerate(case.expect)]
            for member, rule in named:
                problem = self._problem(rule, known, running, case.only)
                if problem is not None:
                    place = f"tests[{at}].{member}"
                    problems[self.text.located(place, f"{place}: {problem}")] = None
        return list(problems)

    def _problem(self, rule: str, known: Sequence[str], running: Collection[str], only: Sequence[str]) -> str | None:
        if rule not in known:
            return no_such_rule(rule, known, self.language)
        if only and rule not in only:
            return _say(self.language, f"{rule}: it is not among `only`", f"{rule}: `only`에 없는 규칙입니다")
        if not only and rule not in running:
            return _say(self.language, f"{rule}: this rule is switched off", f"{rule}: 꺼져 있는 규칙입니다")
        return None


def read_cases(text: str, language: Language, *, most_touchpoints: int | None = None) -> ReadCases:
    """Return the cases in a text, which names at most so many touchpoints, with problems told in a language.

    Raises:
        CasesRefusedError: with every mistake in it.
    """
    try:
        return cases_of(YamlText(text), language, most_touchpoints=most_touchpoints)
    except UnreadableTextError as error:
        raise CasesRefusedError([str(error)]) from error


def cases_of(text: YamlText, language: Language, *, most_touchpoints: int | None = None) -> ReadCases:
    """Return the cases in a text that could be read as YAML; raises `CasesRefusedError`, as `read_cases` does."""
    if problems := [*text.doubled, *text.misshapen(WrittenCases)]:
        raise CasesRefusedError(problems)
    written = msgspec.convert(text.document, WrittenCases, strict=True)
    number = sum(len(one.touchpoints) for one in written.tests)
    if most_touchpoints is not None and max(number, len(written.tests)) > most_touchpoints:
        many = _say(
            language,
            f"tests: at most {most_touchpoints:,} tests with as many touchpoints in all can be sent at once",
            f"tests: 한 번에 보낼 수 있는 사례와 접점은 각각 모두 합쳐 {most_touchpoints:,}개까지입니다",
        )
        raise CasesRefusedError([many])
    readers = [
        _CaseReader(text, f"tests[{at}]", one, written.defaults, language) for at, one in enumerate(written.tests)
    ]
    cases = [reader.read() for reader in readers]
    problems = [problem for reader in readers for problem in reader.problems]
    if not cases:
        problems.append(_say(language, "tests: there is none", "tests: 사례가 하나도 없습니다"))
    if problems:
        raise CasesRefusedError(problems)
    return ReadCases(rules=written.rules, cases=cases, text=text, language=language)


def no_such_rule(rule: str, known: Iterable[str], language: Language) -> str:
    """Return the message that there is no such rule, with the nearest that there is."""
    near = get_close_matches(rule, list(known), n=1)
    en, ko = (f"; did you mean {near[0]}?", f". {near[0]} 아닌가요?") if near else ("", "")
    return _say(language, f"{rule}: there is no such rule{en}", f"{rule}: 그런 규칙이 없습니다{ko}")


def _say(language: Language, en: str, ko: str) -> str:
    return ko if language is Language.KO else en


class _CaseReader:
    """Reads one case; its mistakes are gathered in `problems`."""

    def __init__(
        self, text: YamlText, place: str, written: WrittenCase, defaults: Mapping[str, Any], language: Language
    ) -> None:
        self.problems: list[str] = []
        self._text = text
        self._place = place
        self._written = written
        self._language = language
        self._source = Source(
            name=SOURCE,
            scopes=frozenset({SourceScope.WRITE, SourceScope.REPLAY}),
            defaults={**CUSTOMER, **defaults, **written.defaults},
        )
        self._start = START
        self._start = self._moment("start", written.start) or START

    def read(self) -> RuleCase:
        """Return the case; it is of no use where there are `problems`."""
        found = [
            self._touchpoint(f"touchpoints[{at}]", dict(document))
            for at, document in enumerate(self._written.touchpoints)
        ]
        touchpoints = tuple(one for one in found if one is not None)
        last = max((one.appended_at for one in touchpoints), default=self._start)
        expected = tuple(
            ExpectedFriction(
                rule=one.rule, anchor=one.anchor, severity=one.severity, at=self._moment(f"expect[{at}].at", one.at)
            )
            for at, one in enumerate(self._written.expect)
        )
        if len({one.touchpoint.id for one in touchpoints}) < len(touchpoints):
            self._complain("touchpoints", "an id is given twice")
        until = self._moment("until", self._written.until) or last
        return RuleCase(
            name=self._written.name,
            touchpoints=touchpoints,
            until=until,
            expect=expected,
            only=tuple(self._written.only),
        )

    def _touchpoint(self, place: str, document: dict[str, Any]) -> RecordedTouchpoint | None:
        received = self._moment(f"{place}.received_at", document.pop("received_at", None))
        for member in _TIMES & document.keys():
            moment = self._moment(f"{place}.{member}", document[member])
            document[member] = (moment or self._start).isoformat()  # what is complained of once is not read again
        posted = contract.read(document, self._source.defaults, composed=False)
        if isinstance(posted, ItemResult):
            self._reject(place, posted)
            return None
        accepted = accept(posted, self._source, as_reported(posted), received or posted.occurred_at, RULES)
        if not isinstance(accepted, AcceptedTouchpoint):
            self._reject(place, accepted)
            return None
        touchpoint = _DECODER.decode(touchpoint_v1.encode(accepted.touchpoint))
        return RecordedTouchpoint(touchpoint=touchpoint, appended_at=touchpoint.received_at, late=is_late(touchpoint))

    def _reject(self, place: str, result: ItemResult) -> None:
        for error in result.errors:
            self._complain(f"{place}.{error.path}", _say(self._language, error.message, error.message_ko))
        if not result.errors and result.reason is not None:
            self._complain(place, messages.say(result.reason, self._language, **result.facts))

    def _moment(self, place: str, given: object) -> datetime | None:
        """Return the moment `given`: absolute, or relative to the start; None, with a complaint, for anything else."""
        if given is None:
            return None
        moment = _absolute(given)
        if moment is None and isinstance(given, str) and (relative := _RELATIVE.fullmatch(given)):
            moment = self._start + timedelta(
                seconds=sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(relative[1]))
            )
        if moment is None:
            self._complain(
                place,
                _say(
                    self._language,
                    "write a time: +90m, +1d 2h, or 2026-03-02T09:00:00+09:00",
                    "시각을 이렇게 쓰세요: +90m, +1d 2h, 2026-03-02T09:00:00+09:00",
                ),
            )
            return None
        return moment.astimezone(UTC)

    def _complain(self, place: str, message: str) -> None:
        whole = f"{self._place}.{place}"
        self.problems.append(self._text.located(whole, f"{whole}: {message}"))


def _absolute(given: object) -> datetime | None:
    """Return the moment that is written with a zone; YAML itself reads some of them."""
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            return None
    return given if isinstance(given, datetime) and given.tzinfo is not None else None
