"""Asks the journey API for one customer and for the touchpoints to tell."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import msgspec

from waymark.console import CommandError
from waymark.customer.customer_documents import (
    AnswerContacts,
    AnswerCustomer,
    AnswerTimeline,
    AnswerTouchpoint,
    AnswerWhy,
)
from waymark.journey_api import JourneyApi

PAGE = 200
"""Touchpoints on one page: the most that the API gives."""

MOST_CONTACTS = 5
"""Contacts that are told: the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAnswers:
    """What the API said: for people, and as it is for programs. `touchpoints` stand oldest first.

    `earlier` says whether there are touchpoints before these. `why` is None where it was not asked for (it is about
    now) or could not be told.
    """

    customer: AnswerCustomer
    contacts: AnswerContacts
    why: AnswerWhy | None
    touchpoints: list[AnswerTouchpoint]
    earlier: bool
    raw_customer: msgspec.Raw
    raw_contacts: msgspec.Raw
    raw_why: msgspec.Raw | None
    raw_touchpoints: list[msgspec.Raw]


class _RawPage(msgspec.Struct, frozen=True):
    touchpoints: list[msgspec.Raw]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerReader:
    """Reads from the journey API."""

    api: JourneyApi

    def read(self, reference: str, last: int | None, as_of: datetime | None = None) -> CustomerAnswers:
        """Return the customer with the `last` latest touchpoints, or with all of them for None; perhaps as they stood.

        Raises:
            CommandError: there is no such customer, or the API refuses or does not answer.
        """
        address = f"/v1/customers/{quote(reference, safe=':')}"
        moment = {} if as_of is None else {"as_of": as_of.isoformat()}
        raw = self.api.get(address, moment)
        contacts = self.api.get(f"{address}/contacts", moment | {"limit": str(MOST_CONTACTS)})
        why = None if as_of is not None else self._why(address)
        query = moment | {"order": "newest_first", "limit": str(min(last or PAGE, PAGE))}
        newest: list[msgspec.Raw] = []
        while True:
            answer = self.api.get(f"{address}/timeline", query)
            page = msgspec.json.decode(answer, type=AnswerTimeline)
            newest += msgspec.json.decode(answer, type=_RawPage).touchpoints
            if page.next_cursor is None or (last is not None and len(newest) >= last):
                break
            query["cursor"] = page.next_cursor
        shown = newest[: last if last is not None else len(newest)][::-1]
        return CustomerAnswers(
            customer=msgspec.json.decode(raw, type=AnswerCustomer),
            contacts=msgspec.json.decode(contacts, type=AnswerContacts),
            why=None if why is None else msgspec.json.decode(why, type=AnswerWhy),
            touchpoints=[msgspec.json.decode(bytes(one), type=AnswerTouchpoint) for one in shown],
            earlier=page.next_cursor is not None or len(newest) > len(shown),
            raw_customer=msgspec.Raw(raw),
            raw_contacts=msgspec.Raw(contacts),
            raw_why=None if why is None else msgspec.Raw(why),
            raw_touchpoints=shown,
        )

    def _why(self, address: str) -> bytes | None:
        """Return what holds the customer together; None where the API does not say, which spoils no story."""
        try:
            return self.api.get(f"{address}/why", {})
        except CommandError:
            return None
