"""What trials over stored customers take, and the lines that they answer with."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.journey.api.rules.rule_views import RulesText
from services.journey.trial.backtest import BacktestWindow
from services.runtime.http.fields import Moment, PlainText, Zone

LONGEST = timedelta(days=400)


class StoredTrial(BaseModel):
    """Rules, and the time over which stored customers are looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: RulesText | None = Field(None, description="A rules file, YAML; without it, the rules in force.")
    since: Moment = Field(description="From when on; at most 400 days before `until`.")
    until: Moment | None = Field(None, description="Until when; now if left out.")
    zone: Zone = Field("UTC", description="Zone of days and hours.", examples=["Asia/Seoul"])

    @model_validator(mode="after")
    def _demand_span(self) -> Self:
        if self.until is not None and not timedelta(0) < self.until - self.since <= LONGEST:
            raise ValueError("`since` is before `until`, by 400 days at most")
        return self

    def window(self, now: datetime) -> BacktestWindow | None:
        """Return the time that is looked at; None if nothing is between `since` and now."""
        until = self.until or now.astimezone(UTC)
        if not timedelta(0) < until - self.since <= LONGEST:
            return None
        return BacktestWindow(since=self.since, until=until, zone=ZoneInfo(self.zone))


class RulesToBacktest(StoredTrial):
    """Rules to try on the customers that are stored, over a time."""


class FrictionsToLookBackFrom(StoredTrial):
    """A rule, and how far to look back from what it finds."""

    rule: Annotated[PlainText, StringConstraints(min_length=1, max_length=100)] = Field(examples=["repeat_contact_7d"])
    within_s: int = Field(86_400, ge=60, le=366 * 86_400, description="Seconds to look back.")
