"""Draws an impact for a terminal: frictions day by day, and each change with its interval around no change."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from waymark.console import is_korean, say

if TYPE_CHECKING:
    from services.alerts.loop.impact import Impact, ImpactEstimate, MeasuredChange

WIDTH = 33
"""Characters of the line on which a change is drawn; odd, so that no change is in its middle."""

_STEPS = "▁▂▃▄▅▆▇█"


def draw_impact(impact: "Impact") -> Iterator[str]:
    """Yield the lines of the picture."""
    periods = impact.periods
    yield say(
        f"{periods.days} days before and after {periods.at:%Y-%m-%d %H:%M} UTC",
        f"{periods.at:%Y-%m-%d %H:%M} UTC 앞뒤 {periods.days}일",
    )
    yield ""
    yield f"  {_days(impact.frictions_before, impact.frictions_after)}  " + say("frictions per day", "하루 불편 수")
    yield ""
    for change in impact.changes:
        yield from _change(change, impact.currency or "")
    if impact.elsewhere:
        yield ""
        yield say("Everything else in the same time:", "같은 기간의 나머지:")
        for change in impact.elsewhere:
            yield from _change(change, impact.currency or "")
    yield ""
    yield from (f"! {say(caveat.en, caveat.ko)}" for caveat in impact.caveats)


def _days(before: Sequence[int], after: Sequence[int]) -> str:
    """Return one character a day, with a line where it changed; a day without any is a dot."""
    most = max((*before, *after), default=0)
    return f"{''.join(_step(n, most) for n in before)}│{''.join(_step(n, most) for n in after)}"


def _step(count: int, most: int) -> str:
    return _STEPS[round(count / most * (len(_STEPS) - 1))] if count else "·"


def _change(change: "MeasuredChange", currency: str) -> Iterator[str]:
    name, verdict = _names()[change.name], _verdicts()[change.verdict]
    before, after = (_figure(change, estimate, currency) for estimate in (change.before, change.after))
    yield f"  {name}: {before} → {after}"
    yield f"    {draw_interval(change)}  {verdict}"


def _figure(change: "MeasuredChange", estimate: "ImpactEstimate", currency: str) -> str:
    if estimate.value is None:
        return say("nothing counted", "없음")
    counted = f"(n={estimate.number})"
    if change.name.value == "recontact_rate":
        return f"{estimate.value:.0%} {counted}"
    if change.name.value == "value_at_stake_per_day":
        return f"{estimate.value:,.0f} {currency}".rstrip()
    return f"{estimate.value:,.1f} {counted}"


def draw_interval(change: "MeasuredChange") -> str:
    """Return a change and its interval on a line whose middle is no change: better is on the left."""
    if change.low is None or change.high is None or change.change is None:
        return " " * (WIDTH // 2) + "│" + " " * (WIDTH // 2)
    reach = max(abs(change.low), abs(change.high)) or 1.0
    middle = WIDTH // 2

    def place(value: float) -> int:
        return middle + round(value / reach * middle)

    line = [" "] * WIDTH
    low, high = place(change.low), place(change.high)
    line[low : high + 1] = "─" * (high - low + 1)
    line[low], line[high] = "├", "┤"
    line[middle] = "│" if line[middle] == " " else "┼"
    line[place(change.change)] = "●"
    return "".join(line)


def _names() -> dict[str, str]:
    korean = is_korean()
    return {
        "recontact_rate": "재문의율" if korean else "Came back after a resolution",
        "frictions_per_day": "하루 불편 수" if korean else "Frictions per day",
        "effort": "고객 노력도" if korean else "Effort",
        "contacts": "이슈당 연락 수" if korean else "Contacts per issue",
        "value_at_stake_per_day": "하루에 걸린 금액" if korean else "Value at stake per day",
    }


def _verdicts() -> dict[str, str]:
    return {
        "better": say("better", "나아짐"),
        "worse": say("worse", "나빠짐"),
        "unclear": say("no difference that chance would not make", "우연과 구별되지 않음"),
        "too_few": say("too few to say", "표본 부족"),
    }
