"""The ids that this replica saw acknowledged lately, so that a retry can be told `duplicate`.

Advice to the producer and nothing more: it forgets, it is not shared, and the journey worker decides. Filled only after
Kafka's acknowledgement, so a `duplicate` is never the only answer a touchpoint got.
"""

import hashlib
from collections import OrderedDict

import msgspec

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DIGEST_BYTES = 16


def fingerprint(item: bytes) -> bytes:
    """Return the fingerprint of a touchpoint as it was sent; another payload under a known id has another one.

    `sent_at` does not count: who sends again later says another one.
    """
    if b'"sent_at"' in item:
        members = _MEMBERS.decode(item)
        item = b"\n".join(name.encode() + b":" + bytes(members[name]) for name in sorted(members) if name != "sent_at")
    return hashlib.blake2b(item, digest_size=_DIGEST_BYTES).digest()


class Duplicates:
    """The latest `capacity` acknowledged (source, id), each with its fingerprint."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def holds(self, source: str, id_: str, print_: bytes) -> bool:
        """Return whether this very payload was acknowledged under this id."""
        return self._known.get((source, id_)) == print_

    def remember(self, source: str, id_: str, print_: bytes) -> None:
        """Note an acknowledged touchpoint, forgetting the one that was noted longest ago."""
        if not self._capacity:
            return
        self._known[source, id_] = print_
        self._known.move_to_end((source, id_))
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)
