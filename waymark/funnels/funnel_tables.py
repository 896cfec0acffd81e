"""What the API says of funnels, as tables for people."""

from collections.abc import Iterator

import msgspec
from rich.table import Table
from rich.text import Text

from schemas.vocabulary import CHANNELS_IN_KOREAN
from waymark.console import is_korean, say

BAR = 20
"""Cells of a bar that stands for everything that entered."""


class AnswerTitle(msgspec.Struct, frozen=True):
    """A name in both languages."""

    en: str
    ko: str


class AnswerDuration(msgspec.Struct, frozen=True):
    """How long something took, in seconds."""

    p50_s: float
    p95_s: float


class AnswerFunnelCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the journeys that entered."""

    entered: int
    reached: int
    reached_rate: float
    abandoned: int
    timed_out: int
    open: int
    time_to_reach: AnswerDuration | None = None


class AnswerFunnelSummary(AnswerFunnelCounts, frozen=True, kw_only=True):
    """One kind of journey."""

    journey: str
    title: AnswerTitle | None = None


class FunnelListAnswer(msgspec.Struct, frozen=True):
    """All kinds of journeys."""

    funnels: list[AnswerFunnelSummary]


class AnswerFunnelStage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a funnel."""

    stage: str
    journeys: int
    share: float
    abandoned: int
    timed_out: int
    open: int
    overdue: int
    drop_off_rate: float
    title: AnswerTitle | None = None
    time: AnswerDuration | None = None


class AnswerFunnelSegment(AnswerFunnelCounts, frozen=True, kw_only=True):
    """The journeys of one segment."""

    value: str | None = None


class FunnelAnswer(AnswerFunnelSummary, frozen=True, kw_only=True):
    """One funnel, stage by stage."""

    stages: list[AnswerFunnelStage]
    by: str | None = None
    segments: list[AnswerFunnelSegment] | None = None


def drawn_list(answer: FunnelListAnswer) -> Iterator[Table | Text]:
    """Yield the table of all kinds of journeys, or what to do where there is none."""
    if not answer.funnels:
        yield Text(
            say(
                "no journeys are defined yet; begin with: waymark journeys apply retail",
                "아직 정의된 여정이 없습니다. 시작하려면: waymark journeys apply retail",
            )
        )
        return
    table = _counts_table(say("journey", "여정"))
    for one in answer.funnels:
        table.add_row(_named(one.title, one.journey), *_counts(one))
    yield table


def drawn_funnel(answer: FunnelAnswer) -> Iterator[Table | Text]:
    """Yield one funnel: its sums, its stages, and its segments where they were asked for."""
    yield Text.assemble((_named(answer.title, answer.journey), "bold"), "  ", _summary(answer))
    stages = Table(box=None, pad_edge=False)
    for name in (say("stage", "단계"), ""):
        stages.add_column(name)
    for name in (
        say("came", "진입"),
        say("half within", "절반 기준"),
        say("95 % within", "95% 기준"),
        say("overdue", "기한 초과"),
        say("lost here", "이탈"),
        say("here now", "현재"),
    ):
        stages.add_column(name, justify="right")
    for stage in answer.stages:
        lost = stage.abandoned + stage.timed_out
        stages.add_row(
            _named(stage.title, stage.stage),
            Text("█" * round(BAR * stage.share), style="cyan"),
            f"{stage.journeys:,} ({stage.share:.0%})",
            *_durations(stage.time),
            f"{stage.overdue:,}",
            f"{lost:,} ({stage.drop_off_rate:.0%})" if lost else "0",
            f"{stage.open:,}",
        )
    yield stages
    if answer.segments is not None:
        yield Text()
        table = _counts_table(say(*_BY.get(answer.by or "", ("segment", "구분"))))
        for segment in answer.segments:
            table.add_row(_value(answer.by, segment.value), *_counts(segment))
        yield table


_BY = {
    "channel": ("channel", "채널"),
    "reason": ("reason", "사유"),
    "service_level": ("service level", "서비스 등급"),
}


def _summary(counts: AnswerFunnelCounts) -> str:
    return say(
        f"{counts.entered:,} entered, {counts.reached:,} reached it ({counts.reached_rate:.0%}), {counts.abandoned:,} "
        f"gave up, {counts.timed_out:,} timed out, {counts.open:,} under way",
        f"시작 {counts.entered:,}, 완료 {counts.reached:,} ({counts.reached_rate:.0%}), 포기 {counts.abandoned:,}, "
        f"기한 만료 {counts.timed_out:,}, 진행 중 {counts.open:,}",
    )


def _counts_table(first: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first)
    for name in (
        say("entered", "시작"),
        say("reached", "완료"),
        say("gave up", "포기"),
        say("timed out", "기한 만료"),
        say("under way", "진행 중"),
        say("half within", "절반 기준"),
        say("95 % within", "95% 기준"),
    ):
        table.add_column(name, justify="right")
    return table


def _counts(counts: AnswerFunnelCounts) -> tuple[str, ...]:
    return (
        f"{counts.entered:,}",
        f"{counts.reached:,} ({counts.reached_rate:.0%})",
        f"{counts.abandoned:,}",
        f"{counts.timed_out:,}",
        f"{counts.open:,}",
        *_durations(counts.time_to_reach),
    )


def _durations(time: AnswerDuration | None) -> tuple[str, str]:
    return ("–", "–") if time is None else (_lasting(time.p50_s), _lasting(time.p95_s))


def _lasting(seconds: float) -> str:
    """Return a duration in its largest unit, two digits of it: `41 s`, `2.5 h`, `3.1 d`."""
    for size, unit in ((86_400, say("d", "일")), (3_600, say("h", "시간")), (60, say("min", "분"))):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}" if seconds < 100 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} {say('s', '초')}"


def _named(title: AnswerTitle | None, id_: str) -> str:
    return id_ if title is None else f"{say(title.en, title.ko)} ({id_})"


def _value(by: str | None, value: str | None) -> str:
    if value is None:
        return say("unknown", "알 수 없음")
    return CHANNELS_IN_KOREAN.get(value, value) if by == "channel" and is_korean() else value
