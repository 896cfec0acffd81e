"""The map of journeys: how customers go from touchpoint to touchpoint, as a picture and as a table."""

import pytest

from tests.browser.conftest import Opening
from tests.browser.seeds import ask_journey
from tests.fixtures.waymark_up import WaymarkUp

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(240)]

GRAPH = ".graph-box svg"


def test_the_map_shows_the_most_frequent_and_the_table_everything(desk: Opening, stack: WaymarkUp) -> None:
    edges = ask_journey(stack.ready(), "/v1/paths?limit=500")["edges"]
    one = desk()
    one.sign_in(path="/map?activities=100&connections=100")
    one.page.wait_for_selector(GRAPH)
    assert one.page.locator("svg .step").count() == len(edges)
    before = one.page.locator("svg .node").count()
    one.page.locator("input[type=range]").first.focus()
    one.page.keyboard.press("Home")
    one.until("location.search.includes('activities=1&') || location.search.endsWith('activities=1')")
    one.until(f"document.querySelectorAll('svg .node').length < {max(before, 2)}")
    one.page.locator("summary").click()
    assert one.page.locator("tbody tr").count() == len(edges)
    assert one.violations() == []


def test_the_picture_is_the_same_each_time_and_follows_the_filters(desk: Opening, stack: WaymarkUp) -> None:
    one = desk()
    one.sign_in(path="/map")
    one.page.wait_for_selector(GRAPH)
    drawn = one.page.locator("svg .node rect").evaluate_all("all => all.map((one) => one.getAttribute('x'))")
    one.page.reload()
    one.page.wait_for_selector(GRAPH)
    assert one.page.locator("svg .node rect").evaluate_all("all => all.map((one) => one.getAttribute('x'))") == drawn
    one.page.select_option("select >> nth=1", "billing")
    one.page.wait_for_url("**reason=billing")
    edges = ask_journey(stack.ready(), "/v1/paths?limit=500&reason=billing")["edges"]
    one.page.locator("summary").click()
    one.until(f"document.querySelectorAll('tbody tr').length === {len(edges)}")


@pytest.mark.parametrize("language", ["ko-KR", "en-US"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_read_the_map(desk: Opening, language: str, dark: bool) -> None:
    for width in (1440, 320):
        one = desk(language, dark=dark, width=width, height=800)
        one.sign_in(path="/map")
        one.page.wait_for_selector(GRAPH)
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width
        assert one.violations() == []
