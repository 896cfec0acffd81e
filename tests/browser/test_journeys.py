"""All journeys at once: who is behind an edge of the map, a cell of the heat map, a stage of a funnel."""

from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.browser.conftest import Desk, Opening
from tests.browser.seeds import ask_journey, calls, send
from tests.fixtures.command import run_waymark
from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(240)]

DEFINED = """
journeys:
  - id: answered
    title: {en: Getting an answer, ko: 답변 받기}
    entry: {kind: [call_ended, chat_ended]}
    key: [reason]
    stages:
      - {id: asked, title: {en: Asked, ko: 문의함}, within: 20m}
    reached: {kind: order_placed}
    inactivity: 30d
"""
PLACES = {"/funnels": ".stages tbody tr", "/heat": ".heat button"}


@pytest.fixture(scope="module")
def defined(stack: WaymarkUp, tmp_path_factory: pytest.TempPathFactory) -> WaymarkUp:
    """The stack with a kind of journey that customers are in."""
    folder: Path = tmp_path_factory.mktemp("definitions")
    file = folder / "mine.yaml"
    file.write_text(DEFINED, encoding="utf-8")
    ready = stack.ready()
    environ = {"WAYMARK_POSTGRES": ready["postgres"], "HOME": str(folder)}
    run_waymark("journeys", "apply", str(file), "--note", "tests", environ=environ)
    send(ready, *(touchpoint for number in range(740, 744) for touchpoint in calls(number)))
    until_sync(lambda: entered(stack) >= 4, within=60)
    return stack


def entered(stack: WaymarkUp) -> int:
    """How many journeys of the kind there are."""
    funnels = ask_journey(stack.ready(), "/v1/funnels")["funnels"]
    return sum(int(one["entered"]) for one in funnels if one["journey"] == "answered")


def named(one: Desk) -> list[str]:
    """The customers that the window shows, by the ends of their ids."""
    one.page.wait_for_selector(".behind li")
    found: list[str] = one.page.locator(".behind a").evaluate_all("all => all.map((a) => a.pathname.split('/').pop())")
    return sorted(found)


def behind(stack: WaymarkUp, path: str, **query: object) -> list[str]:
    """The customers that the API names."""
    found = ask_journey(stack.ready(), f"{path}?{urlencode(query)}")
    return sorted(one["customer_id"] for one in found["customers"])


def test_an_edge_and_a_node_of_the_map_lead_to_their_customers(desk: Opening, stack: WaymarkUp) -> None:
    edge = ask_journey(stack.ready(), "/v1/paths?limit=500")["edges"][0]
    one = desk()
    one.sign_in(path="/map")
    one.page.wait_for_selector(".graph-box svg")
    one.page.locator("summary").focus()
    one.page.keyboard.press("Enter")
    one.page.locator("tbody button").first.focus()
    one.page.keyboard.press("Enter")
    ends = {f"{side}_{name}": edge[side][name] for side in ("from", "to") for name in edge[side]}
    assert named(one) == behind(stack, "/v1/paths/customers", **ends)
    assert one.violations() == []
    one.page.keyboard.press("Escape")
    one.page.locator("svg .node:not([data-end])").first.click()
    assert named(one)
    one.page.locator(".behind a").first.click()
    one.page.wait_for_selector(".lanes, .story, main h1")
    assert "/customers/" in one.page.url


def test_a_cell_of_the_heat_map_leads_to_its_customers_by_arrow_keys(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    one.sign_in(path="/heat")
    one.page.wait_for_selector(".heat button")
    cells = one.page.locator(".heat button")
    assert cells.evaluate_all("all => all.filter((one) => one.tabIndex === 0).length") == 1
    cells.first.focus()
    first = one.page.evaluate("document.activeElement.dataset.at")
    one.page.keyboard.press("ArrowDown")
    assert one.page.evaluate("document.activeElement.dataset.at") != first
    said = one.page.evaluate("document.activeElement.getAttribute('aria-label')")
    one.page.keyboard.press("Enter")
    shown = named(one)
    frictions = int(said.split("불편 ")[1].split(",")[0])
    assert 0 < len(shown) <= frictions
    assert said.split("시:")[0].rsplit(", ", 1)[0] in one.page.locator(".dialog .about").inner_text()
    assert one.violations() == []


def test_a_stage_of_a_funnel_leads_to_its_customers(desk: Opening, defined: WaymarkUp) -> None:
    one = desk()
    one.sign_in(path="/funnels?journey=answered")
    one.page.wait_for_selector(".stages tbody tr")
    assert "답변 받기" in one.page.locator(".funnel h2").inner_text()
    one.page.get_by_role("button", name="문의함: 진행 중").click()
    assert named(one) == behind(defined, "/v1/funnels/answered/customers", stage="asked", end="open")
    one.page.keyboard.press("Escape")
    one.page.get_by_label("모든 채널").select_option("kiosk")
    one.until("document.querySelector('.funnel').innerText.includes('0건이 시작')")
    assert "channel=kiosk" in one.page.url


def test_the_three_ways_are_reached_by_keyboard(desk: Opening, defined: WaymarkUp) -> None:
    one = desk("en-US")
    one.sign_in(path="/map")
    for name, path in (("Funnels", "/funnels"), ("By the hour", "/heat"), ("Map", "/map")):
        one.page.locator(".tabs").get_by_role("link", name=name).focus()
        one.page.keyboard.press("Enter")
        one.page.wait_for_url(f"**{path}")
        one.until(f"document.querySelector('.tabs [aria-current=page]')?.pathname.endsWith('{path}')")
        assert one.page.locator("header nav [aria-current=page]").inner_text() == "Journey map"


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
@pytest.mark.parametrize(("dark", "width"), [(False, 1440), (True, 768), (True, 320)])
def test_everybody_can_read_them(desk: Opening, defined: WaymarkUp, language: str, dark: bool, width: int) -> None:
    one = desk(language, dark=dark, width=width)
    one.sign_in()
    for path, there in PLACES.items():
        one.page.goto(one.url + path)
        one.page.wait_for_selector(there)
        assert one.violations() == [], path
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width, path
        main = "document.querySelector('main')"
        assert one.page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth"), path
