"""A real server takes every parameter of libpq that a URL may have, through both drivers."""

from pathlib import Path

import pytest

from services.runtime.addresses.libpq import PARAMETERS
from services.runtime.addresses.postgres_url import problems
from services.runtime.postgres.pools import acquire, close_pool, create_pool
from waymark.console import CommandError
from waymark.database import open_session

pytestmark = pytest.mark.local

ASKED_FOR_TLS = frozenset({"sslcert", "sslkey", "sslrootcert", "sslcrl"})
"""Which need a server with TLS; tests/integration/test_postgres_tls.py has one."""

_HARMLESS = """
    host=127.0.0.1 dbname=waymark application_name=named fallback_application_name=named client_encoding=LATIN1
    options=-c%20geqo%3Doff target_session_attrs=read-write load_balance_hosts=random require_auth=scram-sha-256
    connect_timeout=5 keepalives=1 keepalives_idle=7 keepalives_interval=7 keepalives_count=7 tcp_user_timeout=7000
    sslmode=prefer sslnegotiation=postgres sslpassword=x sslcompression=0 sslsni=1 sslcertmode=allow
    ssl_min_protocol_version=TLSv1.2 ssl_max_protocol_version=TLSv1.3 channel_binding=prefer requirepeer=somebody
    gssencmode=prefer gssdelegation=0 gsslib=gssapi krbsrvname=postgres
    min_protocol_version=3.0 max_protocol_version=3.2
"""
HARMLESS = dict(pair.split("=", 1) for pair in _HARMLESS.split())
AS_WHOM = {"user", "password", "port", "passfile", "service"}
"""Which stand in the URL already, or in files."""


def test_every_parameter_is_tried_here_or_there_is_a_reason_why_not() -> None:
    refused = {name for name, parameter in PARAMETERS.items() if parameter.refusal("") is not None}

    assert PARAMETERS.keys() - HARMLESS.keys() == refused | ASKED_FOR_TLS | AS_WHOM


@pytest.mark.parametrize("name", HARMLESS)
async def test_the_services_and_the_commands_come_in_with_it(name: str, postgres_url: str) -> None:
    url = f"{postgres_url}?{name}={HARMLESS[name]}"
    if name == "dbname":
        url = postgres_url

    assert problems(url) == []
    async with open_session(url, "test") as connection:
        assert await connection.fetchval("SELECT '한'") == "한"
    pool = await create_pool(url, application_name="test", size=1)
    try:
        async with acquire(pool) as connection:
            assert await connection.fetchval("SELECT '한'") == "한"
            assert await connection.fetchval("SELECT current_setting('geqo')") == ("off" if name == "options" else "on")
    finally:
        await close_pool(pool)


async def test_a_demand_that_the_server_does_not_meet_is_told_by_a_command_before_it_works(postgres_url: str) -> None:
    with pytest.raises(CommandError, match=r"cannot be used: .* channel binding"):
        async with open_session(f"{postgres_url}?channel_binding=require", "test"):
            pass


async def test_a_server_that_is_not_what_the_url_asks_for_is_reported(postgres_url: str) -> None:
    with pytest.raises(CommandError, match=r"cannot be used: .* target_session_attrs"):
        async with open_session(f"{postgres_url}?target_session_attrs=standby", "test"):
            pass


async def test_a_file_of_passwords_is_read_by_both(postgres_url: str, tmp_path: Path) -> None:
    credentials, _, place = postgres_url.rpartition("@")
    user, _, password = credentials.partition("://")[2].partition(":")
    file = tmp_path / "passwords"
    file.write_text(f"*:*:*:{user}:{password}\n")
    file.chmod(0o600)
    url = f"postgresql://{user}@{place}?passfile={file}"

    async with open_session(url, "test") as connection:
        assert await connection.fetchval("SELECT 1") == 1
    pool = await create_pool(url, application_name="test", size=1)
    await close_pool(pool)
