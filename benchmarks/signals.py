"""What the shipped signals find on a log of real cases and on the demo: `python -m benchmarks.signals LOG.csv`.

Every rule is asked by itself, switched on, with all its timers fired. The demo knows the truth: who had trouble was
given it. The log of the help desk tells what came next: whether the customer opened another case within 30 days.
Writes
docs/signals-measured.md and docs/signals-measured.ko.md.
"""

import sys
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import thread_time
from typing import Any

import msgspec

from schemas import kinds
from services.journey import policies
from services.journey.domain.friction import RuleFinding
from services.journey.domain.history import CustomerHistory
from services.journey.domain.journey import segment
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint
from services.journey.rulebook import rules_file
from services.journey.trial.evaluation import evaluate_when_due
from tests.architecture.signals_page import SIGNALS
from waymark.demo import cast, retailer
from waymark.imports.mapping import recipe
from waymark.imports.run import ImportFile, make
from waymark.rules import case_file

ROOT = Path(__file__).parents[1]
MAPPING = ROOT / "examples" / "helpdesk" / "mapping-with-reason.yaml"
CASES = ROOT / "examples" / "rules" / "signals.yaml"
BACK_WITHIN = timedelta(days=30)
PEOPLE = 3_000
HOUR = datetime(2026, 11, 23, 2, tzinfo=UTC)
TROUBLE = {cast.calling_again, cast.switching, cast.sent_between_groups, cast.promise_broken, cast.payment_down}
"""What people in the demo go through that is trouble; the others get what they want."""

PASSES, SAMPLE = 3, 500

Histories = Mapping[str, Sequence[RecordedTouchpoint]]


@dataclass(slots=True)
class RuleFigures:
    """What one rule found. `right` are frictions of people in trouble, `back` those after which a case was opened."""

    log: int = 0
    back: int = 0
    demo: int = 0
    right: int = 0
    cost_us: float = 0.0


@dataclass(slots=True)
class Measured:
    """All figures. `usual` is the share of cases of the log after which the customer opened another one in time."""

    rules: dict[str, RuleFigures] = field(default_factory=lambda: defaultdict(RuleFigures))
    log_touchpoints: int = 0
    usual: float = 0.0


def kept(documents: Iterable[Mapping[str, Any]]) -> Histories:
    """Return touchpoints as the worker keeps them, by customer; they have been received when they happened."""
    catalogue = kinds.load()
    histories: dict[str, list[RecordedTouchpoint]] = defaultdict(list)
    for document in documents:
        known = catalogue.get(document["kind"])
        implied = None if known is None else known.implied_direction
        whose = document["customer"]
        plain = {
            "source": "measured",
            "direction": implied,
            **document,
            "received_at": document["occurred_at"],
            "customer": {
                type_: value if isinstance(value, dict) else {"value": str(value)} for type_, value in whose.items()
            },
        }
        touchpoint = msgspec.convert(plain, Touchpoint)
        at = touchpoint.occurred_at.astimezone(UTC)
        touchpoint = msgspec.structs.replace(touchpoint, occurred_at=at, received_at=at)
        histories[document.get("person", str(whose))].append(RecordedTouchpoint(touchpoint=touchpoint, appended_at=at))
    return histories


def helpdesk(path: Path) -> Histories:
    """Return the log of the help desk by customer."""
    lines = make(ImportFile(path=path, mapping=recipe.load(MAPPING)))
    return kept(document for _, made in lines for document in made[0])


def played() -> tuple[Histories, set[str]]:
    """Return the demo's hour by person, and who of them was given trouble."""
    dice = Random(1)
    documents: list[dict[str, Any]] = []
    troubled: set[str] = set()
    scripts, weights = zip(*retailer.SHARES, strict=True)
    for number in range(PEOPLE):
        script = dice.choices(scripts, weights)[0]
        person = cast.DemoCustomer(number=number, premium=dice.random() < 0.08)
        start = dice.uniform(0, retailer.LATEST_START_S.get(script, 3_000))
        for ordinal, moment in enumerate(script(person, start, dice)):
            document = retailer.document(moment, ordinal, run=f"r{number}", began=HOUR)
            documents.append({**document, "source": moment.source, "person": str(number)})
        if script in TROUBLE:
            troubled.add(str(number))
    return kept(documents), troubled


def found(books: Mapping[str, Rulebook], history: Sequence[RecordedTouchpoint]) -> Iterator[tuple[str, RuleFinding]]:
    """Yield what each book finds in one history once all timers have fired, with the id of its rule."""
    policy = policies.projection()
    index = CustomerHistory(history, policy.contacts)
    segment(index, policy.journeys)
    for id_, book in books.items():
        for one in evaluate_when_due(book, index, lambda _: True).findings:
            yield id_, one


def comes_back(openings: Sequence[datetime], after: datetime) -> bool:
    """Return whether a case was opened after a moment, and in time."""
    at = bisect_right(openings, after)
    return at < len(openings) and openings[at] - after <= BACK_WITHIN


def measure(log: Path) -> Measured:
    """Ask every shipped rule about both."""
    measured = Measured()
    cases, (demo, troubled) = helpdesk(log), played()
    openings = {
        who: sorted(one.touchpoint.occurred_at for one in history if one.touchpoint.kind == "case_opened")
        for who, history in cases.items()
    }
    all_openings = [(who, at) for who, times in openings.items() for at in times]
    measured.usual = sum(comes_back(openings[who], at) for who, at in all_openings) / len(all_openings)
    measured.log_touchpoints = sum(map(len, cases.values()))
    books = {rule.id: Rulebook([msgspec.structs.replace(rule, enabled=True)]) for rule in rules_file.load().rules}
    for who, history in cases.items():
        for id_, one in found(books, history):
            measured.rules[id_].log += 1
            measured.rules[id_].back += comes_back(openings[who], one.stale_from)
    for who, history in demo.items():
        for id_, _ in found(books, history):
            measured.rules[id_].demo += 1
            measured.rules[id_].right += who in troubled
    for id_, book in books.items():
        measured.rules[id_].cost_us = cost(book, list(demo.values())[:SAMPLE])
    return measured


def cost(book: Rulebook, histories: Sequence[Sequence[RecordedTouchpoint]]) -> float:
    """Return the processor time of a rule for a touchpoint, in µs, at its best of some passes."""
    policy = policies.projection()
    spent = []
    for _ in range(PASSES):
        total = 0.0
        for history in histories:
            index = CustomerHistory(history, policy.contacts)
            segment(index, policy.journeys)
            began = thread_time()
            book.evaluate(index)
            total += thread_time() - began
        spent.append(total)
    return 1e6 * min(spent) / sum(map(len, histories))


HEADS = {
    "en": """\
# Signals, measured

*[한국어](signals-measured.ko.md). `make signals-measured LOG=helpdesk.csv` writes this page.
What each rule is: [signals.md](signals.md).*

Every shipped rule, asked by itself and switched on, about two things:

* the **help desk log** ({touchpoints:,} touchpoints, the public log of 4,580 cases; the product is taken for the
  reason). *Came back* is the share of a rule's frictions after which the customer opened another case within 30 days;
  after any case it is {usual:.0%}. How many repeated contacts and reopened cases there are is known from the file
  itself, and all of them are found (`tests/e2e/test_helpdesk.py`);
* the **demo** ({people:,} people in an hour of a shop), which knows the truth: *right* is the share of frictions of
  people who were given trouble.

*Cases* are those of `examples/rules/signals.yaml` that show where a rule fires and where it does not (✓: those of a
rule that is on are rows of its tests); *µs* is processor time for a touchpoint of the demo. A dash: nothing found
there, for the log or the demo has not what the rule looks at. D14 is found by alerts, over all customers.

**Which are on, and why.** The twelve need only what most houses send. The demo proves none of them wrong, and on the
log who contacts us again within a week comes back once more far more often than usual. A case that was reopened does
not foretell another one; it is friction by itself. Off stay

* those that foretell nothing on the log: many hands, silent and overdue cases are followed by another case less often
  than usual;
* those that the demo contradicts: who is not answered there mostly had no trouble (its chats end without a message of
  ours), and its orders stand still because the hour ends;
* those that only the demo shows (effort, unanswered feedback), and all that neither can show: look at a week of your
  own first (`waymark rules backtest`).

| signal | rule | shape | on | cases | log: found | came back | demo: found | right | µs |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
""",
    "ko": """\
# 신호 측정 결과

*[English](signals-measured.md). `make signals-measured LOG=helpdesk.csv`가 이 문서를 만듭니다.
각 규칙의 뜻: [signals.ko.md](signals.ko.md).*

기본 규칙을 하나씩 켜고 두 가지 자료에 물었습니다.

* **헬프데스크 기록**(접점 {touchpoints:,}개, 공개된 4,580건, 제품을 사유로 봄). *재문의*는 불편 뒤 30일 안에 같은
  고객이 다른 건을
  접수한 비율이며, 모든 건에서는 {usual:.0%}입니다. 반복 문의와 재접수가 몇 건인지는 파일에서 알 수 있고 빠짐없이
  찾습니다
  (`tests/e2e/test_helpdesk.py`).
* **데모**(한 시간 동안의 고객 {people:,}명)는 정답을 압니다. *적중*은 불편을 겪도록 정해진 고객의 비율입니다.

*사례*는 `examples/rules/signals.yaml`의 사례 수(✓: 켜진 규칙은 따로 시험), *µs*는 데모 접점 하나에 드는 CPU
시간입니다.
줄표는 그 자료에 볼 것이 없어 찾지 못했다는 뜻입니다. D14는 알림 서비스가 전체 고객을 보고 찾습니다.

**켜 두는 기준.** 켜진 열두 규칙은 대부분의 회사가 보내는 접점만 씁니다. 데모에서 틀린 규칙이 없고, 기록에서는 일주일
안에 다시 문의한
고객이 평소보다 훨씬 자주 또 돌아옵니다. 재접수는 다음 문의를 예고하지는 않지만 그 자체가 불편입니다. 꺼 둔 규칙은
다음과 같습니다.

* 기록에서 예고하는 것이 없는 규칙: 담당자가 많거나, 조용하거나, 늦어진 건 뒤에는 평소보다 재문의가 적습니다.
* 데모와 어긋나는 규칙: 첫 답변이 없는 고객 대부분은 불편이 없었고(데모의 채팅은 회사의 메시지 없이 끝납니다), 주문은
  한 시간이 끝나 멈춘 것입니다.
* 데모에서만 보이는 규칙(노력, 답 없는 의견)과 두 자료로 알 수 없는 규칙: 먼저 `waymark rules backtest`로 일주일 치를
  살펴보세요.

| 신호 | 규칙 | 모양 | 켜짐 | 사례 | 기록: 찾음 | 재문의 | 데모: 찾음 | 적중 | µs |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
""",
}


def page(measured: Measured, language: str) -> str:
    """Return the page in a language, `en` or `ko`."""
    head = HEADS[language].format(touchpoints=measured.log_touchpoints, usual=measured.usual, people=PEOPLE)
    rules = {rule.id: rule for rule in rules_file.load().rules}
    cases = Counter(one.only[0] for one in case_file.load(CASES).cases)
    rows = []
    for code, signal in SIGNALS.items():
        for id_ in signal.rules:
            rule, of = rules[id_], measured.rules[id_]
            cells = [
                code,
                f"`{id_}`",
                str(rule.__struct_config__.tag),
                "✓" if rule.enabled else "",
                str(cases[id_] or "✓"),
            ]
            cells += [_count(of.log), _share(of.back, of.log), _count(of.demo), _share(of.right, of.demo)]
            rows.append(f"| {' | '.join([*cells, f'{of.cost_us:.1f}'])} |\n")
        if not signal.rules:
            rows.append(f"| {code} | – | – | | | | | | | |\n")
    return head + "".join(rows)


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"


def main(log: Path) -> None:
    """Measure, and write the pages."""
    measured = measure(log)
    for language, name in (("en", "signals-measured.md"), ("ko", "signals-measured.ko.md")):
        (ROOT / "docs" / name).write_text(page(measured, language), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
