"""Reads values of a message as their members want them, and properties that have the name of a member. Pure."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from schemas.vocabulary import Direction, ServiceLevel
from services.ingest.forms.mapping.members import NUMBERS
from services.ingest.forms.mapping.readings import as_text

Message = Mapping[str, Any]

_LABEL_LENGTH = 128
_ID_LENGTH = 255
_TEXT_LENGTH = 8192
_LONGEST_S = 2_678_400

_TEXTS = frozenset({"reason", "outcome", "interaction_id", "queue", "agent", "text", "service_level"})


def converted(name: str, found: Any) -> Any:
    """Return a value as the member `name` wants it: numbers of references and agents are text, amounts are numbers.

    What does not fit stays as it is, for repair: the sender of a call does not read what is wrong with it.
    """
    if isinstance(found, bool):
        return found
    if isinstance(found, int | float) and (name in _TEXTS or name.startswith(("refs.", "customer."))):
        return as_text(found)
    if isinstance(found, str) and name in NUMBERS:
        return _as_number(found)
    return found


def id_text(found: Any) -> str | None:
    """Return an id as text: ids may have been numbers; anything else is none."""
    return None if isinstance(found, bool) else as_text(found) or None


def native_members(properties: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the members whose names and types the properties already match, and the names of those properties.

    A property with a matching name and another type stays an ordinary property.
    """
    members: dict[str, Any] = {}
    used: set[str] = set()
    for name, (place, fits) in _OWN.items():
        found = properties.get(name)
        if found is not None and place not in members and fits(found):
            members[place] = converted(place, found)
            used.add(name)
    _add_value(properties, members, used)
    return members, frozenset(used)


def _add_value(properties: Mapping[str, Any], members: dict[str, Any], used: set[str]) -> None:
    currency = properties.get("currency")
    if not (isinstance(currency, str) and len(currency) == 3 and currency.isascii() and currency.isalpha()):
        return
    for name in ("total", "revenue", "value", "amount"):
        if _is_number(properties.get(name)):
            members |= {"value.amount": properties[name], "value.currency": currency.upper()}
            used |= {name, "currency"}
            return


def _as_number(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _is_one_of(words: type[StrEnum]) -> Callable[[Any], bool]:
    return lambda found: isinstance(found, str) and found in set(words)


def _is_text(most: int) -> Callable[[Any], bool]:
    return lambda found: isinstance(found, str) and 0 < len(found) <= most and found.isprintable()


def _is_id(found: Any) -> bool:
    return _is_number(found) or _is_text(_ID_LENGTH)(found)


def _is_between(least: float, most: float) -> Callable[[Any], bool]:
    return lambda found: _is_number(found) and least <= found <= most


def _is_whole(most: int) -> Callable[[Any], bool]:
    return lambda found: isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= most


def _is_words(found: Any) -> bool:
    return isinstance(found, str) and 0 < len(found) <= _TEXT_LENGTH and "\0" not in found


_OWN: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "direction": ("direction", _is_one_of(Direction)),
    "service_level": ("service_level", _is_one_of(ServiceLevel)),
    "reason": ("reason", _is_text(_LABEL_LENGTH)),
    "outcome": ("outcome", _is_text(_LABEL_LENGTH)),
    "queue": ("queue", _is_text(_LABEL_LENGTH)),
    "agent": ("agent", _is_id),
    "interaction_id": ("interaction_id", _is_id),
    "text": ("text", _is_words),
    "wait_s": ("wait_s", _is_between(0, _LONGEST_S)),
    "duration_s": ("duration_s", _is_between(0, _LONGEST_S)),
    "hold_s": ("hold_s", _is_between(0, _LONGEST_S)),
    "transfers": ("transfers", _is_whole(1000)),
    "sentiment": ("sentiment", _is_between(-1, 1)),
    "order_id": ("refs.order_id", _is_id),
    "orderId": ("refs.order_id", _is_id),
    "case_id": ("refs.case_id", _is_id),
    "ticket_id": ("refs.case_id", _is_id),
}
"""Property -> member, and what it has to look like."""
