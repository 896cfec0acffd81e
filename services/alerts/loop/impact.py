"""Compares the time before something with the time after it: did the rule, the fix, the team make a difference?

Pure. Both periods are equally long. A difference is told with its 95 % interval, and as better or worse only where that
leaves zero out and the numbers are not too small to say. Before and after is no proof of a cause: where only a part is
compared, the same change elsewhere is told beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.alerts.issues.model import LocalizedTitle
from services.alerts.loop.intervals import (
    Sample,
    mean_interval,
    newcombe_interval,
    sample_of,
    welch_interval,
    wilson_interval,
)

FEW = 30
"""Fewer cases than this, on either side, say too little."""
FEW_DAYS = 7
DAY = timedelta(days=1)
LONGEST_DAYS = 92


class TooEarlyError(Exception):
    """Less than a day has passed since the time that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactScope:
    """What is compared; a member that is None does not restrict it."""

    rule: str | None = None
    team: str | None = None
    reason: str | None = None
    channel: str | None = None
    service_level: str | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not any((self.rule, self.team, self.reason, self.channel, self.service_level))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactPeriods:
    """The time before and the time after `at`, `days` long each."""

    at: datetime
    days: int

    @property
    def start(self) -> datetime:
        """When the time before begins."""
        return self.at - self.days * DAY

    @property
    def end(self) -> datetime:
        """When the time after ends."""
        return self.at + self.days * DAY


def find_periods(at: datetime, days: int, now: datetime) -> ImpactPeriods:
    """Return the longest periods around `at` of at most `days`: whole weeks if a week has passed, else whole days.

    Raises:
        TooEarlyError: not a day has passed.
    """
    passed = min(days, (now - at) // DAY)
    if passed < 1:
        raise TooEarlyError
    return ImpactPeriods(at=at, days=passed - passed % 7 if passed >= FEW_DAYS else passed)


class MeasureName(StrEnum):
    """What is measured; of each, less is better."""

    RECONTACT_RATE = "recontact_rate"
    """Of the resolutions whose watch is over, those after which the customer came back."""
    FRICTIONS = "frictions_per_day"
    EFFORT = "effort"
    """The effort score of the journeys of issues, 0 to 100."""
    CONTACTS = "contacts"
    """How often customers turned to us in the journeys of issues."""
    VALUE = "value_at_stake_per_day"


class ImpactVerdict(StrEnum):
    """What a change says."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"
    """The interval holds zero: no difference can be told from chance."""
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodFigures:
    """What was counted in one period: daily counts, resolutions, and samples of issues."""

    frictions: Sequence[int] = ()
    values: Sequence[float] = ()
    recontacted: int = 0
    decided: int = 0
    effort: Sample = field(default_factory=lambda: sample_of(()))
    contacts: Sample = field(default_factory=lambda: sample_of(()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactEstimate:
    """A figure of one period with its interval, None where there is nothing to tell one from; `number` of cases."""

    number: int
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredChange:
    """One measure before and after; `change` is after less before, with its interval."""

    name: MeasureName
    before: ImpactEstimate
    after: ImpactEstimate
    verdict: ImpactVerdict
    change: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What changed, what changed elsewhere meanwhile (empty if everything is compared), and what to mind."""

    periods: ImpactPeriods
    scope: ImpactScope
    changes: tuple[MeasuredChange, ...]
    elsewhere: tuple[MeasuredChange, ...]
    caveats: tuple[LocalizedTitle, ...]
    frictions_before: tuple[int, ...]
    frictions_after: tuple[int, ...]
    currency: str | None = None


def compare_figures(before: PeriodFigures, after: PeriodFigures) -> tuple[MeasuredChange, ...]:
    """Return every measure before and after."""
    return (
        _proportions(before, after),
        _days(MeasureName.FRICTIONS, before.frictions, after.frictions),
        _means(MeasureName.EFFORT, before.effort, after.effort, few=FEW),
        _means(MeasureName.CONTACTS, before.contacts, after.contacts, few=FEW),
        _days(MeasureName.VALUE, before.values, after.values),
    )


def _proportions(before: PeriodFigures, after: PeriodFigures) -> MeasuredChange:
    first, second = _proportion(before), _proportion(after)
    if first.value is None or second.value is None:
        return MeasuredChange(
            name=MeasureName.RECONTACT_RATE, before=first, after=second, verdict=ImpactVerdict.TOO_FEW
        )
    low, high = newcombe_interval((after.recontacted, after.decided), (before.recontacted, before.decided))
    return MeasuredChange(
        name=MeasureName.RECONTACT_RATE,
        before=first,
        after=second,
        change=second.value - first.value,
        low=low,
        high=high,
        verdict=_verdict(low, high, enough=min(before.decided, after.decided) >= FEW),
    )


def _proportion(figures: PeriodFigures) -> ImpactEstimate:
    if not figures.decided:
        return ImpactEstimate(number=0, value=None)
    low, high = wilson_interval(figures.recontacted, figures.decided)
    return ImpactEstimate(number=figures.decided, value=figures.recontacted / figures.decided, low=low, high=high)


def _days(name: MeasureName, before: Sequence[float], after: Sequence[float]) -> MeasuredChange:
    """Compare daily sums: what varies from day to day tells how much is chance."""
    return _means(name, sample_of(before), sample_of(after), few=FEW_DAYS, seen=any(before) or any(after))


def _means(name: MeasureName, before: Sample, after: Sample, *, few: int, seen: bool = True) -> MeasuredChange:
    found = welch_interval(after, before) if seen else None
    low, high = found or (None, None)
    return MeasuredChange(
        name=name,
        before=_mean(before),
        after=_mean(after),
        change=after.mean - before.mean if before.number and after.number else None,
        low=low,
        high=high,
        verdict=_verdict(low, high, enough=seen and min(before.number, after.number) >= few),
    )


def _mean(sample: Sample) -> ImpactEstimate:
    if not sample.number:
        return ImpactEstimate(number=0, value=None)
    low, high = mean_interval(sample) or (None, None)
    return ImpactEstimate(number=sample.number, value=sample.mean, low=low, high=high)


def _verdict(low: float | None, high: float | None, *, enough: bool) -> ImpactVerdict:
    if not enough or low is None or high is None:
        return ImpactVerdict.TOO_FEW
    if high < 0:
        return ImpactVerdict.BETTER
    return ImpactVerdict.WORSE if low > 0 else ImpactVerdict.UNCLEAR


def find_caveats(
    periods: ImpactPeriods,
    asked: int,
    changes: Sequence[MeasuredChange],
    *,
    watching: int,
    currencies: Mapping[str, int],
) -> tuple[LocalizedTitle, ...]:
    """Return what to mind when reading these changes."""
    found = [_NO_PROOF]
    if any(change.verdict is ImpactVerdict.TOO_FEW for change in changes):
        found.append(_TOO_FEW)
    if periods.days < asked:
        days = periods.days
        found.append(
            LocalizedTitle(
                en=f"Only {days} of {asked} days have passed since then; both periods are {days} days long.",
                ko=f"그 뒤로 {asked}일 중 {days}일만 지나, 앞뒤 모두 {days}일씩 비교했습니다.",
            )
        )
    if periods.days % 7:
        found.append(_NO_WEEKS)
    if watching:
        found.append(
            LocalizedTitle(
                en=f"{watching} customers are still watched; the recontact rate leaves their resolutions out.",
                ko=f"고객 {watching}명은 아직 지켜보는 중이라 재문의율에서 뺐습니다.",
            )
        )
    if len(currencies) > 1:
        told = ", ".join(sorted(currencies))
        found.append(
            LocalizedTitle(
                en=f"Amounts are in {told}; only the most frequent currency is compared.",
                ko=f"금액의 통화가 여럿입니다({told}). 가장 많은 통화만 비교했습니다.",
            )
        )
    return tuple(found)


_NO_PROOF = LocalizedTitle(
    en="Before and after is no proof of a cause: season, campaigns and volume change too.",
    ko="앞뒤 비교가 원인을 증명하지는 않습니다. 계절, 행사, 문의량도 함께 바뀝니다.",
)
_TOO_FEW = LocalizedTitle(
    en=f"Where it says too few, there are fewer than {FEW} cases or {FEW_DAYS} days on a side: that says nothing yet.",
    ko=f"'표본 부족'은 한쪽이 {FEW}건 또는 {FEW_DAYS}일 미만이라는 뜻입니다. 아직 아무것도 말해 주지 않습니다.",
)
_NO_WEEKS = LocalizedTitle(
    en="The periods are no whole weeks, so weekdays weigh differently.",
    ko="기간이 온전한 주가 아니어서 요일의 비중이 다릅니다.",
)
