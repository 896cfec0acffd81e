"""One customer's story as people read it: found, told, followed live, and told as it was known before."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from tests.browser.conftest import Desk, Opening
from tests.browser.seeds import ask, ask_journey, calls, send
from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(180)]

PHONE = "010-7000-0001"


def customer_of(stack: WaymarkUp, reference: str = f"phone:{PHONE}") -> str:
    return str(ask_journey(stack.ready(), f"/v1/customers/{quote(reference, safe=':')}")["customer_id"])


def is_one(stack: WaymarkUp, one: str, other: str) -> bool:
    """Whether both identifiers lead to one customer; one that was taken away may lead to nobody."""
    query = f"/v1/identity/why?one={quote(one)}&other={quote(other)}"
    return bool(ask_journey(stack.ready(), query)["one_customer"])


def open_story(one: Desk, customer: str, query: str = "", role: str = "agent", shown: str = ".lanes") -> None:
    one.sign_in(role, f"/customers/{customer}{query}")
    one.page.wait_for_selector(shown)


def test_a_customer_is_found_by_whatever_is_known_and_the_address_gives_nothing_away(
    desk: Opening, stack: WaymarkUp
) -> None:
    customer = customer_of(stack)
    one = desk()
    one.sign_in(path="/customers")
    one.until("document.activeElement.id === 'find'")
    for typed in (PHONE, "C-1", "customer_id:C-1 ", customer):
        one.page.fill("#find", typed)
        one.page.keyboard.press("Enter")
        one.page.wait_for_selector(".lanes")
        one.until("document.activeElement.id === 'main'")
        assert one.page.url == f"{one.url}/customers/{customer}", typed
        one.page.keyboard.press("/")
        one.until("document.activeElement.id === 'find'")
    one.page.fill("#find", "010-9999-0000")
    one.page.keyboard.press("Enter")
    one.until("document.querySelector('#find-problem').textContent.includes('기록이 없습니다')")
    one.complaints.clear()


def test_an_identifier_in_the_address_is_replaced_by_the_id(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    open_story(one, quote(f"phone:{PHONE}", safe=""))
    one.page.wait_for_url(f"**/customers/{customer_of(stack)}")


def test_an_issue_leads_to_its_customer_and_back(desk: Opening) -> None:
    one = desk()
    one.inbox()
    one.page.keyboard.press("j")
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector(".panel .plain")
    issue = one.page.url.rsplit("/", 1)[1]
    one.page.keyboard.press("c")
    one.page.wait_for_selector(".story-side .issues a")
    assert "/customers/" in one.page.url
    links = one.page.locator(".story-side .issues a").evaluate_all("links => links.map((one) => one.pathname)")
    assert f"/issues/{issue}" in links
    one.page.go_back()
    one.page.wait_for_selector(".panel")
    one.page.locator(".panel .to-story").click()
    one.page.wait_for_selector(".lanes")


def test_arrow_keys_walk_through_the_touchpoints_with_their_words_and_difficulties(
    desk: Opening, stack: WaymarkUp
) -> None:
    one = desk()
    open_story(one, customer_of(stack))
    one.page.locator("svg[role=listbox]").focus()
    one.page.keyboard.press("Home")
    one.until("document.querySelector('#dot-0').getAttribute('aria-selected') === 'true'")
    first = one.page.locator(".chosen").inner_text()
    assert "“" not in first
    assert "Where is my parcel?" in first
    assert "통화 종료" in first
    one.page.keyboard.press("ArrowRight")
    one.until("document.querySelector('#dot-1').getAttribute('aria-selected') === 'true'")
    assert "24시간 안에 다시 문의한 고객" in one.page.locator(".chosen").inner_text()
    assert one.page.locator("svg .friction").count() >= 2
    assert one.page.locator("svg path.effort").count() == 1


def test_the_list_tells_the_same_by_journey_and_contact(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    open_story(one, customer_of(stack), "?view=list", shown=".story-list")
    assert one.page.locator(".in-contact").count() == 3
    assert one.page.locator(".story-list .line q").first.inner_text() == "Where is my parcel?"
    assert one.page.locator(".part h2").first.inner_text() == "배송"
    pinned = one.page.locator(".story-list .pins .pin").all_inner_texts()
    listed = one.page.locator(".story-side ol.pins .pin").all_inner_texts()
    assert sorted(pinned, key=int) == sorted(listed, key=int)
    one.page.locator(".story-side ol.pins button").first.click()
    one.until("document.querySelector('.line[data-chosen=true]') !== null")


def test_what_happens_now_is_told_at_once(desk: Opening, stack: WaymarkUp) -> None:
    customer = customer_of(stack, "phone:010-7000-0003")
    one = desk()
    open_story(one, customer)
    one.page.wait_for_selector('.story-page .light[data-state="live"]')
    dots = one.page.locator(".dot").count()
    again = {**calls(3, minutes_ago=-1)[0], "id": f"again-{dots}", "interaction_id": f"again-{dots}"}
    send(stack.ready(), {**again, "occurred_at": datetime.now(UTC).isoformat(), "text": "또 전화했어요"})
    one.until(f"document.querySelectorAll('.dot').length === {dots + 1}")
    one.until("document.querySelector('.announced').textContent.includes('바뀌었습니다')")


def test_as_of_tells_what_was_known_then_and_a_span_leaves_the_rest_out(desk: Opening, stack: WaymarkUp) -> None:
    customer = customer_of(stack, "phone:010-7000-0004")
    before = datetime.now(UTC)
    again = {**calls(4)[0], "id": f"late-{before:%H%M%S%f}", "interaction_id": f"late-{before:%H%M%S%f}"}
    path = f"/v1/customers/{customer}/timeline?limit=200"
    known = len(ask_journey(stack.ready(), path)["touchpoints"])
    send(stack.ready(), {**again, "occurred_at": before.isoformat()})
    until_sync(lambda: len(ask_journey(stack.ready(), path)["touchpoints"]) == known + 1, within=30)
    one = desk()
    open_story(one, customer)
    one.until(f"document.querySelectorAll('.dot').length === {known + 1}")
    open_story_as_of = f"{one.url}/customers/{customer}?as_of={quote(before.isoformat())}"
    one.page.goto(open_story_as_of)
    one.until(f"document.querySelectorAll('.dot').length === {known}")
    assert "알고 있던 대로" in one.page.locator(".as-of").inner_text()
    assert one.page.locator(".story-page .light").count() == 0
    one.page.get_by_role("button", name="현재로").click()
    one.until(f"document.querySelectorAll('.dot').length === {known + 1}")
    until = before - timedelta(seconds=1)
    one.page.goto(f"{one.url}/customers/{customer}?to={quote(until.isoformat())}")
    one.until(f"document.querySelectorAll('.dot').length === {known}")


def test_operators_separate_and_merge_and_agents_only_see_why(desk: Opening, stack: WaymarkUp) -> None:
    customer = customer_of(stack, "phone:010-7000-0006")
    agent = desk()
    open_story(agent, customer)
    agent.page.locator(".why summary").click()
    assert agent.page.locator(".why .plain li").count() == 1
    assert agent.page.get_by_role("button", name="분리").count() == 0

    one = desk()
    open_story(one, customer, role="admin")
    one.page.locator(".why summary").click()
    one.page.get_by_role("button", name="분리").click()
    one.page.wait_for_selector("dialog[open]")
    assert one.violations() == []
    one.page.fill("dialog textarea", "아버지 전화로 주문함")
    one.page.keyboard.press("Tab")
    one.page.click("dialog button.primary")
    one.page.wait_for_selector("dialog", state="detached")
    until_sync(lambda: not is_one(stack, "customer_id:C-6", "phone:+821070000006"), within=30)
    one.page.goto(f"{one.url}/customers/customer_id:C-6")
    one.page.wait_for_selector(".why summary")
    one.page.locator(".why summary").click()
    assert one.page.locator(".why .chip.bad").inner_text() == "담당자가 분리함"
    one.page.get_by_role("button", name="다른 고객과 병합").click()
    one.page.wait_for_selector("dialog[open]")
    one.page.fill("#other", "phone:+821070000006")
    one.page.get_by_role("button", name="결과 미리 보기").click()
    one.page.wait_for_selector("dialog [role=status]")
    assert one.violations() == []
    one.page.fill("dialog textarea", "같은 사람으로 확인")
    one.page.click("dialog button.primary")
    one.page.wait_for_selector("dialog", state="detached")
    until_sync(lambda: is_one(stack, "customer_id:C-6", "phone:+821070000006"), within=30)


def test_identifiers_are_masked_until_somebody_asks(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    open_story(one, customer_of(stack))
    assert "70000001" not in one.page.locator(".known").inner_text()
    one.page.get_by_role("button", name="전체 표시").click()
    one.until("document.querySelector('.known').textContent.includes('+821070000001')")


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("view", ["lanes", "list"])
def test_everybody_can_read_it(desk: Opening, stack: WaymarkUp, language: str, dark: bool, view: str) -> None:
    one = desk(language, dark=dark)
    open_story(one, customer_of(stack), f"?view={view}", "admin", ".lanes, .story-list")
    one.page.locator(".why summary").click()
    assert one.violations() == []


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
@pytest.mark.parametrize("view", ["lanes", "list"])
def test_it_fits_a_small_screen(desk: Opening, stack: WaymarkUp, language: str, view: str) -> None:
    one = desk(language, width=320, height=640)
    open_story(one, customer_of(stack), f"?view={view}&from=2026-01-01T00:00:00Z", "admin", ".lanes, .story-list")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert one.page.evaluate("document.querySelector('main').scrollWidth <= document.querySelector('main').clientWidth")
    assert one.violations() == []


def test_the_korean_story_holds_no_latin_words(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    open_story(one, customer_of(stack, "phone:010-7000-0002"), "?view=list", "admin", ".story-list")
    one.page.locator(".why summary").click()
    said = one.page.evaluate("document.querySelector('main').innerText").replace("C-***2", "").replace("C***", "")
    said = re.sub(r"demo|waymark up \(\w+\)|\((refund|delivery)\)|사유: (refund|delivery)", "", said)
    assert re.findall(r"[A-Za-z_]{2,}", said) == []


def test_it_says_so_when_alerts_is_away(desk: Opening, stack: WaymarkUp) -> None:
    assert ask(stack.ready(), "/v1/issues?limit=1")["issues"]
    one = desk()
    one.page.route("**/api/alerts/**", lambda route: route.fulfill(status=503, json={"code": "alerts_unanswered"}))
    open_story(one, customer_of(stack))
    one.until("document.querySelector('.story-side').textContent.includes('서비스가 응답하지 않습니다')")
    assert one.page.locator(".dot").count() == 3
