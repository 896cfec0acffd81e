"""Cursors: what comes back is the place that was sent out, and nothing else is taken for one."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.alerts.api.cursors import (
    cursor_of_deliveries,
    cursor_of_issues,
    place_in_deliveries,
    place_in_issues,
    scope_of_issues,
)
from services.alerts.deliver.delivery_history import DeliveryPageStart
from services.alerts.inbox.issue_list import (
    ChangedPageStart,
    IssueFilter,
    IssueOrder,
    IssuePageStart,
    OrderedPageStart,
)
from services.runtime.http.problems import Problem

MOMENT = datetime(2026, 11, 22, 9, 0, 0, 123_456, tzinfo=UTC)
SCOPE = scope_of_issues(IssueFilter(states=("open",)), IssueOrder.LATEST)
BEHIND = OrderedPageStart(since=7, rank=1, last_at=MOMENT, id=UUID(int=3))
CHANGED = ChangedPageStart(since=7, until=2**64 - 1, id=UUID(int=3))
ENDPOINT = UUID(int=9)


def made_up(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("place", [BEHIND, CHANGED], ids=["behind", "changed"])
def test_a_cursor_of_issues_comes_back_as_its_place_to_the_microsecond(place: IssuePageStart) -> None:
    assert place_in_issues(SCOPE, cursor_of_issues(SCOPE, place)) == place


@pytest.mark.parametrize("state", [None, "pending"])
def test_a_cursor_of_deliveries_comes_back_as_its_place(state: str | None) -> None:
    place = DeliveryPageStart(at=MOMENT, id="msg_1")

    assert place_in_deliveries(ENDPOINT, state, cursor_of_deliveries(ENDPOINT, state, place)) == place


def test_without_a_cursor_a_list_starts_at_its_beginning() -> None:
    assert place_in_issues(SCOPE, None) is None
    assert place_in_deliveries(ENDPOINT, None, None) is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(scope_of_issues(IssueFilter(states=("resolved",)), IssueOrder.LATEST), id="another filter"),
        pytest.param(scope_of_issues(IssueFilter(states=("open",)), IssueOrder.SEVERITY), id="another order"),
    ],
)
def test_a_cursor_of_another_list_is_refused(other: str) -> None:
    with pytest.raises(Problem) as raised:
        place_in_issues(SCOPE, cursor_of_issues(other, BEHIND))

    assert (raised.value.status, raised.value.code) == (422, "cursor_invalid")


def test_a_cursor_of_another_endpoint_or_state_is_refused() -> None:
    cursor = cursor_of_deliveries(ENDPOINT, "pending", DeliveryPageStart(at=MOMENT, id="msg_1"))

    for endpoint, state in ((UUID(int=8), "pending"), (ENDPOINT, None)):
        with pytest.raises(Problem):
            place_in_deliveries(endpoint, state, cursor)


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("é", id="no base64"),
        pytest.param(made_up(SCOPE), id="no place"),
        pytest.param(made_up(f"{SCOPE} sideways 1 1 1 {UUID(int=3)}"), id="an unknown kind"),
        pytest.param(made_up(f"{SCOPE} behind 1 101 0 {UUID(int=3)}"), id="a rank that nothing has"),
        pytest.param(made_up(f"{SCOPE} behind -1 1 0 {UUID(int=3)}"), id="a transaction below zero"),
        pytest.param(made_up(f"{SCOPE} behind {2**64} 1 0 {UUID(int=3)}"), id="a transaction too large"),
        pytest.param(made_up(f"{SCOPE} behind 1 1 {10**30} {UUID(int=3)}"), id="a time beyond the calendar"),
        pytest.param(made_up(f"{SCOPE} behind 1 1 0 x"), id="no id"),
        pytest.param(made_up(f"{SCOPE} changed 1 2"), id="too few parts"),
    ],
)
def test_a_cursor_that_somebody_made_up_is_refused(cursor: str) -> None:
    with pytest.raises(Problem):
        place_in_issues(SCOPE, cursor)


@pytest.mark.parametrize("item", ["", "x" * 81, "msg_é"], ids=["empty", "long", "not printable"])
def test_a_delivery_id_that_none_can_have_is_refused(item: str) -> None:
    cursor = made_up(f"deliveries.{ENDPOINT}.all 0 {item}")

    with pytest.raises(Problem):
        place_in_deliveries(ENDPOINT, None, cursor)
