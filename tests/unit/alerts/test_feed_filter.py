"""What a reader of the live stream is told: what they asked for, and that an issue left it, whatever made it leave."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.live.feed_filter import (
    EVERYTHING,
    FeedFilter,
    FeedVerdict,
    IssueAspects,
    aspects_in,
    aspects_text,
)

ISSUE = IssueAspects(severity="high", teams=frozenset({"billing", "web"}), owner="lee")
WANTED = FeedFilter(severities=frozenset({"high", "critical"}), teams=frozenset({"billing"}), owners=frozenset({"lee"}))


@pytest.mark.parametrize(
    "now",
    [
        replace(ISSUE, severity="medium"),
        replace(ISSUE, teams=frozenset({"web"})),
        replace(ISSUE, teams=frozenset()),
        replace(ISSUE, owner="kim"),
        replace(ISSUE, owner=None),
    ],
)
def test_an_issue_leaves_by_each_aspect_and_is_told_of_once(now: IssueAspects) -> None:
    assert WANTED.verdict("issue.updated", ISSUE, now) is FeedVerdict.LEFT
    assert WANTED.verdict("issue.updated", now, replace(now, owner="cho")) is FeedVerdict.NOTHING
    assert WANTED.verdict("issue.updated", now, ISSUE) is FeedVerdict.TOLD


def test_whoever_asks_for_nothing_in_particular_is_told_everything() -> None:
    assert EVERYTHING.takes_all
    assert EVERYTHING.verdict("issue.updated", None, IssueAspects(severity="low")) is FeedVerdict.TOLD
    assert not replace(EVERYTHING, teams=frozenset({"web"})).takes_all


def test_a_change_of_the_release_before_may_be_a_leaving_unless_it_opened_the_issue() -> None:
    other = replace(ISSUE, owner=None)
    assert WANTED.verdict("issue.updated", None, other) is FeedVerdict.LEFT
    assert WANTED.verdict("issue.opened", None, other) is FeedVerdict.NOTHING


ASPECTS = st.builds(
    IssueAspects,
    severity=st.sampled_from(["low", "critical"]),
    teams=st.frozensets(st.text(max_size=3), max_size=3),
    owner=st.none() | st.text(max_size=3),
)


@given(ASPECTS)
def test_what_an_issue_was_is_read_back_as_it_was(aspects: IssueAspects) -> None:
    assert aspects_in(aspects_text(aspects)) == aspects


def test_an_issue_of_an_earlier_release_names_its_first_team_alone() -> None:
    assert aspects_in('{"severity":"low","team":"web","title":{"en":"a","ko":"b"}}').teams == {"web"}
