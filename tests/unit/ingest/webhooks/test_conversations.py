"""What a conversation becomes that webhooks tell piece by piece: contacts, turns, frictions, and the page of it."""

import pytest

from tests.unit.ingest.webhooks.conversation_stories import PAGE, STORIES, Story, all_results, become, page


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_what_a_conversation_becomes(story: Story) -> None:
    became = await become(story)
    found = [(len(one.everything), summary.messages, summary.turns) for one, summary in became.contacts]
    assert (found, became.frictions) == (list(story.contacts), sorted(story.frictions))
    assert any(summary.handed_over_at for _, summary in became.contacts) is story.handed_over
    assert became.counted_in_journeys == len(found)


async def test_the_page_says_what_they_become() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(await all_results()), "run: make conversations-page"
