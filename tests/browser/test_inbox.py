"""The inbox as people use it: by keyboard, beside others, in both languages, on any screen."""

import re

import pytest

from tests.browser.conftest import Desk, Opening
from tests.browser.seeds import ask, calls, open_issues, send
from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(180)]


def test_a_wrong_key_is_explained_and_a_right_one_is_kept_from_scripts(desk: Opening) -> None:
    one = desk()
    one.page.goto(one.url)
    one.page.fill("#key", "wm_agent_no_body")
    one.page.keyboard.press("Enter")
    one.until("document.querySelector('#door-problem').textContent.includes('열 수 없습니다')")
    assert one.page.evaluate("document.activeElement.id") == "key"

    one.inbox()
    kept = one.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "wm_" not in kept
    one.page.reload()
    one.page.wait_for_selector(".row")
    one.page.get_by_role("button", name="로그아웃").click()
    one.page.wait_for_selector("#key")
    one.page.reload()
    one.page.wait_for_selector("#key")


def test_everything_goes_by_keyboard(desk: Opening) -> None:
    one = desk()
    one.inbox()
    one.page.keyboard.press("j")
    one.until("document.activeElement.matches('.row')")
    first = one.focused()
    one.page.keyboard.press("j")
    one.until(f"document.activeElement.dataset.id !== '{first}'")
    one.page.keyboard.press("k")
    one.until(f"document.activeElement.dataset.id === '{first}'")
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector(".panel .todo")
    assert one.page.url.endswith(f"/issues/{first}")
    one.page.keyboard.press("Escape")
    one.until(f"document.activeElement.dataset.id === '{first}'")
    one.page.keyboard.press("?")
    one.page.wait_for_selector("dialog[open]")
    one.page.keyboard.press("Escape")
    one.page.wait_for_selector("dialog", state="detached")


def test_who_takes_an_issue_has_it_and_another_desk_sees_it_without_losing_the_focus(
    desk: Opening, stack: WaymarkUp
) -> None:
    other, one = desk(), desk()
    other.inbox("admin")
    other.page.keyboard.press("j")
    other.page.keyboard.press("j")
    other.until("document.activeElement.matches('.row')")
    held = other.focused()
    one.inbox()
    one.page.keyboard.press("j")
    one.until("document.activeElement.matches('.row')")
    taken = one.focused()
    one.page.keyboard.press("a")
    one.until(f"document.querySelector('#row-{taken} .to-owner').textContent.startsWith('나')")

    other.until(f"document.querySelector('#row-{taken} .to-owner').textContent.includes('agent')")
    assert other.focused() == held
    assert ask(stack.ready(), f"/v1/issues/{taken}")["owner"] == "waymark up (agent)"
    one.page.keyboard.press("u")
    one.until(f"!document.querySelector('#row-{taken} .to-owner').textContent.startsWith('나')")


def test_a_resolution_can_be_undone_and_nobody_was_told(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    one.inbox()
    one.page.keyboard.press("j")
    one.until("document.activeElement.matches('.row')")
    gone = one.focused()
    one.page.keyboard.press("e")
    one.page.wait_for_selector("dialog[open]")
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector(f"#row-{gone}", state="detached")
    one.until("document.activeElement.matches('.row')")
    assert ask(stack.ready(), f"/v1/issues/{gone}")["state"] != "resolved"
    one.page.keyboard.press("u")
    one.page.wait_for_selector(f"#row-{gone}")
    assert ask(stack.ready(), f"/v1/issues/{gone}")["state"] != "resolved"


def test_what_was_resolved_is_sent_when_the_page_goes(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    one.inbox()
    one.page.keyboard.press("j")
    one.until("document.activeElement.matches('.row')")
    gone = one.focused()
    one.page.keyboard.press("e")
    one.page.wait_for_selector("dialog[open]")
    one.page.get_by_label("보상함").check()
    one.page.fill("dialog textarea", "쿠폰을 드림")
    one.page.click("dialog button.primary")
    one.page.wait_for_selector(f"#row-{gone}", state="detached")
    one.page.goto("about:blank")

    until_sync(lambda: ask(stack.ready(), f"/v1/issues/{gone}")["state"] == "resolved", within=15)
    issue = ask(stack.ready(), f"/v1/issues/{gone}")
    assert (issue["resolution"], issue["resolved_by"]) == ("compensated", "waymark up (agent)")


def test_filters_stand_in_the_address_and_go_back(desk: Opening, stack: WaymarkUp) -> None:
    query = "state=open&channel=chat&quiet=false&held=false&sort=priority"
    found = [issue["id"] for issue in ask(stack.ready(), f"/v1/issues?{query}")["issues"]]
    one = desk()
    one.inbox()
    one.page.get_by_role("button", name="담당 없음").click()
    one.page.wait_for_url("**/?view=untaken")
    one.page.select_option("select[data-name=channel]", "chat")
    one.page.wait_for_url("**/?view=untaken&channel=chat")
    shown = "JSON.stringify([...document.querySelectorAll('.row')].map((row) => row.dataset.id))"
    one.until(f"{shown} === JSON.stringify({found})")
    one.page.reload()
    one.until(f"{shown} === JSON.stringify({found})")
    one.page.locator(".row").first.click()
    one.page.wait_for_selector(".panel h1")
    assert one.page.url.endswith("?view=untaken&channel=chat")
    one.page.go_back()
    one.page.wait_for_selector(".panel", state="detached")


def test_words_find_issues_and_a_telephone_number_finds_its_customers_issues(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    one.inbox()
    one.page.keyboard.press("/")
    one.until("document.activeElement.id === 'search'")
    one.page.keyboard.type("REFUND")
    one.page.keyboard.press("Enter")
    one.page.wait_for_url("**/?q=REFUND*")
    query = "state=unresolved&q=refund&quiet=false&held=false&sort=priority"
    found = [issue["id"] for issue in ask(stack.ready(), f"/v1/issues?{query}")["issues"]]
    shown = "JSON.stringify([...document.querySelectorAll('.row')].map((row) => row.dataset.id))"
    one.until(f"{shown} === JSON.stringify({found})")
    one.page.fill("#search", "010-7000-0002")
    one.page.keyboard.press("Enter")
    one.page.wait_for_url("**/?customer=*")
    customer = one.page.url.rsplit("=", 1)[1]
    one.until("document.querySelectorAll('.row').length >= 1")
    ids = one.page.locator(".row").evaluate_all("rows => rows.map((row) => row.dataset.id)")
    assert {ask(stack.ready(), f"/v1/issues/{one_id}")["customer_id"] for one_id in ids} == {customer}
    one.page.locator(".narrowed").click()
    one.until("!location.search.includes('customer')")


def choose_two(one: Desk) -> None:
    """Choose the row that has the focus and the next one by keyboard, faster than the page draws."""
    for key in "xjx":
        one.page.keyboard.press(key)
    one.until("document.querySelectorAll('.row[data-chosen=\"true\"]').length === 2")
    one.page.wait_for_selector(".bulk")


def test_many_are_snoozed_by_one_deed_that_can_be_undone(desk: Opening, stack: WaymarkUp) -> None:
    send(stack.ready(), *(touchpoint for number in (61, 64) for touchpoint in calls(number)))
    path = "/v1/issues?state=unresolved&reason=delivery&quiet=false&held=false&snoozed=false"
    until_sync(lambda: len(ask(stack.ready(), path)["issues"]) >= 2, within=30)
    one = desk()
    one.inbox(path="/?reason=delivery")
    one.page.keyboard.press("j")
    one.until("document.activeElement.matches('.row')")
    choose_two(one)
    chosen = one.page.locator('.row[data-chosen="true"]').evaluate_all("rows => rows.map((row) => row.dataset.id)")
    assert len(chosen) == 2
    assert one.violations() == []
    one.page.keyboard.press("s")
    one.page.wait_for_selector("dialog[open]")
    assert "2건 선택" in one.page.locator("dialog").inner_text()
    one.page.get_by_role("button", name="1시간").click()
    one.page.wait_for_selector(".notice button")
    one.page.keyboard.press("u")
    one.until("document.querySelector('.announced').textContent.includes('되돌렸습니다')")
    one.until("document.querySelectorAll('.row[data-gone=\"false\"]').length >= 2")
    for _ in range(2):
        one.page.keyboard.press("k")
    choose_two(one)
    chosen = one.page.locator('.row[data-chosen="true"]').evaluate_all("rows => rows.map((row) => row.dataset.id)")
    one.page.keyboard.press("s")
    one.page.get_by_role("button", name="15분").click()
    one.page.wait_for_selector(".notice button")
    one.page.goto("about:blank")
    until_sync(
        lambda: all(ask(stack.ready(), f"/v1/issues/{issue}").get("snoozed_until") for issue in chosen), within=20
    )
    one.page.goto(f"{one.url}/?view=snoozed")
    for issue in chosen:
        one.page.wait_for_selector(f"#row-{issue}")


def test_new_issues_wait_until_somebody_asks_for_them(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    one.inbox()
    one.page.keyboard.press("j")
    one.until("document.activeElement.matches('.row')")
    held = one.focused()
    before = one.page.locator(".row").evaluate_all("rows => rows.map((row) => row.dataset.id)")
    send(stack.ready(), *calls(100 + open_issues(stack.ready())))
    one.page.wait_for_selector(".fresh")

    assert one.focused() == held
    assert one.page.locator(".row").evaluate_all("rows => rows.map((row) => row.dataset.id)") == before
    assert "새 이슈" in one.page.locator(".announced").inner_text()
    one.page.keyboard.press("r")
    one.page.wait_for_selector(".fresh", state="detached")
    one.until(f"document.querySelectorAll('.row').length > {len(before)}")


def test_a_restart_of_the_console_signs_nobody_out(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    one.inbox()
    stack.child("serve", "console").kill()
    one.page.wait_for_selector('.light[data-state="lost"]')
    one.page.wait_for_selector('.light[data-state="live"]', timeout=40_000)
    one.page.reload()
    one.page.wait_for_selector(".row")


def test_a_link_of_a_message_opens_its_issue(desk: Opening, stack: WaymarkUp) -> None:
    issue = ask(stack.ready(), "/v1/issues?state=unresolved&limit=1")["issues"][0]["id"]
    one = desk()
    one.sign_in(path=f"/#{issue}")
    one.page.wait_for_selector(".panel .plain")
    assert one.page.url == f"{one.url}/issues/{issue}"


def test_whether_an_issue_was_of_use_is_said_kept_and_counted(desk: Opening, stack: WaymarkUp) -> None:
    issue = ask(stack.ready(), "/v1/issues?state=unresolved&outbreaks=false&limit=1")["issues"][0]
    path = f"/v1/issues/{issue['id']}/feedback"
    one = desk()
    one.sign_in(path=f"/issues/{issue['id']}")
    one.page.get_by_role("button", name="불필요한 알림").click()
    pressed = '.panel [aria-labelledby="of-use"] [aria-pressed="true"]'
    one.page.wait_for_selector(pressed)
    assert ask(stack.ready(), path)["feedback"] == "noise"
    one.page.get_by_role("button", name="유용함").click()
    one.until(f"document.querySelector('{pressed}').textContent === '유용함'")
    assert one.violations() == []
    assert ask(stack.ready(), path)["feedback"] == "useful"
    said = ask(stack.ready(), f"/v1/feedback?rule={issue['rules'][0]}")["counts"]
    assert sum(each["useful"] for each in said) >= 1
    one.page.goto(f"{one.url}/rules?q={issue['rules'][0]}")
    one.page.wait_for_selector("tbody tr")
    one.until(f"document.querySelector('tbody').innerText.includes('{said[-1]['useful']} · {said[-1]['noise']}')")


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_read_and_reach_everything(desk: Opening, language: str, dark: bool) -> None:
    one = desk(language, dark=dark)
    one.page.goto(one.url)
    one.page.wait_for_selector("#key")
    assert one.violations() == []
    one.inbox()
    assert one.violations() == []
    one.page.keyboard.press("j")
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector(".panel .plain")
    assert one.violations() == []
    for key in ("e", "s", "n", "?"):
        one.page.keyboard.press(key)
        one.page.wait_for_selector("dialog[open]")
        assert one.violations() == [], key
        one.page.keyboard.press("Escape")
        one.page.wait_for_selector("dialog", state="detached")


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
def test_nothing_is_cut_off_on_a_small_screen(desk: Opening, language: str) -> None:
    one = desk(language, width=320, height=640)
    one.inbox()
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert one.violations() == []
    one.page.locator(".row").first.click()
    one.page.wait_for_selector(".panel .plain")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert one.violations() == []
    one.page.get_by_role("button", name="닫기" if language == "ko-KR" else "Close").click()
    one.page.wait_for_selector(".row")


OF_OTHERS = re.compile(r"Waymark|English|waymark up \(\w+\)|고객 [0-9a-f]{6}|\b[0-9a-f]{6}\b")


def test_korean_pages_hold_no_latin_words(desk: Opening) -> None:
    one = desk()
    one.inbox("admin")
    one.page.keyboard.press("j")
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector(".panel .plain")
    one.page.evaluate("document.querySelectorAll('kbd').forEach((key) => key.remove())")
    said = OF_OTHERS.sub("", one.page.evaluate("document.body.innerText"))
    for reason in ("billing", "delivery", "refund", "returns", "payment", "login"):
        said = said.replace(f"({reason})", "").replace(f"사유: {reason}", "")

    assert re.findall(r"[A-Za-z_]{2,}", said) == []


def test_both_languages_say_the_same_things(desk: Opening) -> None:
    one = desk()
    one.sign_in()
    shapes = one.page.evaluate(
        """async () => {
          const shape = (value, path = "") => {
            if (typeof value === "function") return [`${path}(${value.length})`];
            if (!value || typeof value !== "object") return [path];
            return Object.keys(value).sort().flatMap((key) => shape(value[key], `${path}.${key}`));
          };
          const [en, ko] = await Promise.all([import("./static/texts/en.js"), import("./static/texts/ko.js")]);
          return [shape(en.default), shape(ko.default)];
        }"""
    )

    assert shapes[0] == shapes[1]
    assert len(shapes[0]) > 150


def test_a_page_runs_nothing_that_is_not_ours(desk: Opening) -> None:
    one = desk()
    one.sign_in()
    stopped = one.page.evaluate(
        """async () => {
          await new Promise((done) => setTimeout(done, 10));  // out of the driver's own call, which may do anything
          const said = [];
          const wrongs = [
            () => { document.body.innerHTML = "<b>x</b>"; },
            () => { new Function("1")(); },
            () => { document.createElement("script").text = "window.hurt = 1"; },
            () => { setTimeout("window.hurt = 1"); },
          ];
          for (const wrong of wrongs) {
            try { wrong(); said.push("ran"); } catch (error) { said.push(error.name); }
          }
          return [said, window.hurt ?? null];
        }"""
    )
    assert "ran" not in stopped[0]
    assert stopped[1] is None
    one.complaints.clear()
