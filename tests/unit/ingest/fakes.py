"""What stands in for Kafka, PostgreSQL and a socket in the tests of ingest."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.documents import dead_letter, touchpoint
from schemas.documents.dead_letter import DeadLetterDocument
from schemas.documents.touchpoint import TouchpointDocument
from services.ingest.app import IngestProcess
from services.ingest.http.raw_routes import RawRouteApp
from services.ingest.settings import IngestSettings
from services.ingest.sources.source import Source
from services.ingest.sources.source_keys import SourceKey
from services.runtime.clock import new_id
from services.runtime.credentials.api_keys import KeyKind, MintedKey, StoredKey, mint
from services.runtime.kafka.producer import PublishError
from services.runtime.kafka.record import ProducerRecord
from services.runtime.telemetry.health import HealthChecks
from tests.conftest import SteppingClock

NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)


def a_touchpoint(**members: Any) -> dict[str, Any]:
    """Return a valid touchpoint as posted, with `members` put over it; a member that is `...` is left out."""
    whole: dict[str, Any] = {
        "id": "call-1",
        "occurred_at": "2026-11-22T09:14:00+09:00",
        "channel": "phone",
        "kind": "call_ended",
        "customer": {"phone": "010-1234-5678"},
        **members,
    }
    return {name: member for name, member in whole.items() if member is not ...}


class RecordingPublisher:
    """A Kafka that remembers what it was given. Satisfies `services.runtime.kafka.producer.Publisher`.

    `refuse` names topics that are not acknowledged; `stuck` is a topic that is never answered for until `release`.
    """

    def __init__(self) -> None:
        self.records: list[ProducerRecord] = []
        self.refuse: set[str] = set()
        self.refuse_positions: frozenset[int] = frozenset()
        self.stuck: str | None = None
        self.waiting = 0
        self._released = asyncio.Event()

    async def publish(self, records: Sequence[ProducerRecord]) -> None:
        topic = records[0].topic
        if topic == self.stuck:
            self.waiting += 1
            await self._released.wait()
        if topic in self.refuse:
            raise PublishError("KafkaTimeoutError", frozenset(range(len(records))))
        failed = self.refuse_positions if topic == touchpoint.TOPIC else frozenset()
        self.records += [record for at, record in enumerate(records) if at not in failed]
        if failed:
            raise PublishError("KafkaTimeoutError", failed)

    def release(self) -> None:
        """Let what is stuck go on."""
        self.stuck = None
        self._released.set()

    @property
    def touchpoints(self) -> list[TouchpointDocument]:
        """The touchpoints written so far."""
        return [touchpoint.decode(record.value or b"") for record in self.records if record.topic == touchpoint.TOPIC]

    @property
    def dead_letters(self) -> list[DeadLetterDocument]:
        """The dead letters written so far."""
        return [dead_letter.decode(r.value or b"") for r in self.records if r.topic == dead_letter.TOPIC]


class KeysInMemory:
    """A table of source keys that can be taken away. Satisfies `services.ingest.sources.source_keys.SourceKeyStore`."""

    outages: tuple[type[BaseException], ...] = (ConnectionError, TimeoutError)

    def __init__(self) -> None:
        self.rows: dict[str, SourceKey] = {}
        self.operators: dict[str, StoredKey] = {}
        self.away = False
        self.lookups = 0
        self.all_reads = 0
        self.used: dict[str, datetime] = {}

    def add(self, source: Source, *, expires_at: datetime | None = None, revoked: bool = False) -> MintedKey:
        """Put a new key of `source` into the table and return it."""
        minted = mint(KeyKind.SOURCE)
        key = StoredKey(
            kind=KeyKind.SOURCE,
            key_id=minted.key_id,
            subject=source.name,
            secret_hash=minted.secret_hash,
            expires_at=expires_at,
            revoked=revoked,
        )
        self.rows[minted.key_id] = SourceKey(key=key, source=source)
        return minted

    def add_operator(self, kind: KeyKind = KeyKind.READER) -> MintedKey:
        """Put a new key of an operator into the table and return it."""
        minted = mint(kind)
        self.operators[minted.key_id] = StoredKey(
            kind=kind, key_id=minted.key_id, subject="support", secret_hash=minted.secret_hash
        )
        return minted

    def revoke(self, minted: MintedKey) -> None:
        """Mark a key as revoked."""
        row = self.rows.pop(minted.key_id)
        key = StoredKey(
            kind=row.key.kind,
            key_id=row.key.key_id,
            subject=row.key.subject,
            secret_hash=row.key.secret_hash,
            revoked=True,
        )
        self.rows[minted.key_id] = SourceKey(key=key, source=row.source)

    async def all_keys(self) -> list[SourceKey]:
        self.all_reads += 1
        self._answer()
        return [row for row in self.rows.values() if not row.key.revoked]

    async def one_key(self, key_id: str) -> SourceKey | None:
        self.lookups += 1
        await asyncio.sleep(0)  # as any database, it lets others run meanwhile
        self._answer()
        return self.rows.get(key_id)

    async def one_operator(self, key_id: str) -> StoredKey | None:
        self._answer()
        return self.operators.get(key_id)

    async def mark_used(self, key_ids: frozenset[str], at: datetime) -> None:
        self._answer()
        self.used.update(dict.fromkeys(key_ids, at))

    def _answer(self) -> None:
        if self.away:
            raise ConnectionRefusedError


@dataclass(frozen=True, kw_only=True)
class Response:
    """What the service answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def results(self) -> list[dict[str, Any]]:
        """The results in the body."""
        found: list[dict[str, Any]] = self.json["results"]
        return found

    @property
    def outcomes(self) -> list[str]:
        """What became of each touchpoint: its code, else its status."""
        return [result.get("code", result["status"]) for result in self.results]


@dataclass(kw_only=True)
class Bench:
    """The whole service over fakes, called at its ASGI interface."""

    clock: SteppingClock
    settings: IngestSettings = field(default_factory=lambda: IngestSettings.load({}))
    publisher: RecordingPublisher = field(default_factory=RecordingPublisher)
    keys: KeysInMemory = field(default_factory=KeysInMemory)

    def __post_init__(self) -> None:
        self.key = self.keys.add(Source(name="ivr"))
        self.service = IngestProcess(self.settings, self.keys, self.publisher, self.clock, new_id)
        self.health: HealthChecks = self.service.health()
        self.app: RawRouteApp = self.service.app(self.health)

    async def started(self) -> "Bench":
        """Read the keys, as the process does when it starts."""
        await self.service.sources.refresh()
        return self

    async def post(self, document: Any, **headers: str) -> Response:
        """Send `document` (bytes as they are, anything else as JSON) with the bench's key; `_` in names means `-`."""
        body = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
        return await self.call("POST", [body], {"authorization": f"Bearer {self.key.text}", **headers})

    async def call(
        self,
        method: str,
        pieces: Iterable[bytes | None],
        headers: dict[str, str],
        *,
        at: str = "/v1/touchpoints",
        ends: bool = True,
    ) -> Response:
        """Make one request whose body comes in `pieces`; None is the client hanging up, `ends=False` a silent one."""
        raw = [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": at.partition("?")[0],
            "raw_path": at.partition("?")[0].encode(),
            "query_string": at.partition("?")[2].encode(),
            "root_path": "",
            "headers": raw,
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8080),
        }
        messages: list[dict[str, Any]] = []
        coming = _messages(pieces, ends=ends)

        async def receive() -> dict[str, Any]:
            try:
                return next(coming)
            except StopIteration:
                await asyncio.Event().wait()
                raise

        async def send(message: Any) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        start, *rest = messages
        return Response(
            status=start["status"],
            headers={name.decode(): value.decode() for name, value in start["headers"]},
            body=b"".join(message.get("body", b"") for message in rest),
        )

    async def inspect(self, query: str = "", key: str | None = None, **headers: str) -> Response:
        """Look into what was sent, with the bench's key unless another is given."""
        at = f"/v1/inspector?{query}" if query else "/v1/inspector"
        return await self.call("GET", [b""], {"authorization": f"Bearer {key or self.key.text}", **headers}, at=at)

    def sample(self, name: str, **labels: str) -> float:
        """Return the present value of a metric, 0 where it has none yet."""
        return self.service.registry.get_sample_value(name, labels) or 0.0


def bench_with(clock: SteppingClock, **settings: str) -> Bench:
    """Return a bench with these settings, each given as its variable without the prefix."""
    environ = {f"WAYMARK_INGEST_{name.upper()}": value for name, value in settings.items()}
    return Bench(clock=clock, settings=IngestSettings.load(environ))


def _messages(pieces: Iterable[bytes | None], *, ends: bool) -> Any:
    held = list(pieces) or [b""]
    for at, piece in enumerate(held):
        if piece is None:
            yield {"type": "http.disconnect"}
            return
        yield {"type": "http.request", "body": piece, "more_body": not ends or at < len(held) - 1}
