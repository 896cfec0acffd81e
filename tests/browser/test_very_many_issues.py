"""The inbox with ten thousand issues. They stay, because alerts never has an issue vanish: so this file runs last."""

import pytest

from tests.browser.conftest import Opening
from tests.browser.seeds import multiply
from tests.fixtures.waymark_up import WaymarkUp

pytestmark = [pytest.mark.browser, pytest.mark.local, pytest.mark.timeout(180)]

FRAMES = """async () => {
  const box = document.querySelector('.rows'); const times = []; let last = performance.now(); let most = 0;
  for (let step = 0; step < 60; step += 1) {
    box.scrollTop += 1200;
    await new Promise((done) => requestAnimationFrame(done));
    const now = performance.now(); times.push(now - last); last = now;
    most = Math.max(most, document.querySelectorAll('.row').length);
  }
  times.sort((a, b) => a - b);
  return { median: times[30], worst: times[59], most };
}"""


def test_ten_thousand_issues_scroll_as_easily_as_ten(desk: Opening, stack: WaymarkUp) -> None:
    multiply(stack.ready(), 10_000)
    one = desk()
    one.inbox()
    one.until("document.querySelector('.count').textContent.includes('10,0')")
    frames = one.page.evaluate(FRAMES)
    assert frames["most"] < 60, "only what is in sight is drawn"
    assert frames["median"] < 100, frames
    one.until("Number(document.querySelector('.height').style.height.replace('px', '')) > 12000")
    one.page.keyboard.press("j")
    one.until("document.activeElement.matches('.row')")
