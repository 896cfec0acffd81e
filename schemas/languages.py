"""The languages in which Waymark speaks to people, and the one that the sender of an HTTP request prefers."""

from enum import StrEnum
from functools import lru_cache


class Language(StrEnum):
    """The languages of messages; every message exists in each of them."""

    EN = "en"
    KO = "ko"


@lru_cache(maxsize=256)
def preferred_language(accept_language: str) -> Language:
    """Return the language that an Accept-Language header (RFC 9110 section 12.5.4) prefers; English when in doubt."""
    best, best_weight = Language.EN, 0.0
    for part in accept_language.lower().split(","):
        tag, _, parameter = part.partition(";")
        primary = tag.strip().partition("-")[0]
        weight = _weight(parameter)
        if primary in set(Language) and weight > best_weight:
            best, best_weight = Language(primary), weight
    return best


def _weight(parameter: str) -> float:
    name, _, number = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(number)
    except ValueError:
        return 0.0
