"""A rule is changed in the console: mistakes as somebody types, a trial on stored customers, in force, and back."""

import psycopg
import pytest

from tests.browser.conftest import Desk, Opening
from tests.browser.seeds import ask_journey, calls, send
from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(240)]

RULE = "repeat_contact_24h"
TEXT = ".rule-text"
SOUND = "#mistakes[aria-busy=false] .good"


def edit(desk: Opening, language: str = "ko-KR", role: str = "admin", rule: str = RULE, **how: object) -> Desk:
    """A desk with a rule open to change, and checked."""
    one = desk(language, **how)
    one.sign_in(role, f"/rules/{rule}")
    one.page.wait_for_selector(SOUND)
    return one


def whole(stack: WaymarkUp, rule: str = RULE) -> dict[str, object]:
    """The rule as it is in force."""
    found: dict[str, object] = ask_journey(stack.ready(), f"/v1/rules/{rule}")["rule"]
    return found


def single_calls(stack: WaymarkUp) -> int:
    """How many of those who called once the worker has applied."""
    with psycopg.connect(stack.ready()["postgres"]) as connection:
        row = connection.execute("SELECT count(*) FROM journey.touchpoints WHERE id ~ '^call-7[01].-0$'").fetchone()
    return int(row[0]) if row else 0


def test_every_shipped_rule_as_text_says_the_same(desk: Opening, stack: WaymarkUp) -> None:
    one = edit(desk)
    said = one.page.evaluate(
        """async () => {
          const { composed, written } = await import(new URL("static/rule_text.js", document.baseURI));
          const { call } = await import(new URL("static/session.js", document.baseURI));
          const { rules } = await call("GET", "api/journey/v1/rules/file");
          const { text } = composed(rules, rules[3].id, written(rules[3]));
          return [rules.length, await call("POST", "api/journey/v1/rules/check", { text })];
        }"""
    )
    assert said[0] > 50
    assert said[1]["changes"] == {"new": [], "gone": [], "on": [], "off": [], "changed": {}}


def test_the_form_and_the_text_are_one(desk: Opening, stack: WaymarkUp) -> None:
    one = edit(desk)
    least = one.page.get_by_label("최소 횟수")
    assert least.input_value() == "2"
    least.fill("4")
    assert "at_least: 4\n" in one.page.locator(TEXT).input_value()
    text = one.page.locator(TEXT).input_value()
    one.page.fill(TEXT, text.replace("within: 24h", "within: 12h"))
    assert one.page.get_by_label("기간", exact=True).first.input_value() == "12"
    one.page.get_by_label("기간 단위").select_option("m")
    assert "within: 12m\n" in one.page.locator(TEXT).input_value()
    one.page.get_by_role("button", name="변경 취소").click()
    assert "at_least: 2\n" in one.page.locator(TEXT).input_value()


def test_mistakes_are_told_as_somebody_types_and_lead_to_their_line(desk: Opening, stack: WaymarkUp) -> None:
    one = edit(desk)
    text = one.page.locator(TEXT).input_value()
    one.page.fill(TEXT, text.replace("at_least:", "at_lest:"))
    one.page.wait_for_selector(".mistakes li")
    said = one.page.locator(".mistakes").inner_text()
    assert "at_least을(를) 쓰려고 했나요?" in said
    line = next(at for at, row in enumerate(text.split("\n"), 1) if row.startswith("at_least"))
    assert one.page.get_by_role("button", name="적용", exact=True).is_disabled()
    assert one.page.get_by_role("button", name="시험", exact=True).is_disabled()
    one.page.locator(".mistakes button", has_text=f"{line}번째 줄").first.click()
    area = f"document.querySelector('{TEXT}')"
    assert one.page.evaluate(f"{area}.value.slice({area}.selectionStart, {area}.selectionEnd)") == "at_lest: 2"
    assert one.violations() == []
    one.page.fill(TEXT, text)
    one.page.wait_for_selector(SOUND)


def test_a_rule_is_tried_on_the_last_week_and_the_customers_behind_it_open(desk: Opening, stack: WaymarkUp) -> None:
    one = edit(desk)
    one.page.get_by_label("최소 횟수").fill("99")
    one.page.wait_for_selector(SOUND)
    one.page.get_by_role("button", name="시험", exact=True).click()
    one.page.wait_for_selector(".trial .truth", timeout=60_000)
    standing = next(rule for rule in ask_journey(stack.ready(), "/v1/rules")["rules"] if rule["id"] == RULE)
    assert standing["frictions"] > 0
    said = one.page.locator(".trial .truth").inner_text()
    assert "불편 0건을 찾았을 것입니다" in said
    assert f"없어짐 {standing['frictions']}건" in one.page.locator(".trial").inner_text()
    assert one.page.locator(".days svg g").count() in {8, 9}
    assert one.violations() == []
    one.page.get_by_label("최소 횟수").fill("98")
    assert "시험한 뒤에 내용이 바뀌었습니다" in one.page.locator(".trial").inner_text()
    one.page.locator(".examples a").first.click()
    one.page.wait_for_url("**/customers/*")
    one.page.wait_for_selector("main h1")


def test_noise_is_told(desk: Opening, stack: WaymarkUp) -> None:
    """Twenty customers called once, which is no difficulty to the rules in force."""
    send(stack.ready(), *(calls(number)[0] for number in range(700, 720)))
    until_sync(lambda: single_calls(stack) == 20, within=30)
    one = edit(desk, "en-US")
    one.page.get_by_label("At least").fill("1")
    one.page.wait_for_selector(SOUND)
    one.page.get_by_role("button", name="Try it").click()
    one.page.wait_for_selector(".trial .truth[data-state=doubt]", timeout=60_000)
    assert "That gets noisy" in one.page.locator(".trial .truth").inner_text()


def test_a_rule_comes_into_force_with_a_note_and_back(desk: Opening, stack: WaymarkUp) -> None:
    was = whole(stack)
    version = ask_journey(stack.ready(), "/v1/rules")["version"]
    one = edit(desk)
    one.page.get_by_label("최소 횟수").fill("7")
    one.page.wait_for_selector(SOUND)
    one.page.get_by_role("button", name="적용", exact=True).focus()
    one.page.keyboard.press("Enter")
    one.page.keyboard.type("너무 자주 알립니다")
    one.page.keyboard.press("Tab")
    one.page.keyboard.press("Tab")
    one.page.keyboard.press("Enter")
    one.page.wait_for_url("**/rules")
    one.until(f"document.querySelector('.history')?.innerText.includes('버전 {version + 1}')")
    assert whole(stack) == {**was, "at_least": 7}
    assert "너무 자주 알립니다" in one.page.locator(".history li").first.inner_text()
    one.page.get_by_role("button", name=f"버전 {version}으로 되돌리기").click()
    one.page.fill("#note", "처음이 나았습니다")
    one.page.locator(".dialog").get_by_role("button", name="적용").click()
    one.until(f"document.querySelector('.history').innerText.includes('버전 {version + 2}')")
    assert whole(stack) == was


def test_a_rule_is_tried_in_the_shadow_and_taken_out(desk: Opening, stack: WaymarkUp) -> None:
    version = ask_journey(stack.ready(), "/v1/rules")["version"]
    one = edit(desk)
    one.page.get_by_label("최소 횟수").fill("3")
    one.page.wait_for_selector(SOUND)
    one.page.get_by_role("button", name="알리지 않고 시험").click()
    one.page.fill("#note", "덜 울릴까?")
    one.page.locator(".dialog").get_by_role("button", name="알리지 않고 시험").click()
    one.page.wait_for_selector(".shadow tbody tr")
    assert "24시간 안에 다시 문의한 고객" in one.page.locator(".shadow").inner_text()
    assert one.violations() == []
    one.page.get_by_role("button", name="시험 끝내기").click()
    one.page.fill("#note", "됐습니다")
    one.page.locator(".dialog").get_by_role("button", name="시험 끝내기").click()
    one.until("!document.querySelector('.shadow')")
    assert ask_journey(stack.ready(), "/v1/rules")["version"] == version


def test_who_may_only_look_may_check_and_no_more(desk: Opening, stack: WaymarkUp) -> None:
    one = edit(desk, role="agent")
    assert one.page.locator(".trial").count() == 0
    assert one.page.get_by_role("button", name="적용", exact=True).count() == 0
    for path, body in (("apply", {"version": 1, "note": "x"}), ("backtest", {"since": "2026-01-01T00:00:00Z"})):
        status = one.page.evaluate(
            """async ([path, body]) => {
              const { call } = await import(new URL("static/session.js", document.baseURI));
              return call("POST", `api/journey/v1/rules/${path}`, body).then(() => 200, (refusal) => refusal.status);
            }""",
            [path, body],
        )
        assert status == 403, path
    one.complaints[:] = [said for said in one.complaints if "status of 403" not in said]


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
@pytest.mark.parametrize(("dark", "width"), [(False, 1440), (True, 1440), (False, 768), (True, 320)])
def test_everybody_can_use_it(desk: Opening, stack: WaymarkUp, language: str, dark: bool, width: int) -> None:
    one = edit(desk, language, dark=dark, width=width)
    assert one.violations() == []
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    main = "document.querySelector('main')"
    assert one.page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
