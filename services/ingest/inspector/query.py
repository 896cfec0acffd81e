"""The query string of the inspector's addresses, parsed and checked."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from services.ingest.inspector.logbook import LogbookPage
from services.ingest.inspector.rendering import REFUSED, EntryView
from services.ingest.reasons import ItemOutcome, RequestRefusal, RequestRefusedError

MOST_ENTRIES = 200
_USUAL = 50
_OUTCOMES = (*(str(outcome) for outcome in ItemOutcome), REFUSED)
_BAD = frozenset({str(ItemOutcome.REJECTED), REFUSED})
_NAMES = ("source", "outcome", "code", "id", "limit", "cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectorQuery:
    """Filters; an empty set or text filters nothing. `before` is (page, entry) to go on after, of this replica."""

    source: str | None = None
    outcomes: frozenset[str] = frozenset()
    code: str = ""
    id: str = ""
    limit: int = _USUAL
    before: tuple[int, int] | None = None

    @property
    def good(self) -> bool:
        """Whether what was taken can be among it."""
        return not self.outcomes or bool(self.outcomes - _BAD)

    @property
    def bad(self) -> bool:
        """Whether what was rejected or refused can be among it."""
        return not self.outcomes or bool(self.outcomes & _BAD)

    def reaches(self, page: LogbookPage) -> bool:
        """Return whether entries of `page` can come after the cursor."""
        return self.before is None or page.number <= self.before[0]

    def wants(self, seen: EntryView) -> bool:
        """Return whether an entry passes the filters and stands after the cursor."""
        if self.before is not None and position(seen.cursor) >= self.before:
            return False
        return (
            (not self.outcomes or seen.outcome in self.outcomes)
            and (not self.code or seen.code == self.code)
            and (not self.id or seen.id == self.id)
        )


def position(cursor: str) -> tuple[int, int]:
    """Return (page, entry) of a cursor `replica-page-entry`; raises ValueError."""
    _, page, entry = cursor.rsplit("-", 2)
    return int(page), int(entry)


def parse(query: bytes, replica: str) -> InspectorQuery:
    """Read a query string; raises `RequestRefusedError`."""
    try:
        given = {name: values[-1] for name, values in parse_qs(query.decode("ascii"), max_num_fields=20).items()}
    except ValueError:
        raise RequestRefusedError(RequestRefusal.INVALID_QUERY, name="?", allowed=", ".join(_NAMES)) from None
    if set(given) - set(_NAMES):
        raise RequestRefusedError(RequestRefusal.INVALID_QUERY, name="?", allowed=", ".join(_NAMES))
    return InspectorQuery(
        source=given.get("source"),
        outcomes=_outcomes(given.get("outcome", "")),
        code=given.get("code", ""),
        id=given.get("id", ""),
        limit=_limit(given.get("limit", str(_USUAL))),
        before=_before(given.get("cursor", ""), replica),
    )


def _outcomes(text: str) -> frozenset[str]:
    found = frozenset(part for part in text.split(",") if part)
    if found - set(_OUTCOMES):
        raise RequestRefusedError(RequestRefusal.INVALID_QUERY, name="outcome", allowed=", ".join(_OUTCOMES))
    return found


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_ENTRIES and len(text) <= 3):
        raise RequestRefusedError(RequestRefusal.INVALID_QUERY, name="limit", allowed=f"1-{MOST_ENTRIES}")
    return int(text)


def _before(text: str, replica: str) -> tuple[int, int] | None:
    if not text:
        return None
    try:
        found = position(text)
    except ValueError:
        raise RequestRefusedError(
            RequestRefusal.INVALID_QUERY, name="cursor", allowed="the `next` of an answer"
        ) from None
    return found if text.startswith(f"{replica}-") else None
