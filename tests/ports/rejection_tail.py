"""The fake of `services.ingest.inspector.other_replicas.RejectionTail`."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Self


class TailInMemory:
    """The end of `touchpoints-rejected` with some letters on it. Satisfies `RejectionTail`."""

    def __init__(self, letters: list[bytes]) -> None:
        self.letters = letters
        self.opened = 0
        self._later: list[bytes] = []

    async def __aenter__(self) -> Self:
        self.opened += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def write(self, *letters: bytes) -> None:
        """Append letters, as another replica does."""
        self._later += letters

    async def pieces(self) -> AsyncGenerator[list[bytes]]:
        """Yield the letters, then what is written later, and an empty list when there is nothing just now."""
        if self.letters:
            yield self.letters
        while True:
            later, self._later = self._later, []
            yield later
            await asyncio.sleep(0)
