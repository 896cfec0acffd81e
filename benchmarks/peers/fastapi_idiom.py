"""Ingest the way FastAPI's guide writes it: a full pydantic model of the touchpoint, `send_and_wait` for each.

It checks the key and the same constraints of the contract, and acknowledges after Kafka has. It does less than ingest:
no normal form of identifiers, no catalogue, no duplicates, no error document for each item. A batch's records are sent
together (`gather`); one after the other would wait for Kafka a hundred times.

    WAYMARK_KAFKA=… BENCH_KEY=… uvicorn benchmarks.peers.fastapi_idiom:app
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from aiokafka import AIOKafkaProducer
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

TOPIC = "idiom-touchpoints"
KEY_HASH = hashlib.sha256(os.environ.get("BENCH_KEY", "").encode()).digest()

Id = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern="^[^\\x00-\\x1f\\x7f]*$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern="^[^\\x00-\\x1f\\x7f]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern="^[a-z][a-z0-9_]*$")]
Kind = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$")]
Seconds = Annotated[float, Field(ge=0, le=2_678_400)]


class Channel(StrEnum):
    WEB = "web"
    APP = "app"
    PHONE = "phone"
    IVR = "ivr"
    CHAT = "chat"
    EMAIL = "email"
    SMS = "sms"
    SOCIAL = "social"
    MESSENGER = "messenger"
    STORE = "store"
    KIOSK = "kiosk"
    FIELD = "field"
    DEVICE = "device"
    MAIL = "mail"
    API = "api"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class ServiceLevel(StrEnum):
    BASIC = "basic"
    ENHANCED = "enhanced"
    PREMIUM = "premium"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Identifier(Strict):
    value: Id
    verified: bool = False


class Score(Strict):
    metric: Name
    value: Annotated[float, Field(ge=0, le=1000)]
    scale: Annotated[float, Field(ge=1, le=1000)]


class Money(Strict):
    amount: Annotated[float, Field(ge=-1e12, le=1e12)]
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


class Touchpoint(Strict):
    id: Id
    occurred_at: AwareDatetime
    channel: Channel
    kind: Kind
    customer: Annotated[dict[Name, Id | Identifier], Field(min_length=1, max_length=20)]
    direction: Direction | None = None
    outcome: Label | None = None
    reason: Label | None = None
    refs: Annotated[dict[Name, Id], Field(max_length=20)] = {}
    interaction_id: Id | None = None
    wait_s: Seconds | None = None
    duration_s: Seconds | None = None
    hold_s: Seconds | None = None
    transfers: Annotated[int, Field(ge=0, le=1000)] | None = None
    queue: Label | None = None
    agent: Id | None = None
    sequence: Annotated[int, Field(ge=0)] | None = None
    text: Annotated[str, StringConstraints(max_length=8192)] | None = None
    sentiment: Annotated[float, Field(ge=-1, le=1)] | None = None
    score: Score | None = None
    value: Money | None = None
    service_level: ServiceLevel | None = None
    due_at: AwareDatetime | None = None
    attributes: Annotated[dict[str, Any], Field(max_length=100)] = {}
    replay: bool = False


class Published(Touchpoint):
    source: str
    received_at: AwareDatetime


class Result(BaseModel):
    index: int
    status: str
    id: str


class Answer(BaseModel):
    results: list[Result]
    accepted: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["WAYMARK_KAFKA"], acks="all")
    await producer.start()
    app.state.producer = producer
    yield
    await producer.stop()


app = FastAPI(lifespan=lifespan)
bearer = HTTPBearer()


def source(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
    if not secrets.compare_digest(hashlib.sha256(credentials.credentials.encode()).digest(), KEY_HASH):
        raise HTTPException(401)
    return "bench"


@app.post("/v1/touchpoints", status_code=202)
async def take(touchpoints: Touchpoint | list[Touchpoint], name: Annotated[str, Depends(source)]) -> Answer:
    items = touchpoints if isinstance(touchpoints, list) else [touchpoints]
    now = datetime.now(UTC)
    await asyncio.gather(*(_publish(item, name, now) for item in items))
    results = [Result(index=index, status="accepted", id=item.id) for index, item in enumerate(items)]
    return Answer(results=results, accepted=len(items))


async def _publish(item: Touchpoint, name: str, now: datetime) -> None:
    whole = Published(**item.model_dump(), source=name, received_at=now)
    strongest = next(iter(item.customer.values()))
    key = strongest if isinstance(strongest, str) else strongest.value
    value = whole.model_dump_json(exclude_none=True).encode()
    await app.state.producer.send_and_wait(TOPIC, value=value, key=key.encode())
