"""Remembers recently acknowledged ids of this replica, so that a retry gets the result `duplicate`.

The result is only advice to the producer: the memory is bounded and not shared, and the journey worker decides. It is
filled after Kafka's acknowledgement, so every `duplicate` follows an accepted touchpoint.
"""

import hashlib
from collections import deque

import msgspec

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DIGEST_BYTES = 16


def payload_digest(item: bytes) -> bytes:
    """Return the digest of a touchpoint as sent; a different payload has a different digest.

    `sent_at` does not count, because it differs in every retry.
    """
    if b'"sent_at"' in item:
        members = _MEMBERS.decode(item)
        item = b"\n".join(name.encode() + b":" + bytes(members[name]) for name in sorted(members) if name != "sent_at")
    return hashlib.blake2b(item, digest_size=_DIGEST_BYTES).digest()


class DuplicateMemory:
    """The latest `capacity` acknowledged touchpoints, some 110 bytes each: one mark of source, id and payload."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: set[bytes] = set()
        self._by_age: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._known)

    def holds(self, source: str, id_: str, digest: bytes) -> bool:
        """Return whether this very payload was acknowledged under this id."""
        return _mark(source, id_, digest) in self._known

    def remember(self, source: str, id_: str, digest: bytes) -> None:
        """Note an acknowledged touchpoint, forgetting the one that was noted longest ago."""
        mark = _mark(source, id_, digest)
        if not self._capacity or mark in self._known:
            return
        self._known.add(mark)
        self._by_age.append(mark)
        if len(self._by_age) > self._capacity:
            self._known.discard(self._by_age.popleft())


def _mark(source: str, id_: str, digest: bytes) -> bytes:
    """The fingerprint with who sent it: equal payloads of two sources are two touchpoints."""
    return digest + hash((source, id_)).to_bytes(8, "little", signed=True)
