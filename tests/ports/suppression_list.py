"""The fake of `services.ingest.privacy.suppressions.SuppressionListStore`."""

from schemas.identifiers.pseudonyms import pseudonym
from services.ingest.privacy.suppressions import PROBE, SuppressionList

SECRET = "a-secret-for-pseudonyms-that-is-long-enough"


class ListInMemory:
    """A suppression list that can be taken away. Satisfies `SuppressionListStore`."""

    outages: tuple[type[BaseException], ...] = (ConnectionError,)

    def __init__(self, *identifiers: tuple[str, str], secret: str = SECRET) -> None:
        self.identifiers = list(identifiers)
        self.secret = secret.encode()
        self.version = 1
        self.away = False

    def write(self, *identifiers: tuple[str, str]) -> None:
        """Put another list in the place of this one."""
        self.identifiers = list(identifiers)
        self.version += 1

    async def read(self, known: int) -> SuppressionList | None:
        """Return the list, or None when it is still at version `known`."""
        if self.away:
            raise ConnectionRefusedError
        if known == self.version:
            return None
        return SuppressionList(
            version=self.version,
            pseudonyms=frozenset(pseudonym(self.secret, *one) for one in self.identifiers),
            types=frozenset(type_ for type_, _ in self.identifiers),
            probe=pseudonym(self.secret, *PROBE),
        )
