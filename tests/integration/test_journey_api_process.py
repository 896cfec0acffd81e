"""The read API as a process: it starts, says where, and ends when asked."""

import asyncio
import os
import subprocess
import sys

import httpx2
import pytest

pytestmark = pytest.mark.local

RUN = """
import asyncio, os, sys
from services.journey.api.app import run
from waymark.rule_cases import read_cases
from services.journey.api.api_settings import ApiProcessSettings

async def say(port):
    print(port, flush=True)

asyncio.run(run(ApiProcessSettings.load(os.environ), cases=read_cases, on_ready=say))
"""


async def test_the_process_says_its_port_and_ends_politely_on_sigterm(database: str) -> None:
    environment = {**os.environ, "WAYMARK_POSTGRES": database, "WAYMARK_JOURNEY_API_PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        port = int(await process.stdout.readline())
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as caller:
            assert (await caller.get("/readyz")).status_code == 200
            assert (await caller.get("/v1/journeys")).status_code == 401
        process.terminate()
        _, errors = await process.communicate()
    assert process.returncode == 0, errors
    assert b"journey api stopped" in errors
