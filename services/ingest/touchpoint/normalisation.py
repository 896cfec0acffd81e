"""Text in one form: everything a touchpoint says becomes NFC, however the sender's keyboard composed it.

Pure. How identifiers are spelt is `schemas.identifiers.spelling`'s business.
"""

import unicodedata
from typing import Any


def is_composed(document: bytes) -> bool:
    """Return whether every text in this JSON document (UTF-8) is in NFC as it stands: then nothing is to compose.

    A part of a text in NFC is in NFC, so one look at the whole is enough, unless escapes hide characters.
    """
    if b"\\u" in document:
        return False
    return document.isascii() or unicodedata.is_normalized("NFC", document.decode())


def compose(node: dict[str, Any] | list[Any], *, verbatim: str = "") -> None:
    """Put every text inside `node` into NFC, in place; the member called `verbatim` of the outermost object is left."""
    if isinstance(node, dict):
        _rename(node)
        places: Any = node.items()
    else:
        places = enumerate(node)
    for place, child in places:
        if isinstance(child, str):
            if place != verbatim and not _composed(child):
                node[place] = unicodedata.normalize("NFC", child)
        elif isinstance(child, dict | list):
            compose(child)


def _rename(node: dict[str, Any]) -> None:
    for name in [name for name in node if not _composed(name)]:
        node.setdefault(unicodedata.normalize("NFC", name), node.pop(name))


def _composed(text: str) -> bool:
    return text.isascii() or unicodedata.is_normalized("NFC", text)
