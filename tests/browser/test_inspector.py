"""What a producer sent and what became of it: live, by outcome, from acceptance to the difficulties that rest on it."""

import json
import urllib.error
import urllib.request

import pytest

from tests.browser.conftest import Desk, Opening
from tests.browser.seeds import ask_journey, calls, send
from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(240)]


def send_wrong(stack: WaymarkUp) -> None:
    """Send a touchpoint that is refused: its time is none."""
    ready = stack.ready()
    request = urllib.request.Request(
        f"{ready['ingest']}/v1/touchpoints",
        data=json.dumps({"touchpoints": [{**calls(760)[0], "id": "wrong-1", "occurred_at": "yesterday"}]}).encode(),
        headers={"authorization": f"Bearer {ready['keys']['source']}", "content-type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError, match="422"):
        urllib.request.urlopen(request, timeout=10)


def look(desk: Opening, query: str = "", language: str = "ko-KR", **how: object) -> Desk:
    one = desk(language, **how)
    one.sign_in("reader", f"/inspector{query}")
    one.page.wait_for_selector(".entry")
    return one


def test_a_touchpoint_is_followed_to_the_difficulty_that_rests_on_it(desk: Opening, stack: WaymarkUp) -> None:
    source = ask_journey(stack.ready(), "/v1/customers/customer_id:C-1/timeline")["touchpoints"][0]["source"]
    until_sync(lambda: bool(ask_journey(stack.ready(), f"/v1/touchpoints/{source}/call-1-1")["frictions"]), within=30)
    one = look(desk, "?id=call-1-1")
    one.page.locator(".entry-head").first.focus()
    one.page.keyboard.press("Enter")
    one.until("document.querySelectorAll('.fate [data-state=done]').length === 5")
    assert "다시 문의한 고객" in one.page.locator(".fate").inner_text()
    assert "010-7000" not in one.page.locator("main").inner_text()
    assert one.violations() == []
    one.page.get_by_role("link", name="고객의 이야기").click()
    one.page.wait_for_url("**/customers/*")


def test_what_was_refused_says_how_to_mend_it(desk: Opening, stack: WaymarkUp) -> None:
    send_wrong(stack)
    one = look(desk, "?outcome=rejected,refused")
    one.page.locator(".entry-head", has_text="wrong-1").first.click()
    one.page.wait_for_selector(".mend li")
    assert "occurred_at" in one.page.locator(".mend").inner_text()
    assert one.page.locator(".fate").count() == 0
    assert one.violations() == []


def test_what_comes_stands_there_at_once_and_waits_while_somebody_reads(desk: Opening, stack: WaymarkUp) -> None:
    one = look(desk)
    send(stack.ready(), calls(761)[0])
    one.page.locator(".entry-head", has_text="call-761-0").wait_for()
    one.page.locator(".entry-head", has_text="call-761-0").click()
    top = one.page.locator(".entry-head code").first.inner_text()
    send(stack.ready(), calls(762)[0])
    one.page.get_by_role("button", name="새로 온 1건 보기").wait_for()
    assert one.page.locator(".entry-head code").first.inner_text() == top
    one.page.get_by_role("button", name="새로 온 1건 보기").click()
    assert one.page.locator(".entry-head code").first.inner_text() == "call-762-0"


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
@pytest.mark.parametrize(("dark", "width"), [(False, 1440), (True, 768), (True, 320)])
def test_everybody_can_read_it(desk: Opening, stack: WaymarkUp, language: str, dark: bool, width: int) -> None:
    one = look(desk, "", language, dark=dark, width=width)
    one.page.locator(".entry-head").first.click()
    one.page.wait_for_selector(".entry-body")
    assert one.violations() == []
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    main = "document.querySelector('main')"
    assert one.page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
