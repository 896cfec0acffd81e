"""The effort score: how hard a journey has been so far, from 0 to 100.

The score is a saturating sum of named parts and depends on no clock. It is computed from touchpoints, never from
frictions, so anyone who has the touchpoints can explain and recompute it. The weights of digital trouble are those of
the reference table (signals E5: error 5, rage click 4, dead click 2, transfer 5, repeat contact 6, channel switch 3);
the others were chosen in proportion.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from math import exp

import msgspec

from services.journey.domain.contacts.contact import Contact
from services.journey.domain.contacts.contact_events import BAD_OUTCOMES
from services.journey.domain.contacts.contact_policy import ContactPolicy
from services.journey.domain.history import CustomerHistory
from services.journey.domain.touchpoint import RecordedTouchpoint, Touchpoint

REPEAT_CONTACT = 6
TRANSFER = 5
CHANNEL_SWITCH = 3
UNRESOLVED = 4
NEGATIVE_SENTIMENT = 3
HARD_BY_SURVEY = 5
MOST_FOR_WAIT = 15
MOST_FOR_HOLD = 10
SATURATION = 20
"""Points that make a score of 63; three times as many make 95."""

TROUBLE: Mapping[str, int] = {
    "app_crashed": 5,
    "complaint_made": 5,
    "error_shown": 5,
    "visit_missed": 5,
    "delivery_attempt_failed": 4,
    "escalated": 4,
    "payment_declined": 4,
    "rage_click": 4,
    "delivery_delayed": 3,
    "bot_no_match": 2,
    "dead_click": 2,
    "form_error": 2,
    "login_failed": 2,
    "otp_failed": 2,
    "search_no_result": 1,
}
"""Points for each touchpoint of a kind that is trouble by itself."""

_NEGATIVE = -0.4  # of -1 to 1 (signals E3: -40 of -100 to 100)


class EffortPart(msgspec.Struct, frozen=True, gc=False):
    """One part of the score: its factor, how often it occurred, and how many points it gave."""

    factor: str
    count: int
    points: int


class Effort(msgspec.Struct, frozen=True, gc=False):
    """An effort score of 0 (none) to 100 with one decimal; `parts` explain it, heaviest first."""

    score: float
    parts: tuple[EffortPart, ...]


NO_EFFORT = Effort(0.0, ())


class EffortPoint(msgspec.Struct, frozen=True, gc=False):
    """The effort from a moment of event time on."""

    occurred_at: datetime
    score: float


def effort_of(touchpoints: Iterable[RecordedTouchpoint], policy: ContactPolicy) -> Effort:
    """Return the effort of one journey whose contacts lie in it wholly, from its touchpoints in any order."""
    history = CustomerHistory(touchpoints, policy)
    return measure([unit.at for unit in history.units], history.contacts)


def effort_course(touchpoints: Sequence[RecordedTouchpoint], policy: ContactPolicy) -> list[EffortPoint]:
    """Return how the effort of one journey came about: from its first touchpoint, a point at each that changed it.

    `touchpoints` are in order. Each point is what `effort_of` gives for the touchpoints so far; so what a contact
    turned out to be counts from the touchpoint that says it. Takes time with the square of their number.
    """
    points: list[EffortPoint] = []
    for number, one in enumerate(touchpoints, 1):
        score = effort_of(touchpoints[:number], policy).score
        if not points or points[-1].score != score:
            points.append(EffortPoint(one.touchpoint.occurred_at, score))
    return points


def measure(touchpoints: Sequence[Touchpoint], contacts: Sequence[Contact]) -> Effort:
    """Return the effort of one journey from its `touchpoints` and the `contacts` among them, both in order."""
    parts: list[EffortPart] = []
    _weigh_contacts(contacts, parts)
    _weigh_touchpoints(touchpoints, parts)
    if not parts:
        return NO_EFFORT
    parts.sort(key=lambda part: (-part.points, part.factor))
    points = sum(part.points for part in parts)
    return Effort(score_of(points), tuple(parts))


def score_of(points: int) -> float:
    """Return the score that so many points make."""
    return round(100 * (1 - exp(-points / SATURATION)), 1)


def _add(parts: list[EffortPart], factor: str, count: int, points: int) -> None:
    if points:
        parts.append(EffortPart(factor, count, points))


def _weigh_contacts(contacts: Sequence[Contact], parts: list[EffortPart]) -> None:
    if not contacts:
        return
    again = len(contacts) - 1
    _add(parts, "repeat_contact", again, again * REPEAT_CONTACT)
    if again:
        switches = sum(a.view.channel != b.view.channel for a, b in pairwise(contacts))
        _add(parts, "channel_switch", switches, switches * CHANNEL_SWITCH)
    unresolved = sum(contact.view.outcome in BAD_OUTCOMES for contact in contacts)
    _add(parts, "unresolved", unresolved, unresolved * UNRESOLVED)


def _weigh_touchpoints(touchpoints: Sequence[Touchpoint], parts: list[EffortPart]) -> None:
    cells: dict[tuple[str, str, bool], tuple[float, float, float]] = {}
    negative = hard = troubles = trouble_points = 0
    for one in touchpoints:
        if one.wait_s or one.hold_s or one.transfers:
            _enlarge(cells, one)
        if one.sentiment is not None and one.sentiment <= _NEGATIVE:
            negative += 1
        if one.score is not None and one.score.metric == "ces" and one.score.value * 7 <= one.score.scale * 3:
            hard += 1
        if points := TROUBLE.get(one.kind):
            troubles += 1
            trouble_points += points
    _add(parts, "negative_sentiment", negative, negative * NEGATIVE_SENTIMENT)
    _add(parts, "hard_by_survey", hard, hard * HARD_BY_SURVEY)
    _add(parts, "trouble", troubles, trouble_points)
    if cells:
        wait, hold, transfers = (int(sum(column)) for column in zip(*cells.values(), strict=True))
        _add(parts, "wait", wait // 60, min(wait // 60, MOST_FOR_WAIT))
        _add(parts, "hold", hold // 60, min(hold // 60, MOST_FOR_HOLD))
        _add(parts, "transfer", transfers, transfers * TRANSFER)


def _enlarge(cells: dict[tuple[str, str, bool], tuple[float, float, float]], one: Touchpoint) -> None:
    """Keep the largest numbers of each interaction, because its touchpoints repeat them."""
    alone = one.interaction_id is None
    key = (one.source, one.id if one.interaction_id is None else one.interaction_id, alone)
    wait, hold, transfers = cells.get(key, (0, 0, 0))
    cells[key] = (max(wait, one.wait_s or 0), max(hold, one.hold_s or 0), max(transfers, one.transfers or 0))
