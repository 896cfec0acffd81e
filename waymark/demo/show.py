"""The demo from curtain to curtain: sources and keys, the play, the sums at the end."""

import asyncio
import os
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.alerts.deliver.notifiers.notifier import ReaderOptions
from services.alerts.deliver.notifiers.told_message import read_message
from services.alerts.deliver.notifiers.wording import word_message
from services.ingest.sources.source_administration import SourceSpec
from services.runtime.clock import SystemClock
from services.runtime.postgres.pools import Connection
from waymark.console import is_korean, out, print_json
from waymark.database import run_in_transaction
from waymark.demo.bars import bar
from waymark.demo.outcome import DemoCounts, PeakMemory, read_counts
from waymark.demo.play import DemoPace, DemoPlay, DemoStage, PlayCounts
from waymark.demo.retailer import HOUR_S, SOURCES, RetailHour, invent
from waymark.demo.story import DemoStory
from waymark.demo.words import ENGLISH, KOREAN
from waymark.keys.key_store import create_source_key
from waymark.local.local_stack import LocalStack
from waymark.local.plan import StackPlan

TEND_S = 1.0


class ShowOptions(Protocol):
    """What the show needs of the command's flags."""

    @property
    def customers(self) -> int:
        """How many customers visit."""

    @property
    def seed(self) -> int:
        """Which hour is played."""

    @property
    def play_s(self) -> float:
        """Seconds for the hour."""

    @property
    def as_json(self) -> bool:
        """Whether a program reads the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowResult:
    """What came of the show. Seconds count from the start of the command."""

    first_alert_s: float | None
    accepted: int
    verified: int
    repeated: int
    refused: int
    escalated: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    peak_mib: float
    peak_is_pss: bool
    outcome: DemoCounts

    @property
    def succeeded(self) -> bool:
        """Whether every accepted touchpoint was applied and every alert that arrived was signed correctly."""
        applied = self.outcome.touchpoints == self.accepted
        return applied and self.verified > 0 and self.refused == 0


class DemoShow:
    """One demo. It is created before the stack, so that the clock runs from the command's start."""

    def __init__(self, plan: StackPlan, options: ShowOptions) -> None:
        self._plan = plan
        self._options = options
        self._clock = SystemClock()
        self._started = self._clock.now()
        self._words = KOREAN if is_korean() else ENGLISH

    def perform(self, stack: LocalStack, memory: PeakMemory) -> ShowResult:
        """Play the hour on the running stack and show how it goes.

        Raises:
            DemoError: the stack refused what it should take.
        """
        hour = invent(self._options.seed, self._options.customers)
        began = self._clock.now() - timedelta(seconds=HOUR_S)
        story = DemoStory(out, self._words, hour, seed=self._options.seed, began=began)
        story.silent = self._options.as_json
        play = DemoPlay(self._stage(stack), hour, story, self._clock, run=f"{self._started:%H%M%S}", began=began)
        live = nullcontext() if story.plain or story.silent else Live(story, console=out, refresh_per_second=6)
        with live:
            tally = asyncio.run(self._run(play, stack, story))
        result = self._sum_up(play, tally, run_in_transaction(stack.target.postgres, read_counts), memory)
        self._tell(result, hour, tally)
        return result

    async def _run(self, play: DemoPlay, stack: LocalStack, story: DemoStory) -> PlayCounts:
        def first_alert(at: datetime) -> None:
            story.first_alert_after((at - self._started) / timedelta(seconds=1))

        tending = asyncio.create_task(_tend(stack), name="tend the stack")
        playing = asyncio.create_task(play.perform(DemoPace(play_s=self._options.play_s), on_first_alert=first_alert))
        done, _ = await asyncio.wait({tending, playing}, return_when=asyncio.FIRST_COMPLETED)
        for task in {tending, playing} - done:
            task.cancel()
        if tending in done:
            tending.result()  # it ends only by raising: an engine of the stack is gone
        return await playing

    def _stage(self, stack: LocalStack) -> DemoStage:
        async def make_keys(connection: Connection) -> dict[str, str]:
            return {
                name: (await create_source_key(connection, SourceSpec(name=name, channels=channels), label="demo")).text
                for name, channels in SOURCES.items()
            }

        return DemoStage(
            ingest=stack.target.ingest,
            alerts=stack.target.alerts,
            admin_key=stack.target.keys["admin"],
            source_keys=run_in_transaction(stack.target.postgres, make_keys),
        )

    def _sum_up(self, play: DemoPlay, tally: PlayCounts, outcome: DemoCounts, memory: PeakMemory) -> ShowResult:
        latency = tally.latency_ms()
        first = tally.first_alert_at
        return ShowResult(
            first_alert_s=None if first is None else (first - self._started) / timedelta(seconds=1),
            accepted=tally.accepted,
            verified=play.receiver.verified,
            repeated=play.receiver.repeated,
            refused=play.receiver.refused + play.leaders.refused,
            escalated=play.leaders.verified,
            latency_p50_ms=None if latency is None else latency[0],
            latency_p95_ms=None if latency is None else latency[1],
            peak_mib=memory.mib,
            peak_is_pss=memory.exact,
            outcome=outcome,
        )

    def _tell(self, result: ShowResult, hour: RetailHour, tally: PlayCounts) -> None:
        if self._options.as_json:
            print_json({**asdict(result), "succeeded": result.succeeded})
            return
        words = self._words
        table = Table(title=words.done, title_justify="left", box=None, show_header=False)
        for label, value in self._facts(result):
            table.add_row(label, Text(value, style="bold"))
        out.print()
        out.print(table)
        rules = Table(box=None, show_header=False, padding=(0, 1))
        most = max(result.outcome.frictions.values(), default=0)
        for rule, count in result.outcome.frictions.items():
            rules.add_row(f"  {rule}", Text(f"{count:,}", style="bold"), Text(bar(count, most, 40), style="red"))
        out.print(rules)
        self._tell_day(result, tally)
        if result.succeeded:
            out.print(words.content.format(share=1 - result.outcome.troubled / hour.people), style="green")
        else:
            out.print(words.failed.format(logs=self._plan.folder / "logs"), style="bold red")

    def _tell_day(self, result: ShowResult, tally: PlayCounts) -> None:
        """Tell the team's day: pages instead of cards, what was done, and two of its messages as they were read."""
        words, inbox = self._words, result.outcome.inbox
        day = Table(title=words.day, title_justify="left", box=None, show_header=False)
        for outbreak in inbox.outbreaks:
            title = outbreak.ko if words.language == "ko" else outbreak.en
            counts = words.page.format(customers=outbreak.customers, frictions=outbreak.frictions, held=outbreak.held)
            day.add_row(Text(title, style="bold red"), counts)
        done = {"messages": inbox.told.get("first", 0), "cards": inbox.issues, "all": result.verified}
        done |= {"acknowledged": inbox.acknowledged}
        done |= {"escalated": result.escalated, "resolved": inbox.resolved, "came_back": inbox.came_back}
        for name, count in done.items():
            day.add_row(words.day_facts[name], Text(f"{count:,}", style="bold"))
        day.add_row(words.impact.format(at=f"{self._started:%Y-%m-%dT%H:%MZ}"), "")
        out.print(day)
        for kind in ("outbreak", "high"):
            if kind in tally.messages:
                out.print(Panel(Text(_read_aloud(tally.messages[kind], words.language)), title=words.message))

    def _facts(self, result: ShowResult) -> list[tuple[str, str]]:
        names = self._words.facts
        facts = [
            (names["accepted"], f"{result.accepted:,}"),
            (names["applied"], f"{result.outcome.touchpoints:,}"),
            (names["customers"], f"{result.outcome.customers:,}"),
            (names["contacts"], f"{result.outcome.contacts:,}"),
            (names["frictions"], f"{sum(result.outcome.frictions.values()):,}"),
            (names["issues"], f"{result.outcome.inbox.issues:,}"),
            (names["verified"], f"{result.verified:,}"),
            (names["repeated"], f"{result.repeated:,}"),
            (names["refused"], f"{result.refused:,}"),
        ]
        if result.first_alert_s is not None:
            facts.append((names["first"], f"{result.first_alert_s:.1f} s"))
        if result.latency_p50_ms is not None and result.latency_p95_ms is not None:
            facts.append((names["latency"], f"{result.latency_p50_ms:.0f} ms / {result.latency_p95_ms:.0f} ms"))
        kind = "PSS" if result.peak_is_pss else "RSS"
        facts.append((names["memory"], f"{result.peak_mib:.0f} MiB ({kind}, {os.cpu_count()} cores)"))
        return facts


def _read_aloud(body: bytes, language: Literal["en", "ko"]) -> str:
    """Return a message as people read it in mail and chat."""
    worded = word_message(read_message(body), ReaderOptions(language=language, time_zone="Asia/Seoul"))
    facts = (f"{label}: {value}" for label, value in worded.facts)
    return "\n".join([worded.plain(), *worded.advice(), *facts, *(f"  {step}" for step in worded.steps)])


async def _tend(stack: LocalStack) -> None:
    while True:
        stack.tend()
        await asyncio.sleep(TEND_S)
