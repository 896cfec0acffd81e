"""What is in force, as a worker uses it: read in each transaction, prepared once for each version.

Two workers may be of different releases. Both read the same versions; a rule that only the newer one knows fails in the
older one, which keeps what was found and leaves the customer to the newer one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from services.journey.domain.definitions.definition_book import DefinitionBook, DefinitionsVersion
from services.journey.domain.identity.identity_book import IdentityBook, IdentityVersion
from services.journey.domain.projection import NO_DEFINITIONS
from services.journey.domain.rules.book import Rulebook
from services.journey.domain.rules.edition import RulesVersion
from services.journey.domain.shadow import NOTHING_TRIED, ShadowBook, ShadowVersion
from services.journey.rulebook import definitions_file, identity_file, stored_rules
from services.journey.versions import policy_table
from services.journey.versions.policy_table import PolicyKind, PolicyVersion
from services.runtime.postgres.pools import Connection
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

KINDS = (PolicyKind.RULES, PolicyKind.JOURNEYS, PolicyKind.IDENTITY, PolicyKind.SHADOW)
"""The kinds that a worker reads."""


class NothingInForceError(RuntimeError):
    """No version of a kind is stored; a worker stores the first one when it starts."""


class UnreadableIdentityError(RuntimeError):
    """A stored version of the policy of identity cannot be read here: who is who cannot be told by the others alone.

    Links are judged by the version that was in force when they came. A worker that went by an older one would join and
    split other customers than the workers that can read it.
    """

    def __init__(self, version: int) -> None:
        super().__init__(
            f"version {version} of the policy of identity cannot be read by this release; nothing is applied without"
            " it: upgrade this process"
        )
        self.version = version


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPolicies:
    """The policies of one transaction, and the time of the database."""

    now: datetime
    rulebook: Rulebook
    definitions: DefinitionBook = NO_DEFINITIONS
    identity: IdentityBook = field(default_factory=identity_file.shipped_book)
    shadow: ShadowBook = NOTHING_TRIED


class PolicySource(Protocol):
    """Where a transaction gets the policies from."""

    async def hold(self, connection: Connection) -> HeldPolicies:
        """Return the policies of this transaction; no new version comes into force before it ends."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """What a process knows of a kind: the latest version, since when it is in force, and what of it is unknown here.

    `unreadable` is the number of versions that are skipped, because nothing of them can be read.
    """

    kind: PolicyKind
    version: int
    in_force_from: datetime
    unknown: tuple[str, ...] = ()
    unreadable: int = 0


BookT = TypeVar("BookT")
VersionT = TypeVar("VersionT")


@dataclass(slots=True)
class _KindCache(Generic[BookT, VersionT]):
    """The versions of one kind, each read once, and the book made of all of them."""

    kind: PolicyKind
    read: Callable[[PolicyVersion], VersionT]
    bind: Callable[[Sequence[VersionT]], BookT]
    unknown_in: Callable[[BookT], tuple[str, ...]]
    book: BookT | None = None
    state: PolicyState | None = None
    _versions: list[VersionT] = field(default_factory=list)
    _latest: int = 0
    _unreadable: int = 0

    async def refresh(self, connection: Connection, latest: int) -> bool:
        """Read what is new up to the version `latest`; return whether there was anything."""
        if latest == self._latest:
            return False
        known = self._latest if self._latest < latest else 0
        rows = await policy_table.load(connection, self.kind, after=known)
        versions, unreadable = self._readable(rows)
        if known:
            versions, unreadable = [*self._versions, *versions], self._unreadable + unreadable
        if not versions:
            return False
        self._versions, self._unreadable, self._latest = versions, unreadable, latest
        self.book = self.bind(versions)
        self.state = PolicyState(
            kind=self.kind,
            version=rows[-1].version,
            in_force_from=rows[-1].in_force_from,
            unknown=self.unknown_in(self.book),
            unreadable=unreadable,
        )
        return True

    def _readable(self, rows: Sequence[PolicyVersion]) -> tuple[list[VersionT], int]:
        """Return the versions that can be read; the one before one that cannot stays in force."""
        versions = []
        for row in rows:
            try:
                versions.append(self.read(row))
            except ValueError as error:
                _log.error("policy cannot be read", kind=row.kind, version=row.version, reason=type(error).__name__)
        return versions, len(rows) - len(versions)


class PolicyCache:
    """Prepares each version once. `changed` is called with the new state whenever another version is read."""

    def __init__(self, changed: Callable[[PolicyState], None] | None = None) -> None:
        self._changed = changed
        self._rules = _KindCache[Rulebook, RulesVersion](PolicyKind.RULES, _rules, Rulebook.through, _unknown_rules)
        self._journeys = _KindCache[DefinitionBook, DefinitionsVersion](
            PolicyKind.JOURNEYS, _journeys, DefinitionBook, lambda _: ()
        )
        self._identity = _KindCache[IdentityBook, IdentityVersion](
            PolicyKind.IDENTITY, _identity, IdentityBook, lambda _: ()
        )
        self._shadow = _KindCache[ShadowBook, ShadowVersion](
            PolicyKind.SHADOW, _tried, ShadowBook, lambda book: book.unknown
        )

    @property
    def states(self) -> list[PolicyState]:
        """What is known of each kind of which a version is stored."""
        kinds = (self._rules, self._journeys, self._identity, self._shadow)
        return [one.state for one in kinds if one.state is not None]

    def rules_on(self) -> list[str]:
        """Return the ids of the rules that are on in the latest version read."""
        book = self._rules.book
        return [] if book is None else [rule.id for rule in book.rules if rule.enabled]

    async def hold(self, connection: Connection) -> HeldPolicies:
        """Return the policies of this transaction.

        Raises:
            NothingInForceError: the first version of the rules is not stored yet.
            UnreadableIdentityError: a version of identity cannot be read here, the latest or any before.
        """
        held = await policy_table.hold(connection, KINDS)
        await self._refresh(connection, held.latest)
        return self._bound(held.at)

    async def look(self, connection: Connection) -> None:
        """Read what is in force without holding it; raises `UnreadableIdentityError`."""
        seen = await policy_table.look(connection, KINDS)
        await self._refresh(connection, seen.latest)

    async def look_at_all(self, connection: Connection) -> HeldPolicies:
        """Return the policies with all their versions without holding them; raises what `hold` raises."""
        seen = await policy_table.look(connection, KINDS)
        await self._refresh(connection, seen.latest)
        return self._bound(seen.at)

    async def definitions(self, connection: Connection) -> DefinitionBook:
        """Return the definitions of all versions without holding them: for reports, not for judging."""
        seen = await policy_table.look(connection, (PolicyKind.JOURNEYS,))
        if await self._journeys.refresh(connection, *seen.latest):
            self._tell(self._journeys.state)
        return self._journeys.book or NO_DEFINITIONS

    async def identity(self, connection: Connection) -> IdentityBook:
        """Return the policy of identity in all its versions without holding them.

        What judged a stored touchpoint is stored before it, and what comes later does not judge it. Raises
        `UnreadableIdentityError`.
        """
        await self.look(connection)
        return self._identity.book or identity_file.shipped_book()

    def _bound(self, now: datetime) -> HeldPolicies:
        if self._rules.book is None:
            raise NothingInForceError
        return HeldPolicies(
            now=now,
            rulebook=self._rules.book,
            definitions=self._journeys.book or NO_DEFINITIONS,
            identity=self._identity.book or identity_file.shipped_book(),
            shadow=self._shadow.book or NOTHING_TRIED,
        )

    async def _refresh(self, connection: Connection, latest: tuple[int, ...]) -> None:
        rules, journeys, identity, shadow = latest
        if await self._rules.refresh(connection, rules):
            self._tell(self._rules.state)
        if await self._journeys.refresh(connection, journeys):
            self._tell(self._journeys.state)
        if await self._identity.refresh(connection, identity):
            self._tell(self._identity.state)
        if await self._shadow.refresh(connection, shadow):
            self._tell(self._shadow.state)

    def _tell(self, state: PolicyState | None) -> None:
        if state is not None and self._changed is not None:
            self._changed(state)


def _rules(row: PolicyVersion) -> RulesVersion:
    return RulesVersion(in_force_from=row.in_force_from, rules=stored_rules.decode(row.document))


def _unknown_rules(book: Rulebook) -> tuple[str, ...]:
    return tuple(rule.id for rule in book.unknown)


def _journeys(row: PolicyVersion) -> DefinitionsVersion:
    return DefinitionsVersion(in_force_from=row.in_force_from, definitions=definitions_file.decode(row.document))


def _identity(row: PolicyVersion) -> IdentityVersion:
    try:
        return identity_file.decode(row.document).version(row.in_force_from)
    except ValueError as error:
        raise UnreadableIdentityError(row.version) from error


def _tried(row: PolicyVersion) -> ShadowVersion:
    rules = stored_rules.decode_shadow(row.document)
    return ShadowVersion(number=row.version, in_force_from=row.in_force_from, rules=rules)
