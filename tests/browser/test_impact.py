"""Before and after, and the register of improvements: proposed, decided with a reason, done, measured."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.browser.conftest import Opening
from tests.browser.seeds import ask
from tests.fixtures.waymark_up import WaymarkUp

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(240)]


def propose(stack: WaymarkUp, desk: Opening, title: str) -> None:
    """An agent proposes something about a rule."""
    one = desk()
    one.sign_in("agent", "/impact")
    one.page.get_by_role("button", name="개선 제안").click()
    one.page.fill("#title", title)
    one.page.fill("#why", "요금 안내가 어렵습니다")
    one.page.locator(".dialog").get_by_role("button", name="개선 제안").click()
    one.page.wait_for_selector(".dialog .problem:not(:empty)")
    assert "하나를 정하세요" in one.page.locator(".dialog .problem").inner_text()
    one.page.locator(".dialog select[name=rule]").select_option("repeat_contact_24h")
    assert one.violations() == []
    one.page.locator(".dialog").get_by_role("button", name="개선 제안").click()
    one.page.wait_for_selector(f".improvement[aria-label='{title}']")


def test_before_and_after_stand_with_what_to_mind(desk: Opening, stack: WaymarkUp) -> None:
    at = (datetime.now(UTC) - timedelta(days=3)).isoformat().replace("+00:00", "Z")
    one = desk()
    one.sign_in("reader", f"/impact?at={at}&rule=repeat_contact_24h")
    one.page.wait_for_selector(".changes tbody tr")
    measured = ask(stack.ready(), f"/v1/impact?at={at}&rule=repeat_contact_24h")
    said = one.page.locator(".impact").inner_text()
    assert one.page.locator(".changes tbody tr").count() == len(measured["changes"]) == 5
    assert all(caveat["ko"] in said for caveat in measured["caveats"])
    assert "판단하기에 건수가 적음" in said
    assert one.page.get_by_role("button", name="개선 제안").count() == 0
    one.page.locator(".impact-controls select[name=channel]").select_option("phone")
    one.until("location.search.includes('channel=phone')")
    one.page.reload()
    one.page.wait_for_selector(".changes tbody tr")
    assert one.page.locator(".impact-controls select[name=channel]").input_value() == "phone"


def test_an_improvement_is_proposed_decided_and_done(desk: Opening, stack: WaymarkUp) -> None:
    title = "요금 안내를 쉽게"
    propose(stack, desk, title)
    one = desk()
    one.sign_in("admin", "/impact")
    card = one.page.locator(f".improvement[aria-label='{title}']")
    card.get_by_role("button", name="채택", exact=True).click()
    one.page.keyboard.type("비용이 적습니다")
    one.page.locator(".dialog").get_by_role("button", name="채택", exact=True).click()
    card.get_by_role("button", name="완료").click()
    one.page.keyboard.type("오늘부터")
    one.page.locator(".dialog").get_by_role("button", name="완료").click()
    card.get_by_role("link", name="전후 비교").wait_for()
    [made] = [each for each in ask(stack.ready(), "/v1/improvements")["improvements"] if each["title"] == title]
    assert [(step["state"], step["reason"]) for step in made["history"]] == [
        ("proposed", "요금 안내가 어렵습니다"),
        ("accepted", "비용이 적습니다"),
        ("done", "오늘부터"),
    ]
    assert made["estimate"]["counts"]["frictions"] > 0
    assert "비용이 적습니다" in card.inner_text()
    assert one.violations() == []


def test_what_was_measured_stands_at_the_improvement(desk: Opening, stack: WaymarkUp) -> None:
    title = "측정된 과제"
    propose(stack, desk, title)
    figures = {"number": 40, "value": 0.5, "low": 0.4, "high": 0.6}
    change = {
        "name": "recontact_rate",
        "before": figures,
        "after": {**figures, "value": 0.2, "low": 0.1, "high": 0.3},
        "change": -0.3,
        "low": -0.4,
        "high": -0.15,
        "verdict": "better",
    }
    one = desk("en-US")
    one.sign_in("reader")
    found = ask(stack.ready(), "/v1/improvements")
    measured = [{**each, "state": "measured", "changes": [change]} for each in found["improvements"]]
    one.page.route("**/v1/improvements", lambda route: route.fulfill(json={"improvements": measured}))
    one.page.goto(one.url + "/impact")
    card = one.page.locator(f".improvement[aria-label='{title}']")
    card.locator(".changes").wait_for()
    assert "50%" in card.inner_text()
    assert "−30%" in card.inner_text()
    assert "better" in card.inner_text()
    assert one.violations() == []


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
@pytest.mark.parametrize(("dark", "width"), [(False, 1440), (True, 768), (True, 320)])
def test_everybody_can_read_it(desk: Opening, stack: WaymarkUp, language: str, dark: bool, width: int) -> None:
    one = desk(language, dark=dark, width=width)
    one.sign_in("agent", "/impact")
    one.page.wait_for_selector(".changes tbody tr")
    assert one.violations() == []
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    main = "document.querySelector('main')"
    assert one.page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
