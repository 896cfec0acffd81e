"""Files of journey definitions: the shipped sets are read, mistakes are named with their line and the nearest name."""

from datetime import timedelta
from typing import Any

import pytest

from services.journey.domain.definitions.definition import OverdueEffect
from services.journey.rulebook import definitions_file
from services.journey.rulebook.definitions_file import DefinitionsRefusedError

GOOD = """journeys:
  - id: repair
    title: {en: Repair, ko: 수리}
    entry: {kind: case_opened}
    key: [refs.case_id]
    stages:
      - id: reported
        title: {en: Reported, ko: 접수}
        within: 4h
        within_by_service_level: {premium: 1h 30m}
      - id: in_work
        title: {en: In work, ko: 처리 중}
        begins: {kind: case_worked}
        within: 2d
        when_over: timed_out
    reached: {kind: case_closed}
    inactivity: 14d
"""


def refusal(text: str) -> list[str]:
    with pytest.raises(DefinitionsRefusedError) as refused:
        definitions_file.read(text, name="mine.yaml")
    assert str(refused.value).startswith("mine.yaml cannot be used:\n")
    return list(refused.value.problems)


def test_a_file_says_what_the_domain_takes() -> None:
    (repair,) = definitions_file.read(GOOD, name="mine.yaml").definitions
    first, second = repair.stages
    assert (first.within, first.within_by_service_level) == (
        timedelta(hours=4),
        {"premium": timedelta(hours=1, minutes=30)},
    )
    assert (second.begins, second.when_over) == ({"kind": "case_worked"}, OverdueEffect.TIMED_OUT)
    assert (repair.key, repair.inactivity, repair.within) == (("refs.case_id",), timedelta(days=14), None)


@pytest.mark.parametrize("name", definitions_file.shipped_sets())
def test_a_shipped_set_is_read_and_says_everything_in_two_languages(name: str) -> None:
    file = definitions_file.load(name)
    titles = [one.title for one in file.definitions]
    titles += [stage.title for one in file.definitions for stage in one.stages]
    assert all(title.en != title.ko for title in titles)
    assert any(stage.within_by_service_level for one in file.definitions for stage in one.stages)


def test_two_sets_ship() -> None:
    assert definitions_file.shipped_sets() == ("banking", "retail")


def test_what_is_stored_is_what_was_read() -> None:
    file = definitions_file.read(GOOD, name="mine.yaml")
    assert definitions_file.decode(definitions_file.encode(file.raw)) == file.definitions


def test_a_file_may_define_nothing() -> None:
    assert definitions_file.read("journeys: []", name="mine.yaml").definitions == ()


MISTAKES: dict[str, tuple[tuple[str, str], str, int]] = {
    "a member misspelt": (("inactivity:", "inactivty:"), "Did you mean inactivity?", 17),
    "a member of a stage misspelt": (("begins:", "begin:"), "Did you mean begins?", 13),
    "a duration in words": (("within: 2d", "within: two days"), "Write a duration", 14),
    "no such effect": (("timed_out", "exploded"), "when_over", 15),
    "an unknown field": (("refs.case_id", "reference"), "a touchpoint has no field 'reference'", 2),
    "a stage twice": (("id: in_work", "id: reported"), "the stage reported is given twice", 2),
    "a time-out without a time": (("        within: 2d\n", ""), "times out, and has no within", 2),
    "a key twice": (("    inactivity: 14d\n", "    inactivity: 14d\n    inactivity: 15d\n"), "is given twice", 18),
    "without Korean": (("{en: Repair, ko: 수리}", "{en: Repair}"), "ko", 3),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_line(name: str) -> None:
    (old, new), words, line = MISTAKES[name]
    assert old in GOOD
    problems = refusal(GOOD.replace(old, new, 1))
    assert any(words in problem and f"line {line}" in problem for problem in problems), problems


def test_every_mistake_is_named_at_once() -> None:
    text = GOOD.replace("inactivity:", "inactivty:").replace("within: 2d", "within: two days")
    assert len(refusal(text)) >= 2


def test_an_id_twice_is_a_mistake() -> None:
    twice = GOOD + GOOD.removeprefix("journeys:\n")
    assert any("repair: this id is given twice" in problem for problem in refusal(twice))


@pytest.mark.parametrize("text", ["", "[]", "journeys: {", "journeys: 3"])
def test_what_is_no_file_of_definitions_says_so(text: str) -> None:
    assert refusal(text)


def test_what_a_later_release_stored_is_refused() -> None:
    raw: list[dict[str, Any]] = [{**definitions_file.read(GOOD, name="x").raw[0], "of_a_later_release": 1}]
    with pytest.raises(ValueError, match="unknown field"):
        definitions_file.decode(definitions_file.encode(raw))
