"""The webhooks of sources: which source is which channel system, and its secrets, held in memory.

A source whose set-up cannot be used (no file describes its system, or no secret can be opened) is kept together with
the problem: its vendor is asked to retry, and not told that the webhook is unknown. An outage of the store leaves the
held webhooks in place. Leaves SQL to `binding_store`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import msgspec

from services.ingest.forms.webhooks.mapping.delivery_mapper import DeliveryMapper
from services.ingest.forms.webhooks.signatures import WebhookSecret
from services.ingest.settings import IngestSettings
from services.ingest.sources.source import Source
from services.runtime.credentials.sealing import CannotUnsealError, SealedSecret, SecretSealer
from services.runtime.process.refreshing import refresh_for_ever
from services.runtime.telemetry.health import CheckResult
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

DIALECT = "channels"
"""The member of a source's dialects that says which system it is."""


class BindingProblem(StrEnum):
    """Why a source's webhook cannot be served."""

    SETUP = "setup"
    SYSTEM = "system"
    SECRET = "secret"  # noqa: S105  the name of a trouble


class WebhookSetup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a source is set up: its system, its options, and the URL that its vendor calls if it is unusual.

    `addresses` are networks in place of those that the system's file names.
    """

    system: str
    public_url: str = ""
    options: dict[str, str] = {}
    addresses: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWebhookSecret:
    """A secret as it is stored: sealed, or the name of a mounted file."""

    sealed: SealedSecret | None = None
    mounted: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBinding:
    """A source with the stored set-up and secrets of its webhook."""

    source: Source
    setup: Mapping[str, Any]
    secrets: Sequence[StoredWebhookSecret] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookBinding:
    """A source's webhook, ready to use; `url` is the address that its vendor calls, or empty when it is not known."""

    source: Source
    mapper: DeliveryMapper
    secrets: Sequence[WebhookSecret]
    url: str = ""
    options: Mapping[str, str]
    addresses: Sequence[str] = ()


class BindingStore(Protocol):
    """Where bindings are kept. Raises one of `outages`, TimeoutError among them, when it cannot be reached."""

    outages: tuple[type[BaseException], ...]

    async def all_bindings(self) -> list[StoredBinding]:
        """Return every source that has a channel system."""


class EmptyBindingStore:
    """A store in which no source has a channel system. Satisfies `BindingStore`."""

    outages: tuple[type[BaseException], ...] = (TimeoutError,)

    async def all_bindings(self) -> list[StoredBinding]:
        """Return an empty list of bindings."""
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingContext:
    """What bindings are made from: systems by name, master keys, the folder of mounted secrets, our public URL."""

    systems: Mapping[str, DeliveryMapper]
    seal: SecretSealer
    mounted: Path | None = None
    public_url: str = ""


def binding_context(settings: IngestSettings, systems: Mapping[str, DeliveryMapper]) -> BindingContext:
    """Return the context that the settings describe, with these systems."""
    return BindingContext(
        systems=systems,
        seal=SecretSealer(settings.master_keys),
        mounted=Path(settings.secrets_dir) if settings.secrets_dir else None,
        public_url=settings.public_url,
    )


class WebhookBindings:
    """All bindings in memory, refreshed by `run`."""

    def __init__(self, store: BindingStore, binding_context: BindingContext, *, refresh_s: float) -> None:
        self._store = store
        self._ground = binding_context
        self._refresh_s = refresh_s
        self._held: dict[str, WebhookBinding | BindingProblem] | None = (
            {} if isinstance(store, EmptyBindingStore) else None
        )

    @property
    def read(self) -> bool:
        """Whether the store has been read at least once."""
        return self._held is not None

    def find(self, source: str) -> WebhookBinding | BindingProblem | None:
        """Return the webhook of `source`, the problem with it, or None when the source has no webhook."""
        return (self._held or {}).get(source)

    async def check(self) -> CheckResult:
        """Check that the webhooks have been read at least once; for `/readyz`."""
        if self._held is None:
            return CheckResult(name="webhooks", ok=False, detail="not read yet")
        unusable = sum(isinstance(found, BindingProblem) for found in self._held.values())
        return CheckResult(name="webhooks", ok=True, detail=f"{len(self._held)} held, {unusable} of them not usable")

    async def refresh(self) -> None:
        """Read the store anew; raises one of its `outages`."""
        stored = await self._store.all_bindings()
        before = self._held or {}
        self._held = {each.source.name: resolve_binding(each, self._ground) for each in stored}
        for name, found in self._held.items():
            if isinstance(found, BindingProblem) and before.get(name) != found:
                _log.error("a webhook cannot be served", source=name, trouble=str(found))

    async def run(self) -> None:
        """Refresh the bindings again and again, until cancelled."""
        await refresh_for_ever(self.refresh, what="webhooks", every_s=self._refresh_s, outages=self._store.outages)


def resolve_binding(stored: StoredBinding, binding_context: BindingContext) -> WebhookBinding | BindingProblem:
    """Return the binding for a source's set-up, or the problem with it."""
    try:
        setup = msgspec.convert(stored.setup, WebhookSetup)
    except msgspec.ValidationError:
        return BindingProblem.SETUP
    mapper = binding_context.systems.get(setup.system)
    if mapper is None:
        return BindingProblem.SYSTEM
    secrets = [_opened(secret, stored.source.name, binding_context) for secret in stored.secrets]
    usable = [secret for secret in secrets if secret is not None]
    if secrets and not usable:
        return BindingProblem.SECRET
    base = binding_context.public_url.rstrip("/")
    return WebhookBinding(
        source=stored.source,
        mapper=mapper,
        secrets=usable,
        url=setup.public_url or (f"{base}/v1/sources/{stored.source.name}/webhook" if base else ""),
        options=setup.options,
        addresses=mapper.system.addresses if setup.addresses is None else setup.addresses,
    )


def _opened(stored: StoredWebhookSecret, source: str, binding_context: BindingContext) -> WebhookSecret | None:
    try:
        if stored.sealed is not None:
            value = binding_context.seal.open(stored.sealed, owner=source)
        elif binding_context.mounted is not None and stored.mounted is not None:
            value = (binding_context.mounted / Path(stored.mounted).name).read_text(encoding="utf-8").strip()
        else:
            return None
    except (CannotUnsealError, OSError, UnicodeDecodeError):
        return None
    return WebhookSecret(value=value, expires_at=stored.expires_at) if value else None
