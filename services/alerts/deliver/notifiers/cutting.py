"""Cuts texts to the limits of vendors: between graphemes, never inside one, with a sign that something is missing.

Vendors count differently: characters (code points), UTF-16 units, or bytes of UTF-8, where a Korean syllable has three.
"""

from collections.abc import Callable, Sequence

import regex

ELLIPSIS = "…"
_GRAPHEME = regex.compile(r"\X")

Measure = Callable[[str], int]


def characters(text: str) -> int:
    """Return the length of a text in code points."""
    return len(text)


def utf16_units(text: str) -> int:
    """Return the length of a text in UTF-16 units, as JavaScript and .NET count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8_bytes(text: str) -> int:
    """Return the length of a text in bytes of UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def cut(text: str, limit: int, measure: Measure = characters) -> str:
    """Return `text` if it is within `limit`, else its beginning with an ellipsis, cut between graphemes."""
    if measure(text) <= limit:
        return text
    room = limit - measure(ELLIPSIS)
    kept: list[str] = []
    for match in _GRAPHEME.finditer(text):
        room -= measure(match.group())
        if room < 0:
            break
        kept.append(match.group())
    return "".join(kept).rstrip() + ELLIPSIS if limit >= measure(ELLIPSIS) else ""


def last_lines(lines: Sequence[str], limit: int, more: Callable[[int], str], measure: Measure = characters) -> str:
    """Return the last lines that fit into `limit`, as one text; `more(n)` says that n earlier ones are missing."""
    for dropped in range(len(lines) + 1):
        kept = list(lines[dropped:])
        text = "\n".join([more(dropped), *kept] if dropped else kept)
        if measure(text) <= limit:
            return text
    return ""


def unlinked(text: str) -> str:
    """Return a text in which Markdown finds no link: what producers write must not become one."""
    return text.replace("](", "] (").replace("<", "‹").replace(">", "›")
