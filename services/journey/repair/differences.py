"""Whether who is who, as stored, is what the ledger of links says: differences in one page of customers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from uuid import UUID

import msgspec

from services.journey.domain.identity import IdentifierKey, LinkKey, components


class Difference(StrEnum):
    """What may be otherwise than the ledger says."""

    SPLIT = "links_across_customers"
    """A link stands between identifiers of two customers: they are one."""

    HELD_WITHOUT_LINK = "customers_without_links"
    """A customer's identifiers are not held together by any links: it is several."""

    TOUCHPOINT = "touchpoints_elsewhere"
    """A touchpoint is not with the customer of its strongest identifier."""

    JOURNEY = "journeys_elsewhere"
    """A journey is not with the customer of its touchpoints."""

    COUNT = "wrong_counts"
    """A customer's row says another number of identifiers, or of customers absorbed, than there are."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The identifiers of some customers and the links at them: `active`, or waiting in quarantine.

    `owners` knows the customers at both ends of every link whose ends are known at all.
    """

    mine: Mapping[IdentifierKey, UUID]
    owners: Mapping[IdentifierKey, UUID]
    links: Mapping[LinkKey, bool]


def across(standing: Standing) -> list[LinkKey]:
    """The active links between two customers, at least one of them looked at."""
    return sorted(link for link, active in standing.links.items() if active and _parts(link, standing.owners))


def held_without_link(standing: Standing) -> list[UUID]:
    """The customers whose identifiers fall apart.

    A link in quarantine holds, too, once both its ends are one customer's. Customers with an active link to another one
    are left out: whether they hold together is to be seen when they are one.
    """
    parted = [link for link, active in standing.links.items() if active and _parts(link, standing.owners)]
    split = {standing.owners[key] for link in parted for key in link}
    identifiers: defaultdict[UUID, list[IdentifierKey]] = defaultdict(list)
    for key, owner in standing.mine.items():
        identifiers[owner].append(key)
    held: defaultdict[UUID, list[LinkKey]] = defaultdict(list)
    for left, right in standing.links:
        if left in standing.mine and standing.mine[left] == standing.mine.get(right):
            held[standing.mine[left]].append((left, right))
    return sorted(
        owner
        for owner, keys in identifiers.items()
        if owner not in split and len(keys) > 1 and _falls_apart(keys, held[owner])
    )


def _falls_apart(keys: Collection[IdentifierKey], links: Collection[LinkKey]) -> bool:
    return len(links) < len(keys) - 1 or len(components(keys, links)) > 1


def _parts(link: LinkKey, owners: Mapping[IdentifierKey, UUID]) -> bool:
    one, other = owners.get(link[0]), owners.get(link[1])
    return one is not None and other is not None and one != other


def strongest_known(keys: Iterable[IdentifierKey], owners: Mapping[IdentifierKey, UUID]) -> IdentifierKey | None:
    """The first of `keys`, strongest first, that is known: what an older policy did not take may stand before it."""
    return next((key for key in keys if key in owners), None)
