"""The pages that look at the whole: outbreaks, the rules, and whether it is well."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.browser.conftest import Opening
from tests.browser.seeds import ask, ask_journey, send
from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(240)]

PAGES = ("/outbreaks", "/rules", "/pipeline")


def declined(customer: str, at: datetime) -> list[dict[str, Any]]:
    """Three payments of one order that fail within seconds."""
    return [
        {
            "id": f"declined-{customer}-{turn}",
            "occurred_at": (at + timedelta(seconds=turn)).isoformat(),
            "channel": "web",
            "kind": "payment_declined",
            "outcome": "gateway_timeout",
            "reason": "payment",
            "customer": {"customer_id": customer},
            "refs": {"order_id": f"A-{customer}"},
        }
        for turn in range(3)
    ]


def meet_one_cause(stack: WaymarkUp, customers: int = 30) -> None:
    """Have the payments of very many customers fail within minutes, and wait for the outbreak.

    One fails long before: what is usual must have been seen for a while before anything is an outbreak.
    """
    if ask(stack.ready(), "/v1/outbreaks")["outbreaks"]:
        return
    began = datetime.now(UTC) - timedelta(minutes=4)
    send(stack.ready(), *declined("O-before", began - timedelta(hours=1)))
    for half in range(2):
        numbers = range(half * customers // 2, (half + 1) * customers // 2)
        send(
            stack.ready(),
            *(one for number in numbers for one in declined(f"O-{number}", began + timedelta(seconds=5 * number))),
        )
    until_sync(lambda: bool(ask(stack.ready(), "/v1/outbreaks")["outbreaks"]), within=90)


def test_an_outbreak_is_told_with_its_trend_and_leads_to_what_it_holds(desk: Opening, stack: WaymarkUp) -> None:
    meet_one_cause(stack)
    one = desk()
    one.sign_in(path="/outbreaks")
    one.page.wait_for_selector("article .facts")
    one.until("document.querySelector('article .segments')", within=60)  # these are counted a little later
    told = one.page.locator("article").first.inner_text()
    assert "동시 다발: 결제가 거듭 거절된 고객" in told
    assert "채널" in told
    assert one.page.locator("article .trend rect").count() >= 2
    assert one.page.locator(".truth").inner_text()
    one.page.locator("article h2 a").first.click()
    one.page.wait_for_selector(".panel h1")


def test_rules_are_listed_with_what_they_found_and_their_history(desk: Opening, stack: WaymarkUp) -> None:
    rules = ask_journey(stack.ready(), "/v1/rules")["rules"]
    on = [rule for rule in rules if rule["enabled"]]
    one = desk()
    one.sign_in(path="/rules")
    one.page.wait_for_selector("tbody tr")
    assert one.page.locator("tbody tr").count() == len(on)
    one.page.get_by_role("button", name="전체").click()
    one.until(f"document.querySelectorAll('tbody tr').length === {len(rules)}")
    assert "on=all" in one.page.url
    one.page.fill("input[type=search]", "long_wait")
    one.until("document.querySelectorAll('tbody tr').length === 1")
    one.page.get_by_role("button", name="오래 기다린 고객").click()
    one.page.wait_for_selector(".whole-rule pre")
    assert '"wait_s"' in one.page.locator(".whole-rule pre").inner_text()
    assert one.violations() == []
    assert "버전 1" in one.page.locator(".history").inner_text()
    one.page.reload()
    one.until("document.querySelectorAll('tbody tr').length === 1")


def test_health_says_in_one_sentence_that_nobody_is_told_and_how_to_mend_it(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    one.sign_in("reader", "/pipeline")
    one.page.wait_for_selector(".chain .link")
    assert "알림 받을 곳이 없어" in one.page.locator(".truth").inner_text()
    assert "알림 주소를 추가하세요" in one.page.locator(".findings").inner_text()
    states = one.page.locator(".chain .link").evaluate_all("links => links.map((one) => one.dataset.state)")
    assert states == ["ready", "ready", "ready", "doubtful"]
    assert "지연" in one.page.locator(".chain").inner_text()


def test_health_names_the_service_that_does_not_answer(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    one.page.route("**/api/ingest/**", lambda route: route.fulfill(status=503, json={"code": "ingest_unanswered"}))
    behind = {"at": "2026-11-30T00:10:00Z", "partitions": 8, "waiting": 0, "complete_until": "2026-11-30T00:00:00Z"}
    one.page.route("**/api/journey/v1/pipeline", lambda route: route.fulfill(json=behind))
    one.sign_in(path="/pipeline")
    one.page.wait_for_selector(".findings li")
    assert one.page.locator(".truth").inner_text() == "수집 서비스가 응답하지 않습니다."
    assert "불편을 10분 늦게 찾고 있습니다." in one.page.locator(".findings").inner_text()
    assert one.violations() == []


def test_an_endpoint_that_hears_nothing_is_named_with_the_time(desk: Opening, stack: WaymarkUp) -> None:
    since = datetime.now(UTC).replace(hour=0, minute=3, second=0, microsecond=0).isoformat()
    silent = {"id": "e", "name": "desk-seoul", "reason": "unreachable", "since": since, "catch_all": True}
    hearing = {"endpoints": 2, "living": 1, "silent": [{**silent, "waiting": 7}], "unheard": [], "unheard_issues": 0}
    one = desk()
    one.page.route("**/api/alerts/v1/hearing", lambda route: route.fulfill(json=hearing))
    one.sign_in(path="/pipeline")
    one.page.wait_for_selector(".findings li")
    assert re.search(
        r"desk-seoul: .*09:03부터 알림을 받지 못합니다. 알림 7건 대기", one.page.locator(".truth").inner_text()
    )


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_read_them(desk: Opening, stack: WaymarkUp, language: str, dark: bool) -> None:
    meet_one_cause(stack)
    one = desk(language, dark=dark)
    one.sign_in()
    for path in PAGES:
        one.page.goto(one.url + path)
        one.page.wait_for_selector("article, tbody tr, .chain .link")
        assert one.violations() == [], path


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
def test_they_fit_a_small_screen(desk: Opening, stack: WaymarkUp, language: str) -> None:
    meet_one_cause(stack)
    one = desk(language, width=320, height=640)
    one.sign_in()
    for path in PAGES:
        one.page.goto(one.url + path)
        one.page.wait_for_selector("article, tbody tr, .chain .link")
        assert one.page.evaluate("document.documentElement.scrollWidth") <= 320, path
        main = "document.querySelector('main')"
        assert one.page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth"), path
        assert one.violations() == [], path


def test_the_pages_are_reached_by_keyboard(desk: Opening) -> None:
    one = desk()
    one.sign_in()
    for name, shown in (("동시 다발", "/outbreaks"), ("규칙", "/rules"), ("상태", "/pipeline")):
        one.page.get_by_role("navigation").get_by_role("link", name=name).focus()
        one.page.keyboard.press("Enter")
        one.page.wait_for_url(f"**{shown}")
        one.until(f"document.title.startsWith('{name}')")
