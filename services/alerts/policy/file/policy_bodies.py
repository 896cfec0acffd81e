"""The documents of the policy's file: what it may say, with the words of Alertmanager and a few more of our own."""

from datetime import date, timedelta
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints, model_validator

from schemas.vocabulary import ServiceLevel
from services.alerts.issues.model import AlertSeverity
from services.alerts.policy.file.span_texts import (
    MONTHS,
    WEEKDAYS,
    parse_duration,
    parse_named,
    parse_numbers,
    parse_times,
    write_duration,
)
from services.alerts.policy.hours import UnknownHolidaysError, check_holidays, holiday_places
from services.alerts.policy.matchers import Matcher, parse_matchers

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Duration: TypeAlias = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(write_duration)]


def _listed(value: object) -> object:
    """Take one value for a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def _zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (ValueError, OSError, LookupError):
        raise ValueError("this is no time zone; write one like Asia/Seoul") from None
    return value


def _holidays(value: object) -> object:
    try:
        check_holidays(str(value))
    except UnknownHolidaysError:
        known = holiday_places()
        raise ValueError(
            "there are no holidays for this; write a country like KR, or a part of one like DE-BY "
            f"({len(known)} countries)"
        ) from None
    return value


def _matcher_texts(value: object) -> object:
    """Check matchers; what stands in one text with commas or braces becomes several."""
    return [str(matcher) for text in _flat(value) for matcher in parse_matchers(text)]


def _flat(value: object) -> list[str]:
    return [str(text) for text in (value if isinstance(value, list | tuple) else [value])]


MatcherTexts: TypeAlias = Annotated[
    list[str],
    BeforeValidator(_matcher_texts),
    Field(max_length=50, description='Like `reason="billing"`, `severity=~"high|critical"`.'),
]


def matchers_of(texts: list[str]) -> tuple[Matcher, ...]:
    """Return the matchers in checked texts."""
    return tuple(matcher for text in texts for matcher in parse_matchers(text))


class PolicyPart(BaseModel):
    """A part of the policy's file; a member that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TimesBody(PolicyPart):
    """A range of times of a day: `{start_time: "09:00", end_time: "18:00"}`; the end is not part of it."""

    start_time: str
    end_time: str

    @model_validator(mode="after")
    def _in_order(self) -> "TimesBody":
        parse_times(self.start_time, self.end_time)
        return self


def _ranges(parse: Any) -> Any:
    def check(value: object) -> object:
        texts = [str(text) for text in (value if isinstance(value, list | tuple) else [value])]
        for text in texts:
            parse(text)
        return texts

    return BeforeValidator(check)


class SpanBody(PolicyPart):
    """One span of named hours; every condition that it states must be fulfilled."""

    times: list[TimesBody] = Field([], max_length=50)
    weekdays: Annotated[list[str], _ranges(lambda text: parse_named(text, WEEKDAYS, 0))] = Field([], max_length=50)
    days_of_month: Annotated[list[str], _ranges(lambda text: parse_numbers(text, -31, 31))] = Field([], max_length=50)
    months: Annotated[list[str], _ranges(lambda text: parse_named(text, MONTHS, 1))] = Field([], max_length=50)
    years: Annotated[list[str], _ranges(lambda text: parse_numbers(text, 1, 9999))] = Field([], max_length=50)
    location: Annotated[str, BeforeValidator(_zone)] = Field("UTC", description="A time zone like `Asia/Seoul`.")
    except_holidays: Annotated[str, BeforeValidator(_holidays)] | None = Field(
        None, description="Not on public holidays of this country: `KR`, `DE-BY`."
    )
    only_holidays: Annotated[str, BeforeValidator(_holidays)] | None = None
    except_dates: list[date] = Field([], max_length=400, description="Not on these days: a works holiday.")
    only_dates: list[date] = Field([], max_length=400)


class HoursBody(PolicyPart):
    """Hours with a name."""

    name: Name
    time_intervals: list[SpanBody] = Field(min_length=1, max_length=100)


class OptionsBody(PolicyPart):
    """How a route notifies; what it leaves out is inherited."""

    group_by: Annotated[list[str], BeforeValidator(_listed)] | None = Field(
        None,
        max_length=20,
        description="Labels whose equal values share one message; `[]`: all issues of the route. Left out everywhere, "
        "or `['...']`: each issue is a message of its own.",
    )
    group_wait: Duration | None = Field(None, description="How long a new group waits for more issues; 0 by default.")
    group_interval: Duration | None = Field(None, description="Pause between two messages about a group; 5m.")
    repeat_interval: Annotated[list[Duration], BeforeValidator(_listed)] | None = Field(
        None, max_length=20, description="Pauses between repeats while nobody acknowledges: `[1h, 4h, 24h]`."
    )
    escalation: str | None = Field(
        None, max_length=200, description="Name of the escalation that begins when people are told; empty for none."
    )
    critical_waits: bool | None = Field(None, description="A critical issue waits in groups and for hours as well.")


class RoutePart(OptionsBody):
    """A route of the tree."""

    name: Name | None = None
    matchers: MatcherTexts = []
    rules: list[Name] = Field([], max_length=100, description="Rule ids; `*` stands for anything.")
    min_severity: AlertSeverity = AlertSeverity.LOW
    teams: list[Name] = Field([], max_length=100)
    endpoints: list[Name] = Field([], max_length=100)
    tells_nobody: bool = False
    continues: bool = Field(False, alias="continue")
    active_time_intervals: list[Name] = Field([], max_length=50)
    mute_time_intervals: list[Name] = Field([], max_length=50)
    routes: list["RoutePart"] = Field([], max_length=1000)

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "RoutePart":
        if self.tells_nobody and (self.teams or self.endpoints):
            raise ValueError("it tells nobody, and yet names teams or endpoints; leave out one or the other")
        return self


class RootPart(OptionsBody):
    """The root of the tree: it takes what no route matches, for the catch-all endpoints."""

    routes: list[RoutePart] = Field([], max_length=1000)


class InhibitPart(PolicyPart):
    """While an issue matches `source_matchers`, those that match `target_matchers` notify nobody."""

    name: Name | None = None
    source_matchers: MatcherTexts
    target_matchers: MatcherTexts
    equal: list[Name] = Field([], max_length=20, description="Labels that must have the same values on both.")


class StepPart(PolicyPart):
    """People who are told after a time without an acknowledgement."""

    after: Duration
    teams: list[Name] = Field([], max_length=100)
    endpoints: list[Name] = Field([], max_length=100)

    @model_validator(mode="after")
    def _names_people(self) -> "StepPart":
        if not self.teams and not self.endpoints:
            raise ValueError("a step names teams or endpoints")
        return self


class EscalationPart(PolicyPart):
    """Who is told next while nobody acknowledges."""

    name: Name
    steps: list[StepPart] = Field(min_length=1, max_length=20)
    repeat: int = Field(0, ge=0, le=10, description="Rounds after the first one.")
    active_time_interval: Name | None = Field(None, description="Hours outside which steps are held.")


class PromisePart(PolicyPart):
    """What customers of one service level are promised; what it leaves out is not."""

    respond: Duration | None = Field(None, description="Until then somebody acknowledges.")
    resolve: Duration | None = Field(None, description="Until then it is resolved.")
    active_time_interval: Name | None = Field(None, description="Hours in which this time runs; left out, always.")

    @model_validator(mode="after")
    def _in_order(self) -> "PromisePart":
        if timedelta(0) in {self.respond, self.resolve}:
            raise ValueError("a promise takes some time; leave out what is not promised")
        if self.respond is not None and self.resolve is not None and self.respond > self.resolve:
            raise ValueError("respond is later than resolve")
        return self


class ServiceLevelsPart(PolicyPart):
    """What is promised by service level; a level that it leaves out keeps the promises that Waymark comes with."""

    basic: PromisePart | None = None
    enhanced: PromisePart | None = None
    premium: PromisePart | None = None
    otherwise: ServiceLevel = Field(ServiceLevel.BASIC, description="The level of customers without one.")
    value_at_stake: dict[
        Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")], Annotated[float, Field(gt=0, le=1e15)]
    ] = Field({}, max_length=200, description="How much of a currency is much, for the priority: `{KRW: 1000000}`.")

    @property
    def promises(self) -> dict[str, PromisePart]:
        """The levels that it names."""
        named = {level.value: getattr(self, level.value) for level in ServiceLevel}
        return {level: part for level, part in named.items() if part is not None}


class OwnerPart(PolicyPart):
    """Who has the issues of some rules, whatever the routes say."""

    rules: list[Name] = Field(min_length=1, max_length=100, description="Rule ids; `*` stands for anything.")
    matchers: MatcherTexts = []
    teams: list[Name] = Field([], max_length=20)
    owner: Name | None = Field(None, description="The person who has them.")

    @model_validator(mode="after")
    def _names_somebody(self) -> "OwnerPart":
        if not self.teams and self.owner is None:
            raise ValueError("it names teams or an owner")
        return self


class PolicyFile(PolicyPart):
    """The whole file of the policy."""

    route: RootPart = RootPart()
    inhibit_rules: list[InhibitPart] = Field([], max_length=1000)
    time_intervals: list[HoursBody] = Field([], max_length=500)
    escalations: list[EscalationPart] = Field([], max_length=200)
    service_levels: ServiceLevelsPart = ServiceLevelsPart()
    owners: list[OwnerPart] = Field([], max_length=1000)
