"""As much of PostgreSQL's protocol (version 3) as it takes to see a client's COMMIT go by.

Messages of a client are a type byte, a length of four bytes that counts itself, and the rest; before them come untyped
ones: requests for encryption, then the startup message.
"""

import re
from dataclasses import dataclass, field

STARTUP_MAJOR = 3
_COMMIT = re.compile(rb"\s*(COMMIT|END)\b(?!\s+PREPARED)", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Frontend:
    """What one client has said so far; bytes come in as the network cut them."""

    _rest: bytearray = field(default_factory=bytearray)
    _started: bool = False
    _prepared: set[bytes] = field(default_factory=set)
    """Names of prepared statements that commit."""

    _portals: set[bytes] = field(default_factory=set)

    def commits(self, data: bytes) -> bool:
        """Whether a COMMIT became complete with these bytes, asked simply or by executing a prepared one."""
        self._rest += data
        found = False
        while message := self._next():
            found |= self._is_commit(*message)
        return found

    def _next(self) -> tuple[bytes, bytes] | None:
        head = 0 if not self._started else 1
        if len(self._rest) < head + 4:
            return None
        length = int.from_bytes(self._rest[head : head + 4], "big")
        if len(self._rest) < head + length:
            return None
        kind, body = bytes(self._rest[:head]), bytes(self._rest[head + 4 : head + length])
        del self._rest[: head + length]
        if not self._started:
            self._started = int.from_bytes(body[:2], "big") == STARTUP_MAJOR
        return kind, body

    def _is_commit(self, kind: bytes, body: bytes) -> bool:
        match kind:
            case b"Q":
                return bool(_COMMIT.match(body))
            case b"P":
                name, query = body.split(b"\0", 2)[:2]
                (self._prepared.add if _COMMIT.match(query) else self._prepared.discard)(name)
            case b"B":
                portal, statement = body.split(b"\0", 2)[:2]
                (self._portals.add if statement in self._prepared else self._portals.discard)(portal)
            case b"E":
                return body.split(b"\0", 1)[0] in self._portals
        return False
