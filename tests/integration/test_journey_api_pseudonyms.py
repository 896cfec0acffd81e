"""The read API where ingest publishes pseudonyms: whoever knows the clear identifier finds the customer."""

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from schemas.documents.touchpoint import SEALED_TEXT
from schemas.identifiers.pseudonyms import pseudonym
from services.journey.api.api_settings import ApiSettings
from services.journey.api.app import build
from services.runtime.clock import SystemClock
from services.runtime.credentials.api_keys import KeyKind, mint
from services.runtime.postgres.pools import Pool, acquire
from tests.fixtures.journey_api import WRITTEN_TRIALS, desk_over
from tests.fixtures.journey_rows import Rows, named

pytestmark = pytest.mark.local

SECRET = "a-secret-for-pseudonyms-that-is-long-enough"
PHONE = "+821012345678"
HIDDEN = pseudonym(SECRET.encode(), "phone", PHONE)


async def ask(pool: Pool, reference: str, *, secret: str = SECRET) -> httpx2.Response:
    """Ask for a customer with a reader's key, of an API that has `secret`."""
    key = mint(KeyKind.READER)
    async with acquire(pool) as connection:
        await connection.execute(
            "INSERT INTO journey.api_keys (key_id, kind, secret_hash) VALUES ($1, 'reader', $2)",
            key.key_id,
            key.secret_hash,
        )
    environ = {"WAYMARK_JOURNEY_API_PRIVACY_SECRET": secret}
    app = build(
        pool, ApiSettings.load(environ), SystemClock(), CollectorRegistry(), desk=desk_over(pool), trials=WRITTEN_TRIALS
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {key.text}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://api.test", headers=headers) as client:
        return await client.get(f"/v1/customers/{reference}")


@pytest.mark.parametrize("reference", ["phone:010-1234-5678", f"phone:{PHONE}", f"phone:{HIDDEN}"])
async def test_a_hidden_customer_is_found_by_the_clear_identifier_and_by_the_pseudonym(
    pool: Pool, reference: str
) -> None:
    rows = Rows(pool)
    await rows.customer("somebody")
    await rows.identifier("somebody", "phone", HIDDEN)
    answer = await ask(pool, reference)

    assert answer.status_code == 200, answer.text
    assert answer.json()["customer_id"] == str(named("somebody"))
    assert [one["value"] for one in answer.json()["identifiers"]] == [HIDDEN]
    assert PHONE not in answer.text


async def test_without_the_secret_the_clear_identifier_finds_nobody(pool: Pool) -> None:
    rows = Rows(pool)
    await rows.customer("somebody")
    await rows.identifier("somebody", "phone", HIDDEN)

    assert (await ask(pool, f"phone:{PHONE}", secret="")).status_code == 404


async def test_who_came_before_the_policy_is_still_found(pool: Pool) -> None:
    rows = Rows(pool)
    await rows.customer("before")
    await rows.identifier("before", "phone", PHONE)

    assert (await ask(pool, "phone:010-1234-5678")).json()["customer_id"] == str(named("before"))


async def test_of_two_the_one_behind_the_pseudonym_is_found(pool: Pool) -> None:
    rows = Rows(pool)
    for name, value in (("before", PHONE), ("after", HIDDEN)):
        await rows.customer(name)
        await rows.identifier(name, "phone", value)

    assert (await ask(pool, f"phone:{PHONE}")).json()["customer_id"] == str(named("after"))


async def test_an_encrypted_text_is_in_the_timeline_as_it_is(pool: Pool) -> None:
    rows = Rows(pool)
    await rows.customer("somebody")
    await rows.identifier("somebody", "phone", HIDDEN)
    await rows.touchpoint("somebody", "call-1", 0, attributes={SEALED_TEXT: "sealed:v1:k:AAAA"})
    (found,) = (await ask(pool, f"phone:{PHONE}/timeline")).json()["touchpoints"]

    assert found["sealed_text"] == "sealed:v1:k:AAAA"
    assert found.get("text") is None
