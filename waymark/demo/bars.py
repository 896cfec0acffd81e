"""Bars of text, to the scale of the largest."""


def bar(count: int, most: int, width: int) -> str:
    """Return a bar for `count` where `most` has `width` characters; what is there at all has one."""
    return "█" * max(1, round(width * count / most)) if count and most else ""
