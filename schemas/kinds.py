"""The catalogue of well-known kinds of touchpoints (`kinds.yaml`). `kind` is an open vocabulary: others are welcome.

The catalogue says which kinds are a *contact* (the customer turning to us, when the direction is inbound) and which
imply their direction, so that ingest can fill it in, and who speaks in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache

import msgspec

from schemas import data_files
from schemas.vocabulary import Channel, Direction, TextDocument


class Speaker(StrEnum):
    """Who says something to the other side: the customer, the company (a person, or a system in its name), or a bot."""

    CUSTOMER = "customer"
    COMPANY = "company"
    BOT = "bot"


class TouchpointKind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One well-known kind.

    `speaker` is who speaks in such a touchpoint, None if nobody does. `channels` are the usual ones, not a limit.
    `fields` are members of a touchpoint that rules hope to find.
    """

    title: TextDocument
    description: str
    contact: bool = False
    implied_direction: Direction | None = None
    speaker: Speaker | None = None
    channels: tuple[Channel, ...] = ()
    fields: tuple[str, ...] = ()


class KindCatalogue(Mapping[str, TouchpointKind]):
    """The well-known kinds by name, in the order of the file."""

    def __init__(self, kinds: Mapping[str, TouchpointKind]) -> None:
        """`kinds` as read from the file."""
        self._kinds = dict(kinds)

    def __getitem__(self, name: str) -> TouchpointKind:
        return self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def contacts(self) -> frozenset[str]:
        """Kinds that are a contact when their direction is inbound."""
        return frozenset(name for name, kind in self._kinds.items() if kind.contact)

    @property
    def speakers(self) -> dict[str, Speaker]:
        """Who speaks, by kind; kinds in which nobody speaks are left out."""
        return {name: kind.speaker for name, kind in self._kinds.items() if kind.speaker is not None}

    def is_contact(self, name: str) -> bool:
        """Whether `name` is a contact kind; an unknown kind is not."""
        return name in self._kinds and self._kinds[name].contact

    def implied_direction(self, name: str) -> Direction | None:
        """The direction that `name` cannot be without, if there is one."""
        return self._kinds[name].implied_direction if name in self._kinds else None


@cache
def load() -> KindCatalogue:
    """Return the catalogue, read once."""
    return KindCatalogue(data_files.read(data_files.FOLDER / "kinds.yaml", dict[str, TouchpointKind]))
