"""Values that look like an identifier and name nobody (`blocked_values.yaml`): they never link, and never key a record.

One such value would weld thousands of strangers into one customer and put them all on one partition.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import cache, lru_cache

import msgspec

from schemas import data_files


class BlockReason(StrEnum):
    """Why a value is blocked."""

    BLANK = "blank"
    WORD = "word"
    CONSTANT = "constant"
    EXACT = "exact"
    PATTERN = "pattern"


class BlockedValues(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One list of the file: words in any case, constants in any case and with any separators, exact values, patterns
    that match the whole value."""

    words: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`every` type of identifier, and more for some of the `types`."""

    every: BlockedValues
    types: dict[str, BlockedValues] = {}


class BlockList:
    """The compiled lists for one type of identifier."""

    def __init__(self, *lists: BlockedValues) -> None:
        """`lists` are joined."""
        constants = [constant for values in lists for constant in values.constants]
        self._words = frozenset(word.casefold() for values in lists for word in (*values.words, *constants))
        self._constants = frozenset(map(_bare, constants))
        self._exact = frozenset(value for values in lists for value in values.exact)
        self._patterns = tuple(re.compile(pattern) for values in lists for pattern in values.patterns)

    def why(self, value: str) -> BlockReason | None:
        """Return why an identifier names nobody; None when it is usable."""
        plain = unicodedata.normalize("NFKC", value).strip()
        if not plain:
            return BlockReason.BLANK
        if plain in self._exact:
            return BlockReason.EXACT
        if plain.casefold() in self._words:
            return BlockReason.WORD
        if _bare(plain) in self._constants:
            return BlockReason.CONSTANT
        return BlockReason.PATTERN if any(pattern.fullmatch(plain) for pattern in self._patterns) else None


_SEPARATORS = re.compile(r"[\s:.,_{}()<>\[\]'\"-]+")


def _bare(value: str) -> str:
    """`value` without case and separators: `02-00-00-00-00-00` and `0200.0000.0000` are one address."""
    return _SEPARATORS.sub("", value).casefold()


@lru_cache(maxsize=8192)  # the same people come again and again; they cost 4 µs each time
def why(type: str, value: str) -> BlockReason | None:  # noqa: A002 - an identifier is a type and a value
    """Return why an identifier names nobody; None when it is usable."""
    every, types = _load()
    return types.get(type, every).why(value)


def is_blocked(type: str, value: str) -> bool:  # noqa: A002 - an identifier is a type and a value
    """Return whether an identifier of `type` with `value` names nobody."""
    return why(type, value) is not None


def types() -> frozenset[str]:
    """Return the types that have values of their own on the list."""
    return frozenset(_load()[1])


@cache
def _load() -> tuple[BlockList, dict[str, BlockList]]:
    file = data_files.read(data_files.FOLDER / "blocked_values.yaml", _File)
    return BlockList(file.every), {name: BlockList(file.every, more) for name, more in file.types.items()}
