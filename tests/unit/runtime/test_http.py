import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ConfigDict

from services.runtime.http.application import MAX_BODY_BYTES, build_api
from services.runtime.http.problems import FieldProblem, Problem
from services.runtime.http.server import serving
from services.runtime.telemetry.health import CheckResult, HealthChecks

JSON = {"content-type": "application/json"}


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int


@pytest.fixture
async def health() -> HealthChecks:
    async def database() -> CheckResult:
        return CheckResult(name="postgres", ok=True)

    return HealthChecks(registry=CollectorRegistry(), ready=[database])


def _add_more(app: FastAPI) -> None:
    @app.delete("/v1/items/{number}")
    async def forget(number: int) -> dict[str, int]:
        return {"number": number}

    @app.get("/v1/things/{thing}")
    async def one(thing: UUID) -> dict[str, UUID]:
        return {"thing": thing}

    @app.post("/v1/bodies")
    async def take(body: Body) -> Body:
        return body

    @app.get("/v1/endless")
    async def endless() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield b": still here\n\n"
                await asyncio.sleep(60)

        return StreamingResponse(pieces(), headers={"content-type": "text/event-stream"})


@pytest.fixture
async def client(health: HealthChecks) -> AsyncIterator[httpx2.AsyncClient]:
    app = build_api(title="Sample", description="A sample.", version="1", health=health)

    @app.get("/v1/items/{number}")
    async def item(number: int) -> dict[str, int]:
        return {"number": number}

    _add_more(app)

    @app.get("/v1/refused")
    async def refused() -> None:
        raise Problem(409, "taken", "Take another.", errors=[FieldProblem(path="a.b", code="taken", message="Taken.")])

    @app.get("/v1/bug")
    async def bug() -> None:
        raise RuntimeError("secret detail")

    async with (
        serving(app, "127.0.0.1", 0, drain_s=5) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as session,
    ):
        yield session


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        pytest.param("/v1/items/seven", 422, "invalid_request", id="validation"),
        pytest.param("/v1/refused", 409, "taken", id="problem"),
        pytest.param("/v1/nowhere", 404, "no_such_route", id="unknown route"),
        pytest.param(
            *("/v1/bug", 500, "internal_error"),
            id="bug",
            marks=pytest.mark.logs_error("request failed", "Exception in ASGI application"),
        ),
    ],
)
async def test_every_error_is_a_problem_document_with_code_and_message(
    client: httpx2.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await client.get(path)
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, document["status"], document["code"]) == (status, status, code)
    assert document["message"]
    assert "seven" not in answer.text
    assert "secret detail" not in answer.text


async def test_a_wrong_method_names_the_right_ones(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/v1/items/1")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


async def test_the_docs_ask_nothing_of_the_internet(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert "http://" not in page
    assert "https://" not in page
    assert (await client.get("/static-offline-docs/swagger-ui-bundle.js")).status_code == 200


async def test_metrics_carry_the_template_and_never_the_path(client: httpx2.AsyncClient) -> None:
    await client.get("/v1/items/77441")
    text = (await client.get("/metrics")).text
    assert 'route="/v1/items/{number}"' in text
    assert "77441" not in text


async def test_readiness_names_each_check_and_fails_while_draining(
    client: httpx2.AsyncClient, health: HealthChecks
) -> None:
    answer = await client.get("/readyz?verbose")
    assert (answer.status_code, answer.text) == (200, "[+] postgres\nok\n")
    health.draining = True
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "draining" in answer.text
    assert (await client.get("/livez")).status_code == 200


async def test_leaving_finishes_the_requests_that_are_open() -> None:
    app = build_api(title="S", description="S", version="1", health=HealthChecks(registry=CollectorRegistry()))
    entered = asyncio.Event()

    @app.get("/v1/slow")
    async def slow() -> dict[str, bool]:
        entered.set()
        await asyncio.sleep(0.2)
        return {"done": True}

    async with httpx2.AsyncClient() as session:
        async with serving(app, "127.0.0.1", 0, drain_s=5) as port:
            answer = asyncio.create_task(session.get(f"http://127.0.0.1:{port}/v1/slow"))
            await entered.wait()
        assert (await answer).json() == {"done": True}


async def test_an_address_in_use_is_said_plainly() -> None:
    app = build_api(title="S", description="S", version="1", health=HealthChecks(registry=CollectorRegistry()))
    async with serving(app, "127.0.0.1", 0) as port:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(app, "127.0.0.1", port):
                pass


@pytest.mark.parametrize("path", ["/v1/items/1", "/docs", "/openapi.json", "/livez", "/metrics", "/v1/nowhere"])
async def test_head_is_get_without_the_body(client: httpx2.AsyncClient, path: str) -> None:
    got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":  # which count the request before
        assert head.headers["content-length"] == got.headers["content-length"]


async def test_head_of_a_stream_ends_at_once(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(5):
        head = await client.head("/v1/endless")
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "text/event-stream", b"")


async def test_what_is_no_uuid_is_not_repeated_by_a_single_character(client: httpx2.AsyncClient) -> None:
    [problem] = (await client.get("/v1/things/가")).json()["errors"]
    assert problem == {"path": "path.thing", "code": "uuid_parsing", "message": "Input should be a valid UUID"}


async def test_head_is_measured_by_its_route(client: httpx2.AsyncClient) -> None:
    await client.head("/v1/items/7")
    text = (await client.get("/metrics")).text
    assert 'waymark_http_requests_total{code_class="2xx",method="HEAD",route="/v1/items/{number}"} 1.0' in text


async def test_allow_names_the_methods_of_every_route_of_an_address(client: httpx2.AsyncClient) -> None:
    refused = await client.put("/v1/items/1")
    asked = await client.options("/v1/items/1")
    assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")
    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, "DELETE, GET, HEAD, OPTIONS", b"")
    assert (await client.options("/v1/nowhere")).status_code == 404


async def test_a_slash_too_many_leads_back_relatively(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/docs/?deep=1", headers={"host": "elsewhere.example"})
    assert (answer.status_code, answer.headers["location"]) == (307, "../docs?deep=1")
    assert (await client.get("/v1/items/1/")).status_code == 404, "an address with parameters is not repeated"


async def test_a_body_that_is_too_large_is_a_problem_document_too(client: httpx2.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    announced = await client.post("/v1/bodies", content=b" " * (MAX_BODY_BYTES + 1))
    unannounced = await client.post("/v1/bodies", content=pieces())
    for answer in (announced, unannounced):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_names_that_no_program_gives_are_not_repeated(client: httpx2.AsyncClient) -> None:
    for name in ("hong@mail.example", "\ud800", "wm_admin_0123456789ab", "x" * 400):
        answer = await client.post("/v1/bodies", content=json.dumps({"number": 1, name: 1}).encode(), headers=JSON)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["path"] in {"body.?", "body"}
        assert name not in answer.text
    answer = await client.post("/v1/bodies", json={"number": 1, "nubmer": 1})
    assert answer.json()["errors"][0]["path"] == "body.nubmer"
