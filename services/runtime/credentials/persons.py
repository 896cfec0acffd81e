"""For whom a key acts: the console signs people in and asks with keys of its own, so it says who it is that asks.

The name is believed from keys alone that the operator lists by their ids; from any other key it is as if not sent.
"""

from collections.abc import Collection, Mapping
from urllib.parse import unquote

from services.runtime.credentials.api_keys import StoredKey

PERSON_HEADER = "x-waymark-person"
MOST_CHARACTERS = 80


def acting_name(key: StoredKey, headers: Mapping[str, str], trusted: Collection[str]) -> str:
    """Return the name beside what is done with `key`: the person's whom it acts for, else the key's label.

    `headers` are those of the request, found in any case; `trusted` are ids of keys that may act for people.
    """
    given = headers.get(PERSON_HEADER, "") if key.key_id in trusted else ""
    return shown_name(unquote(given)) or key.subject


def shown_name(text: str) -> str:
    """Return a person's name as it can stand in a line: printable, single blanks, not too long; maybe empty."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:MOST_CHARACTERS]
