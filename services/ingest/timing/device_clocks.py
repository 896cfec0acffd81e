"""The clocks of all devices that sent lately, the ones used longest ago forgotten first.

A device is (source, the strongest identifier that a machine carried, such as `device_id` or `anonymous_id`);
touchpoints without one share the clock of their source: a server's. Nothing here is shared between replicas or kept:
a new replica learns from the first request.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from schemas.documents.touchpoint import IdentifierValue, PostedTouchpoint
from schemas.identifiers import identifier_types
from schemas.identifiers.identifier_types import IdentifierTrust
from schemas.vocabulary import TimeQuality
from services.ingest.timing import clock_skew as skew
from services.ingest.timing import touchpoint_time
from services.ingest.timing.clock_skew import ClockSkew, ClockSkewRules
from services.ingest.timing.touchpoint_time import ClockMode, TouchpointTime

Device = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingRules:
    """`ahead` is how far a time may lie ahead of its receipt, `remembered` how many clocks are kept."""

    ahead: timedelta = timedelta(minutes=5)
    remembered: int = 50_000
    skew: ClockSkewRules = field(default_factory=ClockSkewRules)


class DeviceClocks:
    """Determines the time of every touchpoint, and learns from it."""

    def __init__(self, rules: TimingRules) -> None:
        self._rules = rules
        self._known: OrderedDict[Device, ClockSkew] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def time(self, posted: PostedTouchpoint, source: str, mode: ClockMode, received_at: datetime) -> TouchpointTime:
        """Return the time of a touchpoint of `source` that arrived at `received_at`."""
        if posted.replay:
            return touchpoint_time.as_reported(posted)
        if mode is ClockMode.TRUE_TIME:
            return touchpoint_time.as_reported(posted, TimeQuality.TRUSTED)
        if posted.sent_at is None:
            return touchpoint_time.as_reported(posted)
        if mode is ClockMode.FORMULA:
            return touchpoint_time.computed(posted, posted.sent_at, received_at)
        shift = self._learn((source, *device_of(posted)), posted.sent_at, received_at)
        return touchpoint_time.shifted(posted, shift, received_at, self._rules.ahead)

    def _learn(self, device: Device, sent_at: datetime, received_at: datetime) -> timedelta:
        known = self._known.get(device)
        if known is None:
            now = skew.first_skew(sent_at, received_at, self._rules.skew)
        else:
            now = skew.next_skew(known, sent_at, received_at, self._rules.skew)
        self._known[device] = now
        self._known.move_to_end(device)
        if len(self._known) > self._rules.remembered:
            self._known.popitem(last=False)
        return now.shift


def device_of(posted: PostedTouchpoint) -> tuple[str, str]:
    """Return (type, value) of the strongest identifier of a device, empty where none is named."""
    carried = [type_ for type_ in posted.customer if _is_device(type_)]
    if not carried:
        return "", ""
    type_ = min(carried, key=identifier_types.order)
    given = posted.customer[type_]
    return type_, given.value if isinstance(given, IdentifierValue) else given


@lru_cache(maxsize=1024)
def _is_device(type_: str) -> bool:
    return identifier_types.get(type_).trust is IdentifierTrust.DEVICE
