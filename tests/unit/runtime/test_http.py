import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from services.runtime.health import CheckResult, Health
from services.runtime.http import FieldProblem, Problem, build_api, serving


@pytest.fixture
async def health() -> Health:
    async def database() -> CheckResult:
        return CheckResult(name="postgres", ok=True)

    return Health(registry=CollectorRegistry(), ready=[database])


@pytest.fixture
async def client(health: Health) -> AsyncIterator[httpx2.AsyncClient]:
    app = build_api(title="Sample", description="A sample.", version="1", health=health)

    @app.get("/v1/items/{number}")
    async def item(number: int) -> dict[str, int]:
        return {"number": number}

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
        pytest.param("/v1/bug", 500, "internal_error", id="bug"),
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


async def test_readiness_names_each_check_and_fails_while_draining(client: httpx2.AsyncClient, health: Health) -> None:
    answer = await client.get("/readyz?verbose")
    assert (answer.status_code, answer.text) == (200, "[+] postgres\nok\n")
    health.draining = True
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "draining" in answer.text
    assert (await client.get("/livez")).status_code == 200


async def test_leaving_finishes_the_requests_that_are_open() -> None:
    app = build_api(title="S", description="S", version="1", health=Health(registry=CollectorRegistry()))
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
    app = build_api(title="S", description="S", version="1", health=Health(registry=CollectorRegistry()))
    async with serving(app, "127.0.0.1", 0) as port:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(app, "127.0.0.1", port):
                pass
