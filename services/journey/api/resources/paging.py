"""What every list takes and gives: a limit, and a cursor that is bound to the list and its filters."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from services.journey.api.messages import ReadRefusal, refuse
from services.journey.read import cursors

P = TypeVar("P")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class PageQuery(BaseModel):
    """The parameters that every list takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=200, description="Most items on the page.")
    cursor: str | None = Field(None, description="`next_cursor` of the page before, unchanged, with the same filters.")


def refuse_empty_span(since: datetime | None, until: datetime | None, accept_language: str | None) -> None:
    """Raise the problem of a span that nothing can lie in; None is no end."""
    if since is not None and until is not None and since >= until:
        raise refuse(ReadRefusal.RANGE_EMPTY, accept_language)


def position_of(
    cursor: str | None,
    scope: str,
    shape: tuple[type, ...],
    read: Callable[[tuple[Any, ...]], P],
    accept_language: str | None,
) -> P | None:
    """Return the position in a cursor, None without one. Its seal is no secret, so the content can be anything."""
    if cursor is None:
        return None
    try:
        return read(cursors.decode(cursor, scope, shape))
    except (ValueError, OverflowError) as error:
        raise refuse(ReadRefusal.CURSOR_INVALID, accept_language) from error


def microseconds(at: datetime) -> int:
    """Return a time as whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment_of(microseconds_: int) -> datetime:
    """Return the time that `microseconds` turned into a number; raises `OverflowError`."""
    return _EPOCH + microseconds_ * _MICROSECOND
