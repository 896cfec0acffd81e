"""The demo on the terminal: a live picture where there is a terminal, plain lines where there is none.

Keeps what it was told and draws it; measures and sends nothing.
"""

from collections import Counter, deque
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from waymark.demo.bars import bar
from waymark.demo.receiver import ReceivedAlert
from waymark.demo.retailer import HOUR_S, OUTAGE_S, RetailHour
from waymark.demo.words import DemoTexts

SEOUL = ZoneInfo("Asia/Seoul")
COLOURS = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}
SHOWN_ALERTS = 12
PLAIN_ALERTS = 25
"""How many alerts are told one by one where lines cannot be drawn over; the rest are counted."""


class DemoStory:
    """What has happened so far, and how it is displayed."""

    def __init__(self, console: Console, words: DemoTexts, hour: RetailHour, *, seed: int, began: datetime) -> None:
        self._console = console
        self._words = words
        self._hour = hour
        self._seed = seed
        self._began = began
        self._accepted: Counter[str] = Counter()
        self._alerts: deque[ReceivedAlert] = deque(maxlen=SHOWN_ALERTS)
        self._alert_count = 0
        self._at_s = 0.0
        self._over = False
        self._first_alert_s: float | None = None
        self.plain = not console.is_terminal
        self.silent = False

    @property
    def _tells(self) -> bool:
        """Whether lines are told one by one."""
        return self.plain and not self.silent

    def accepted(self, channel: str, count: int) -> None:
        """Note that ingest took `count` touchpoints of `channel`."""
        self._accepted[channel] += count

    def moved_to(self, at_s: float) -> None:
        """Note how far into the hour we are."""
        if self._tells and self._at_s < OUTAGE_S[0] <= at_s:
            self._console.print(f"{self._clock(at_s)}  {self._words.outage}")
        self._at_s = at_s

    def is_over(self) -> None:
        """Note that the hour has been played and only broken promises are waited for."""
        self._over = True
        if self._tells:
            self._console.print(self._words.waiting)

    def first_alert_after(self, seconds: float) -> None:
        """Note how long the first verified alert took from the start of the demo."""
        self._first_alert_s = seconds
        if self._tells:
            self._console.print(self._words.first_alert.format(seconds=seconds))

    def hears(self, alert: ReceivedAlert) -> None:
        """Note a verified alert."""
        self._alerts.append(alert)
        self._alert_count += 1
        if self._tells and self._alert_count <= PLAIN_ALERTS:
            when, severity, what, way = self._row(alert)
            self._console.print(f"{when}  [{severity.plain}] {what.plain}  ·  {way.plain}", markup=False)

    def __rich__(self) -> RenderableType:
        """Draw the present."""
        return Panel(Group(*self._lines()), title=self._words.title, border_style="blue")

    def _lines(self) -> list[RenderableType]:
        in_outage = OUTAGE_S[0] <= self._at_s <= OUTAGE_S[1] and not self._over
        facts = self._words.people.format(people=self._hour.people, moments=len(self._hour.moments), seed=self._seed)
        head = Text.assemble((self._clock(self._at_s), "bold"), "  ", facts)
        if in_outage:
            head.append(f"  ⚠ {self._words.outage}", style="bold red")
        lines: list[RenderableType] = [head, ProgressBar(total=HOUR_S, completed=min(self._at_s, HOUR_S)), Text()]
        lines += [self._channels(), Text(), self._heard()]
        if self._over:
            lines.append(Text(self._words.waiting, style="dim"))
        if self._first_alert_s is not None:
            lines.append(Text(self._words.first_alert.format(seconds=self._first_alert_s), style="green"))
        return lines

    def _channels(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        most = max(self._accepted.values(), default=1)
        table.add_row(Text(self._words.sent, style="bold"))
        for channel, count in sorted(self._accepted.items(), key=lambda item: -item[1]):
            drawn = Text(bar(count, most, 30), style="blue")
            table.add_row(Text(f"{channel:<10}"), drawn, Text(f"{count:,}", style="bold"))
        return table

    def _heard(self) -> RenderableType:
        table = Table(
            title=f"{self._words.alerts} ({self._alert_count:,})", expand=True, title_justify="left", box=None
        )
        for column in self._words.columns:
            table.add_column(column, overflow="ellipsis", no_wrap=True)
        if not self._alerts:
            table.add_row("", "", Text(self._words.nothing_yet, style="dim"), "")
        for alert in self._alerts:
            table.add_row(*self._row(alert))
        return table

    def _row(self, alert: ReceivedAlert) -> tuple[str, Text, Text, Text]:
        issue = alert.issue
        severity = str(issue.get("severity", ""))
        news = self._words.news.get(alert.kind, alert.kind)
        title = issue.get("title", {})
        what = Text.assemble((f"{news}: ", "dim"), str(title.get(self._words.language) or title.get("en") or ""))
        way = " → ".join(_channels_of(issue))
        level = Text(self._words.severity.get(severity, severity), style=COLOURS.get(severity, ""))
        return alert.received_at.astimezone(SEOUL).strftime("%H:%M:%S"), level, what, Text(way, style="dim")

    def _clock(self, at_s: float) -> str:
        return (self._began + timedelta(seconds=at_s)).astimezone(SEOUL).strftime("%H:%M KST")


def _channels_of(issue: dict[str, object]) -> list[str]:
    """Return the channels of the issue's timeline, repeats folded."""
    steps: list[str] = []
    timeline = issue.get("timeline")
    for entry in timeline if isinstance(timeline, list) else []:
        channel = str(entry.get("channel", ""))
        if not steps or steps[-1] != channel:
            steps.append(channel)
    return steps
