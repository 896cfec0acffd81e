"""Before and after: what is told of a difference, from both sides of each border, and what is drawn of it."""

from datetime import timedelta
from typing import Any

import pytest

from services.alerts.loop.impact import (
    DAY,
    FEW,
    Impact,
    ImpactScope,
    ImpactVerdict,
    MeasuredChange,
    MeasureName,
    PeriodFigures,
    TooEarlyError,
    compare_figures,
    find_caveats,
    find_periods,
)
from services.alerts.loop.intervals import sample_of
from tests.unit.alerts.builders import NOW
from waymark.loop.impact_picture import WIDTH, draw_impact, draw_interval

WEEK = 7


def change_of(name: MeasureName, before: PeriodFigures, after: PeriodFigures) -> MeasuredChange:
    """One measure of two periods."""
    return next(change for change in compare_figures(before, after) if change.name is name)


def resolutions(recontacted: int, decided: int) -> PeriodFigures:
    """A period with resolutions."""
    return PeriodFigures(recontacted=recontacted, decided=decided)


@pytest.mark.parametrize(
    ("passed", "days", "length"),
    [(1, 28, 1), (6.9, 28, 6), (7, 28, 7), (13.9, 28, 7), (27.9, 28, 21), (28, 28, 28), (90, 28, 28), (90, 10, 7)],
)
def test_periods_are_equally_long_and_whole_weeks_if_they_can(passed: float, days: int, length: int) -> None:
    periods = find_periods(NOW - passed * DAY, days, NOW)
    assert periods.days == length
    assert periods.at - periods.start == periods.end - periods.at == length * DAY
    assert periods.end <= NOW


def test_less_than_a_day_says_nothing() -> None:
    with pytest.raises(TooEarlyError):
        find_periods(NOW - DAY + timedelta(seconds=1), 28, NOW)
    with pytest.raises(TooEarlyError):
        find_periods(NOW + DAY, 28, NOW)


def test_fewer_recontacts_are_better_by_newcombes_example() -> None:
    """56 of 70 against 48 of 80: 0.2, from 0.0524 to 0.3339 (Statistics in Medicine 17, 873-890, Table II)."""
    found = change_of(MeasureName.RECONTACT_RATE, resolutions(56, 70), resolutions(48, 80))
    assert (found.change, found.low, found.high) == pytest.approx((-0.2, -0.3339, -0.0524), abs=5e-5)
    assert found.verdict is ImpactVerdict.BETTER
    worse = change_of(MeasureName.RECONTACT_RATE, resolutions(48, 80), resolutions(56, 70))
    assert worse.verdict is ImpactVerdict.WORSE
    same = change_of(MeasureName.RECONTACT_RATE, resolutions(40, 80), resolutions(41, 80))
    assert same.verdict is ImpactVerdict.UNCLEAR


def test_a_difference_that_looks_certain_is_not_told_of_few() -> None:
    few = change_of(MeasureName.RECONTACT_RATE, resolutions(FEW - 1, FEW - 1), resolutions(0, FEW))
    assert few.verdict is ImpactVerdict.TOO_FEW
    enough = change_of(MeasureName.RECONTACT_RATE, resolutions(FEW, FEW), resolutions(0, FEW))
    assert enough.verdict is ImpactVerdict.BETTER
    none = change_of(MeasureName.RECONTACT_RATE, resolutions(0, 0), resolutions(1, 50))
    assert (none.verdict, none.change, none.before.value) == (ImpactVerdict.TOO_FEW, None, None)


@pytest.mark.parametrize(("days", "verdict"), [(6, ImpactVerdict.TOO_FEW), (7, ImpactVerdict.BETTER)])
def test_days_vary_and_a_week_of_them_is_the_least(days: int, verdict: ImpactVerdict) -> None:
    before = PeriodFigures(frictions=[10, 11, 9, 12, 10, 8, 11][:days])
    after = PeriodFigures(frictions=[2, 1, 3, 2, 4, 2, 1][:days])
    assert change_of(MeasureName.FRICTIONS, before, after).verdict is verdict


def test_nothing_before_and_nothing_after_is_too_few_to_say() -> None:
    empty = PeriodFigures(frictions=[0] * WEEK, values=[0.0] * WEEK)
    assert {change.verdict for change in compare_figures(empty, empty)} == {ImpactVerdict.TOO_FEW}


def test_effort_of_issues_needs_thirty_of_them() -> None:
    def effort(mean: float, number: int) -> PeriodFigures:
        return PeriodFigures(effort=sample_of([mean + step % 5 for step in range(number)]))

    assert change_of(MeasureName.EFFORT, effort(40, FEW), effort(30, FEW)).verdict is ImpactVerdict.BETTER
    assert change_of(MeasureName.EFFORT, effort(40, FEW), effort(30, FEW - 1)).verdict is ImpactVerdict.TOO_FEW


def caveats(days: int = 28, asked: int = 28, watching: int = 0, **currencies: int) -> str:
    """The English caveats in one text."""
    periods = find_periods(NOW - days * DAY, days, NOW)
    changes = compare_figures(resolutions(40, 80), resolutions(41, 80))
    return " ".join(c.en for c in find_caveats(periods, asked, changes, watching=watching, currencies=currencies))


def test_what_to_mind_is_said_where_it_is_so() -> None:
    assert "no proof" in caveats()
    assert "Only 14 of 28" in caveats(14)
    assert "Only" not in caveats()
    assert "weekdays" in caveats(6)
    assert "weekdays" not in caveats()
    assert "3 customers are still watched" in caveats(watching=3)
    assert "KRW, USD" in caveats(KRW=5, USD=2)
    assert "Amounts" not in caveats(KRW=5)


def an_impact(**members: Any) -> Impact:
    """An impact of a week; `members` override."""
    before = PeriodFigures(frictions=[10, 11, 9, 12, 10, 8, 11], recontacted=56, decided=70)
    after = PeriodFigures(frictions=[2, 1, 0, 2, 4, 2, 1], recontacted=48, decided=80)
    changes = compare_figures(before, after)
    periods = find_periods(NOW - 7 * DAY, 7, NOW)
    given: dict[str, Any] = {
        "periods": periods,
        "scope": ImpactScope(rule="long_wait"),
        "changes": changes,
        "elsewhere": (),
        "caveats": find_caveats(periods, 7, changes, watching=0, currencies={}),
        "frictions_before": tuple(before.frictions),
        "frictions_after": tuple(after.frictions),
    }
    return Impact(**given | members)


def test_a_terminal_shows_the_days_the_figures_and_the_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    lines = list(draw_impact(an_impact()))
    assert lines[2] == "  ▇▇▆█▇▆▇│▂▂·▂▃▂▂  frictions per day"
    assert "  Came back after a resolution: 80% (n=70) → 60% (n=80)" in lines
    drawn = lines[lines.index("  Came back after a resolution: 80% (n=70) → 60% (n=80)") + 1]
    assert drawn.endswith("better")
    assert drawn.index("├") < drawn.index("●") < drawn.index("┤") < drawn.index("│")
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    assert any("재문의율: 80% (n=70) → 60% (n=80)" in line for line in draw_impact(an_impact()))


def test_what_has_no_interval_is_drawn_as_no_change() -> None:
    empty = change_of(MeasureName.RECONTACT_RATE, resolutions(0, 0), resolutions(0, 0))
    assert draw_interval(empty).strip() == "│"
    assert len(draw_interval(an_impact().changes[0])) == WIDTH
