"""What customers of each service level were promised: to hear from us, and to have it settled, in business time.

Pure. Business time stands still outside the hours of a level, on weekends and public holidays, over every change of the
clocks. A level without hours is served around the clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.alerts.policy.hours import LONGEST_WAIT, HourSpan, NamedHours, open_times

_DAY = timedelta(days=1)


class ServiceTarget(StrEnum):
    """What a service level promises: that somebody takes an issue, and that it is resolved."""

    RESPOND = "respond"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePromise:
    """How soon somebody responds to an issue, and how soon it is resolved; None is not promised.

    The time runs within `hours`, without them around the clock.
    """

    respond: timedelta | None = None
    resolve: timedelta | None = None
    hours: NamedHours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevels:
    """The promises by service level, and how much of a currency is much.

    `otherwise` is the level of customers without one.
    """

    promises: Mapping[str, ServicePromise]
    otherwise: str
    much: Mapping[str, float]

    def level_of(self, name: str | None) -> str:
        """Return the service level that counts for an issue of a customer of this one."""
        return name if name is not None and name in self.promises else self.otherwise


OFFICE_HOURS = NamedHours(
    name="office hours",
    spans=(HourSpan(times=((9 * 60, 18 * 60),), weekdays=((1, 5),), zone="Asia/Seoul", except_holidays="KR"),),
)
DEFAULT_LEVELS = ServiceLevels(
    promises={
        "basic": ServicePromise(respond=timedelta(hours=4), resolve=timedelta(hours=27), hours=OFFICE_HOURS),
        "enhanced": ServicePromise(respond=timedelta(hours=1), resolve=timedelta(hours=9), hours=OFFICE_HOURS),
        "premium": ServicePromise(respond=timedelta(minutes=15), resolve=timedelta(hours=4)),
    },
    otherwise="basic",
    much={"KRW": 1_000_000, "USD": 750, "EUR": 700, "JPY": 110_000},
)
"""What is in force until a policy says something else."""


def due_at(start: datetime, promised: timedelta | None, hours: NamedHours | None) -> datetime | None:
    """Return when `promised` business time has passed since `start`.

    None if nothing is promised, or if the hours are not open for so long within `LONGEST_WAIT`. What is open is looked
    up by day, since every change of an issue asks for its deadlines.
    """
    moment = start.astimezone(UTC)  # in a zone, arithmetic would follow the hands of its clock
    if promised is None:
        return None
    if hours is None:
        return moment + promised
    left = promised
    day = moment.date()
    for _ in range(LONGEST_WAIT // _DAY):
        for opening, end in open_times(hours, day):
            begin = max(opening, moment)
            if begin + left <= end:
                return begin + left
            left -= max(end - begin, timedelta(0))
        day += _DAY
    return None
