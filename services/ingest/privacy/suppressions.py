"""Whom nothing may be kept of: pseudonyms of their identifiers, held in memory as source keys are.

The list is read whole when its version changes, so a request never waits for the database and an outage stops nobody.
Without the secret that the pseudonyms were made with, nobody on the list would be recognised: that is not ready.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from schemas.identifiers import spelling
from schemas.identifiers.pseudonyms import pseudonym
from schemas.identifiers.spelling import MAX_IDENTIFIER_LENGTH, SpelledIdentifier
from services.ingest.metrics import IngestMetrics
from services.runtime.process.refreshing import refresh_for_ever
from services.runtime.telemetry.health import CheckResult
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

PROBE: Final = (".probe", "nobody")
"""What the list's probe is the pseudonym of; no identifier has such a type."""

_MOST_TEXTS: Final = 32
_DEEPEST: Final = 4
_FEWEST_DIGITS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionList:
    """The list at one version: pseudonyms in force, their types, and the probe that whoever wrote it left."""

    version: int
    pseudonyms: frozenset[str] = field(repr=False)
    types: frozenset[str]
    probe: str


class SuppressionListStore(Protocol):
    """Where the list is kept. Raises one of `outages` when it cannot be reached."""

    outages: tuple[type[BaseException], ...]

    async def read(self, known: int) -> SuppressionList | None:
        """Return the list, or None when it is still at version `known`."""


class EmptySuppressionList:
    """A list that is empty for ever. Satisfies `SuppressionListStore`."""

    outages: tuple[type[BaseException], ...] = ()

    async def read(self, known: int) -> SuppressionList | None:
        """Return the empty list once."""
        empty = SuppressionList(version=0, pseudonyms=frozenset(), types=frozenset(), probe="")
        return empty if known < 0 else None


class Suppressions:
    """The list in memory, refreshed by `run`; empty until `watch` names the store."""

    def __init__(self, metrics: IngestMetrics, secret: bytes, *, refresh_s: float) -> None:
        self._source: SuppressionListStore = EmptySuppressionList()
        self._secret = secret
        self._refresh_s = refresh_s
        self._version = -1
        self._held: frozenset[str] = frozenset()
        self._types: frozenset[str] = frozenset()
        self._foreign = False
        metrics.suppressions.set_function(lambda: len(self._held))

    def __bool__(self) -> bool:
        """Whether anybody is on the list."""
        return bool(self._held)

    def name(self, identifiers: Iterable[tuple[str, str]]) -> bool:
        """Return whether one of these (type, spelt value) is on the list, as it is spelt or as it was before."""
        held, types, secret = self._held, self._types, self._secret
        return any(
            type_ in types and any(pseudonym(secret, type_, each) in held for each in _spellings(type_, value))
            for type_, value in identifiers
        )

    def may_include(self, document: Any, region: str) -> bool:
        """Return whether a text in `document`, whatever it stands for, may be an identifier on the list.

        For documents that were refused before anybody knew what in them is an identifier. Looks at the first few
        texts only: what is refused must not cost more than what is accepted.
        """
        texts: list[str] = []
        _gather(document, _DEEPEST, texts)
        candidates = ((type_, text) for text in texts for type_ in self._types if _possible(type_, text))
        spelt = ((type_, spelling.identifier(type_, text, region)) for type_, text in candidates)
        return self.name((type_, found.value) for type_, found in spelt if isinstance(found, SpelledIdentifier))

    async def watch(self, source: SuppressionListStore) -> None:
        """Read the list from `source` now, and again whenever it changes; raises one of its `outages`."""
        self._source, self._version = source, -1
        await self.refresh()

    async def refresh(self) -> None:
        """Read the list if it changed; raises one of the source's `outages`."""
        found = await self._source.read(self._version)
        if found is None:
            return
        self._version, self._held, self._types = found.version, found.pseudonyms, found.types
        self._foreign = bool(found.pseudonyms) and found.probe != pseudonym(self._secret, *PROBE)
        _log.info("suppressions read", count=len(found.pseudonyms))
        if self._foreign:
            _log.error("the suppression list was written with another privacy secret; nobody on it is recognised")

    async def run(self) -> None:
        """Refresh for ever; `watch` has read them a moment ago."""
        await asyncio.sleep(self._refresh_s)
        await refresh_for_ever(self.refresh, what="suppressions", every_s=self._refresh_s, outages=self._source.outages)

    async def check(self) -> CheckResult:
        """Check that the list was read, and with the right secret; for `/readyz`."""
        if self._version < 0:
            return CheckResult(name="suppressions", ok=False, detail="not read yet")
        if self._foreign:
            return CheckResult(name="suppressions", ok=False, detail="written with another privacy secret")
        return CheckResult(name="suppressions", ok=True, detail=f"{len(self._held)} held")


def _spellings(type_: str, value: str) -> tuple[str, ...]:
    before = spelling.earlier(type_, value)
    return (value,) if before == value else (value, before)


def _gather(node: Any, depth: int, texts: list[str]) -> None:
    """Put the first texts inside `node` into `texts`."""
    if isinstance(node, str):
        if len(node) <= MAX_IDENTIFIER_LENGTH:
            texts.append(node)
    elif depth:
        inner: Iterable[Any] = ()
        if isinstance(node, Mapping):
            inner = node.values()
        elif isinstance(node, list):
            inner = node
        for one in inner:
            if len(texts) >= _MOST_TEXTS:
                return
            _gather(one, depth - 1, texts)


def _possible(type_: str, text: str) -> bool:
    """Return whether `text` may be an identifier of that type: quick, and wrong only towards yes."""
    if type_ == "email":
        return "@" in text or "＠" in text
    return type_ != "phone" or sum(map(str.isdigit, text)) >= _FEWEST_DIGITS
