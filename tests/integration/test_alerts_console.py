"""What stands at `/` of the alert service: a page of its own, or the way to the console."""

import aiohttp
import pytest

from tests.fixtures.alerts_service import FrictionLog, alerts

pytestmark = pytest.mark.local


async def test_the_console_comes_from_the_package_and_loads_nothing_from_elsewhere(
    database: str, friction_log: FrictionLog
) -> None:
    async with alerts(database, friction_log) as api:
        pages = {target: await api.raw(target) for target in ("/", "/console.css", "/console.js")}

    for status, text, headers in pages.values():
        assert status == 200
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text
        assert "default-src 'none'" in headers["content-security-policy"]
    assert "<script src=" in pages["/"][1]


async def test_the_address_of_the_api_leads_to_the_console_and_not_round_in_a_circle(
    database: str, friction_log: FrictionLog
) -> None:
    public = {"WAYMARK_ALERTS_PUBLIC_URL": "http://desk.example/waymark"}
    async with alerts(database, friction_log, **public) as api, aiohttp.ClientSession() as session:
        async with session.get(api.base + "/", allow_redirects=False) as answer:
            led = (answer.status, answer.headers["location"])
        async with session.get(api.base + "/", headers={"host": "desk.example"}, allow_redirects=False) as answer:
            here = answer.status
        async with session.get(api.base + "/console.css", allow_redirects=False) as answer:
            style = answer.status

    assert led == (302, "http://desk.example/waymark/")
    assert (here, style) == (200, 200)
