"""The items of one request as a wire form hands them to the intake, whatever the form was. Pure."""

from collections.abc import Container, Sequence

import msgspec

from services.ingest.results.item_result import ItemResult
from services.ingest.sources.source import Source
from services.ingest.touchpoint import document


class IntakeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The touchpoints of one request, and their source.

    An item is the JSON of a native touchpoint, or the result of a wire form that could not make one. `originals` are
    the bytes as sent, one for each item, if a wire form mapped them; dead letters carry these.
    """

    items: Sequence[bytes | ItemResult]
    source: Source
    originals: Sequence[bytes] | None = None
    traceparent: str = ""
    carries_key: bool = False
    """Whether a bare touchpoint has `writeKey` beside its own members."""
    untimed: Container[int] = frozenset()
    """Positions of items that happened when they came if they say no `occurred_at`: their producers need not say it."""

    allows_repairs: bool = False
    """Whether invalid optional members are repaired and reported: the producers of this wire form do not read
    responses."""

    def original(self, at: int) -> bytes:
        """Return the bytes that were sent for the item at `at`; a key among them is left out."""
        item = self.items[at] if self.originals is None else self.originals[at]
        if isinstance(item, ItemResult):
            return b""
        return document.without_key(item) if self.carries_key else item
