"""Finds the differences between the stored customers and the ledger of links, in one page of customers. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from uuid import UUID

import msgspec

from services.journey.domain.identity.facts import IdentifierKey, LinkKey
from services.journey.domain.identity.planning import components


class IdentityDifference(StrEnum):
    """How the stored customers may differ from the ledger."""

    SPLIT = "links_across_customers"
    """An active link joins identifiers of two customers: they are one customer."""

    UNSETTLED = "customers_unsettled"
    """The links, under their constraints, make other customers of the identifiers or the touchpoints of a customer."""

    TOUCHPOINT = "touchpoints_elsewhere"
    """A touchpoint is not with the customer of its strongest identifier."""

    JOURNEY = "journeys_elsewhere"
    """A journey is not with the customer of its touchpoints."""

    COUNT = "wrong_counts"
    """The row of a customer gives a wrong number of identifiers, or of absorbed customers."""


class IdentityGraph(msgspec.Struct, frozen=True, kw_only=True):
    """The identifiers of some customers and the links at them: active (True), or waiting in quarantine.

    `owners` holds the customers at both ends of every link, as far as the ends are known.
    """

    mine: Mapping[IdentifierKey, UUID]
    owners: Mapping[IdentifierKey, UUID]
    links: Mapping[LinkKey, bool]


def links_across_customers(graph: IdentityGraph) -> list[LinkKey]:
    """Return the active links between two customers, at least one of which is in the page."""
    return sorted(link for link, active in graph.links.items() if active and _parts(link, graph.owners))


def customers_without_links(graph: IdentityGraph) -> list[UUID]:
    """Return the customers whose identifiers are not connected by links.

    A link in quarantine connects, too, once both its ends belong to one customer. Customers with an active link to
    another one are left out: they are judged once they are merged.
    """
    parted = [link for link, active in graph.links.items() if active and _parts(link, graph.owners)]
    split = {graph.owners[key] for link in parted for key in link}
    identifiers: defaultdict[UUID, list[IdentifierKey]] = defaultdict(list)
    for key, owner in graph.mine.items():
        identifiers[owner].append(key)
    held: defaultdict[UUID, list[LinkKey]] = defaultdict(list)
    for left, right in graph.links:
        if left in graph.mine and graph.mine[left] == graph.mine.get(right):
            held[graph.mine[left]].append((left, right))
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
    """Return the first of `keys`, strongest first, that is known; an older policy may not have taken stronger ones."""
    return next((key for key in keys if key in owners), None)
