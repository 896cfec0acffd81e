"""Bars of text, to the scale of the largest."""


def bar(count: int, most: int, width: int) -> str:
    """Return a bar for `count`, with `most` at full `width`; any count above zero has at least one character."""
    return "█" * max(1, round(width * count / most)) if count and most else ""
