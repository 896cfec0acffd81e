"""Encodes and decodes cursors: texts that say where the next page of a list begins, and that callers send back.

A cursor names its list with the filter and the order of the request. It is checked and not trusted: a cursor of another
list, or one that a caller made up, is refused.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TypeVar
from uuid import UUID

from services.alerts.deliver.delivery_history import DeliveryPageStart
from services.alerts.inbox import issue_list
from services.alerts.inbox.issue_list import ChangedPageStart, IssueFilter, IssueOrder, OrderedPageStart
from services.alerts.loop.recontact_counts import WatchFilter, WatchPageStart
from services.runtime.http.problems import Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_XIDS = 2**64
MOST_RANKS = 100
"""The highest priority; severities have fewer ranks."""
_DELIVERY_ID = re.compile(r"[\x21-\x7e]{1,80}")
P = TypeVar("P")


def scope_of_issues(wanted: IssueFilter, order: IssueOrder) -> str:
    """Return the name of a list of issues with its filter and its order, but without its page size."""
    return "issues." + blake2b(repr((wanted, order)).encode(), digest_size=6).hexdigest()


def cursor_of_issues(scope: str, place: issue_list.IssuePageStart) -> str:
    """Return the cursor of a page of a list of issues."""
    match place:
        case OrderedPageStart(since=since, rank=rank, last_at=last_at, id=issue_id):
            return _written(scope, "behind", since, rank, _microseconds(last_at), issue_id)
        case ChangedPageStart(since=since, until=until, id=issue_id):
            return _written(scope, "changed", since, until, issue_id)


def place_in_issues(scope: str, cursor: str | None) -> issue_list.IssuePageStart | None:
    """Return the page start in a cursor that `cursor_of_issues` made for the same list.

    Raises:
        Problem: it is not such a cursor.
    """
    return _read(scope, cursor, _issue_place)


def cursor_of_deliveries(endpoint_id: UUID, state: str | None, place: DeliveryPageStart) -> str:
    """Return the cursor of a page of the deliveries to an endpoint."""
    return _written(_deliveries(endpoint_id, state), _microseconds(place.at), place.id)


def place_in_deliveries(endpoint_id: UUID, state: str | None, cursor: str | None) -> DeliveryPageStart | None:
    """Return the page start in a cursor that `cursor_of_deliveries` made for the same list.

    Raises:
        Problem: it is not such a cursor.
    """
    return _read(_deliveries(endpoint_id, state), cursor, _delivery_place)


def cursor_of_watches(wanted: WatchFilter, place: WatchPageStart) -> str:
    """Return the cursor of a page of a list of watches."""
    return _written(_watches(wanted), _microseconds(place.at), place.id)


def place_in_watches(wanted: WatchFilter, cursor: str | None) -> WatchPageStart | None:
    """Return the page start in a cursor that `cursor_of_watches` made for the same list.

    Raises:
        Problem: it is not such a cursor.
    """
    return _read(_watches(wanted), cursor, lambda parts: WatchPageStart(at=_moment(parts[0]), id=UUID(parts[1])))


def _watches(wanted: WatchFilter) -> str:
    return "watches." + blake2b(repr(wanted).encode(), digest_size=6).hexdigest()


def _deliveries(endpoint_id: UUID, state: str | None) -> str:
    return f"deliveries.{endpoint_id}.{state or 'all'}"


def _issue_place(parts: Sequence[str]) -> issue_list.IssuePageStart:
    kind, *rest = parts
    if kind == "behind":
        since, rank, moment, issue_id = rest
        return OrderedPageStart(since=_transaction(since), rank=_rank(rank), last_at=_moment(moment), id=UUID(issue_id))
    if kind != "changed":
        raise ValueError(kind)
    since, until, issue_id = rest
    return ChangedPageStart(since=_transaction(since), until=_transaction(until), id=UUID(issue_id))


def _delivery_place(parts: Sequence[str]) -> DeliveryPageStart:
    moment, item = parts
    if not _DELIVERY_ID.fullmatch(item):
        raise ValueError(item)
    return DeliveryPageStart(at=_moment(moment), id=item)


def _written(scope: str, *parts: object) -> str:
    text = " ".join([scope, *map(str, parts)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(scope: str, cursor: str | None, place: Callable[[Sequence[str]], P]) -> P | None:
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        name, *parts = text.split(" ")
        if name != scope:
            raise ValueError(name)
        return place(parts)
    except (binascii.Error, ValueError, OverflowError):
        message = "Send `next_cursor` back unchanged and with the same filter, or leave the cursor out."
        raise Problem(422, "cursor_invalid", message) from None


def _transaction(text: str) -> int:
    number = int(text)
    if not 0 <= number < _XIDS:
        raise ValueError(text)
    return number


def _rank(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST_RANKS:
        raise ValueError(text)
    return number


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _moment(text: str) -> datetime:
    return _EPOCH + int(text) * _MICROSECOND
