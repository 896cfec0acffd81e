"""Who is who, by the oracle: connected components of identifiers, found with union-find, in one pass, in any order.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from collections.abc import Iterable
from typing import Final

from tests.oracle.facts import Fact, Json

Identifier = tuple[str, str]

STRENGTH: Final = {
    "customer_id": 10,
    "account_id": 20,
    "loyalty_id": 30,
    "email": 40,
    "phone": 50,
    "social": 70,
    "external_id": 80,
    "device_id": 600,
    "cookie": 710,
}
UNKNOWN_STRENGTH: Final = 500

BLOCKED: Final = frozenset({"null", "undefined", "anonymous", "guest", "0", "익명"})
"""The placeholders that the workload sends; the full list is a file of the contract."""


def usable(customer: Json) -> list[Identifier]:
    """The identifiers of a touchpoint that may link, the strongest first."""
    found = [(name, held["value"]) for name, held in customer.items() if held["value"] not in BLOCKED]
    return sorted(found, key=lambda one: (STRENGTH.get(one[0], UNKNOWN_STRENGTH), one[0], one[1]))


class Components:
    """Union-find over identifiers."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._parent: dict[Identifier, Identifier] = {}
        for one in facts:
            strongest, *others = usable(one.get("customer"))
            self._parent.setdefault(strongest, strongest)
            for other in others:
                self._parent.setdefault(other, other)
                self._join(strongest, other)

    def of(self, identifier: Identifier) -> Identifier:
        """The representative of the component."""
        root = identifier
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[identifier] != root:
            self._parent[identifier], identifier = root, self._parent[identifier]
        return root

    def owner(self, one: Fact) -> Identifier:
        """The component that a touchpoint belongs to."""
        return self.of(usable(one.get("customer"))[0])

    def all(self) -> dict[Identifier, set[Identifier]]:
        """Every component by its representative."""
        found: dict[Identifier, set[Identifier]] = {}
        for identifier in self._parent:
            found.setdefault(self.of(identifier), set()).add(identifier)
        return found

    def _join(self, one: Identifier, other: Identifier) -> None:
        self._parent[self.of(one)] = self.of(other)
