"""The service over fakes with sources that are channel systems, and requests as their vendors make them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.ingest.app import IngestProcess
from services.ingest.forms.webhooks.bindings import DIALECT, StoredBinding, StoredWebhookSecret
from services.ingest.http.raw_routes import RawRouteApp
from services.ingest.settings import IngestSettings
from services.ingest.sources.source import Source
from services.runtime.clock import new_id
from services.runtime.credentials.sealing import SealedSecret
from services.runtime.telemetry.health import HealthChecks
from tests.fixtures.ingest_bench import IngestBench, Response
from tests.unit.ingest.webhooks.deliveries import example
from tests.unit.ingest.webhooks.test_signatures import VECTORS

PUBLIC = "https://waymark.example.com"


class BindingsInMemory:
    """A table of bindings that can be taken away. Satisfies `services.ingest.forms.webhooks.bindings.BindingStore`."""

    outages: tuple[type[BaseException], ...] = (ConnectionError, TimeoutError)

    def __init__(self) -> None:
        self.rows: dict[str, StoredBinding] = {}
        self.away = False

    def add(self, source: Source, setup: Mapping[str, Any], *secrets: str) -> None:
        """Bind a source, with secrets that are not sealed, the newest first."""
        stored = [StoredWebhookSecret(sealed=SealedSecret(material=text.encode(), master_key=None)) for text in secrets]
        dialects = Source(name=source.name, dialects={DIALECT: dict(setup)}, disabled=source.disabled)
        self.rows[source.name] = StoredBinding(source=dialects, setup=setup, secrets=stored)

    async def all_bindings(self) -> list[StoredBinding]:
        if self.away:
            raise ConnectionRefusedError
        return list(self.rows.values())


@dataclass(kw_only=True)
class WebhookBench(IngestBench):
    """A bench on which every shipped system has a source of its name (`-` for `_`) and the secret of its vector."""

    bindings: BindingsInMemory = field(default_factory=BindingsInMemory)

    def __post_init__(self) -> None:
        self.key = self.keys.add(Source(name="ivr"))
        for vector in VECTORS:
            name = vector["system"].replace("_", "-")
            self.bindings.add(Source(name=name), {"system": vector["system"]}, vector["secret"])
        self.service = IngestProcess(
            self.settings, self.keys, self.publisher, self.clock, new_id, webhooks=self.bindings
        )
        self.health: HealthChecks = self.service.health()
        self.app: RawRouteApp = self.service.app(self.health)

    async def started(self) -> "WebhookBench":
        """Read keys and bindings, as the process does when it starts."""
        await super().started()
        await self.service.bindings.refresh()
        return self

    async def deliver(self, vector: dict[str, Any], **more: Any) -> Response:
        """Make the request of a vector; `body`, `headers`, `at`, `method` and `pieces` take the place of its own."""
        told = example(vector["example"])
        headers = {**told.headers, **vector["headers"], "x-forwarded-for": "211.249.40.5"}
        body = vector["body"].encode() if "body" in vector else told.body
        if "body" in vector:
            headers["content-type"] = "application/json"
        given = more.get("headers", headers)
        return await self.call(
            more.get("method", "POST"),
            more.get("pieces", [more.get("body", body)]),
            {name: value for name, value in given.items() if value is not None},
            at=more.get("at", vector["url"].removeprefix(PUBLIC)),
        )


def settings(**more: str) -> IngestSettings:
    """Return the settings of the bench, with some others."""
    environ = {"public_url": PUBLIC, "trusted_proxies": "127.0.0.1/32", **more}
    return IngestSettings.load({f"WAYMARK_INGEST_{name.upper()}": value for name, value in environ.items()})
