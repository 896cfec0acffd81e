from datetime import timedelta

import pytest

from services.journey import policies
from services.journey.domain.journey import JourneySegment
from services.journey.domain.projection import project
from services.journey.domain.touchpoint import RecordedTouchpoint
from tests.unit.journey.domain.making import DAYS, HOURS, SECOND, SHIPPED, at, call, note, seen, told


def partition(*history: RecordedTouchpoint) -> list[str]:
    """The ids of each journey, joined: `a b | c` as two strings."""
    projection = told(*history)
    return [
        " ".join(projection.history[position].touchpoint.id for position in journey.members)
        for journey in projection.journeys
    ]


def only(*history: RecordedTouchpoint) -> JourneySegment:
    (journey,) = told(*history).journeys
    return journey


CASE, ORDER = {"case_id": "1"}, {"order_id": "9"}


@pytest.mark.parametrize(
    ("history", "journeys"),
    [
        pytest.param([seen("a", refs=CASE), seen("b", 90 * DAYS, refs=CASE)], ["a b"], id="one case, however long"),
        pytest.param([seen("a", refs=CASE), seen("b", 1, refs=ORDER)], ["a", "b"], id="two references"),
        pytest.param(
            [seen("a", refs=CASE), seen("b", 1, refs=ORDER), seen("c", 2, refs=CASE | ORDER)],
            ["a b c"],
            id="a touchpoint with both joins them",
        ),
        pytest.param(
            [seen("a", refs={"case_id": "7"}), seen("b", 1, refs={"order_id": "7"})],
            ["a", "b"],
            id="the same value of another type is another reference",
        ),
        pytest.param(
            [seen("a", refs={"store_id": "7"}, reason="x"), seen("b", 1, refs={"store_id": "7"}, reason="y")],
            ["a", "b"],
            id="a circumstance is no reference",
        ),
        pytest.param(
            [call("a", interaction_id="c"), call("b", 1, interaction_id="c", refs=CASE), seen("z", 9, refs=CASE)],
            ["a b z"],
            id="an interaction goes where its reference is",
        ),
        pytest.param(
            [
                call("a", interaction_id="c", reason="x"),
                call("b", 1, interaction_id="d", reason="y"),
                call("d", 2, interaction_id="c", source="other", reason="z"),
            ],
            ["a", "b", "d"],
            id="other interactions, and one that is called alike by another source, are others",
        ),
        pytest.param(
            [
                call("a", interaction_id="9"),
                call("b", 1, source="order_id", interaction_id="9"),
                seen("z", 2, refs=ORDER),
            ],
            ["a b", "z"],
            id="an interaction is not a reference that reads the same",
        ),
        pytest.param(
            [call("a", reason="billing"), seen("b", 1, refs=CASE, reason="billing")],
            ["a", "b"],
            id="a reference does not join by reason",
        ),
        pytest.param(
            [call("a", reason="billing"), call("b", 14 * DAYS, reason="billing")], ["a b"], id="14 days are within"
        ),
        pytest.param(
            [call("a", reason="billing"), call("b", 14 * DAYS + SECOND, reason="billing")],
            ["a", "b"],
            id="a second more is another journey",
        ),
        pytest.param(
            [call("a", reason="billing"), call("b", 1, reason="delivery"), call("c", 2, reason="billing")],
            ["a c", "b"],
            id="reasons run side by side",
        ),
        pytest.param(
            [call("a", reason="billing"), call("b", 5, reason="delivery"), seen("c", 24 * HOURS)],
            ["a", "b c"],
            id="without reason: the latest journey within a day",
        ),
        pytest.param([call("a", reason="billing"), seen("b", 24 * HOURS)], ["a b"], id="a day is within"),
        pytest.param(
            [call("a", reason="billing"), call("b", reason="delivery"), seen("c", 1)],
            ["a", "b c"],
            id="of two at the same time the one touched last",
        ),
        pytest.param(
            [seen("a"), call("b", 60, reason="billing"), call("c", 120, reason="delivery")],
            ["a b", "c"],
            id="a journey is named once",
        ),
        pytest.param(
            [
                call("a", 0, reason="x", interaction_id="c"),
                call("b", 10 * HOURS, interaction_id="c"),
                call("d", 60, reason="x"),
                call("e", 14 * DAYS + 10 * HOURS, reason="x"),
            ],
            ["a d b e"],
            id="the end of a long interaction counts",
        ),
        pytest.param(
            [call("a", reason="billing"), seen("b", 24 * HOURS + SECOND)],
            ["a", "b"],
            id="without reason, after a day: alone",
        ),
        pytest.param(
            [seen("a"), seen("b", 20 * HOURS), seen("c", 40 * HOURS)], ["a b c"], id="visits follow one another"
        ),
        pytest.param(
            [seen("a"), call("b", 24 * HOURS, reason="billing"), call("c", 13 * DAYS, reason="billing")],
            ["a b c"],
            id="a reason that comes up later names the journey",
        ),
        pytest.param(
            [seen("a"), call("b", 24 * HOURS + SECOND, reason="billing")], ["a", "b"], id="but not after a day"
        ),
        pytest.param(
            [
                call("a", reason="billing"),
                seen("b", 20 * DAYS),
                call("c", 20 * DAYS + 60, reason="billing"),
                call("d", 33 * DAYS, reason="billing"),
            ],
            ["a", "b c d"],
            id="a named journey becomes the one of its reason",
        ),
        pytest.param(
            [
                call("a", interaction_id="c"),
                call("b", 5, interaction_id="c", reason="billing"),
                call("d", 9, reason="x"),
            ],
            ["a b", "d"],
            id="an interaction is one group with one reason",
        ),
        pytest.param([seen("a", late=True)], [], id="late touchpoints are in no journey"),
    ],
)
def test_how_touchpoints_fall_into_journeys(history: list[RecordedTouchpoint], journeys: list[str]) -> None:
    assert partition(*history) == journeys
    assert partition(*reversed(history)) == journeys


def test_a_journey_tells_what_its_touchpoints_know() -> None:
    journey = only(
        seen("a", 0, refs=CASE),
        call("b", 1, refs=CASE | ORDER, reason="billing", service_level="premium", outcome="unresolved"),
        seen("c", 2, refs={**CASE, "store_id": "3"}, reason="other", outcome="resolved"),
        call("d", 3, refs=CASE, channel="chat", kind="chat_started"),
    )
    assert (journey.opened_at, journey.last_at) == (at(0), at(3))
    assert (journey.reason, journey.refs) == ("billing", CASE | ORDER)
    assert (journey.service_level, journey.outcome) == ("premium", "resolved")
    assert journey.channels == ("web", "phone", "chat")
    assert journey.contact_count == 2
    assert {part.factor for part in journey.effort.parts} == {"repeat_contact", "channel_switch", "unresolved"}


@pytest.mark.parametrize(
    ("kinds", "closed_at"),
    [
        pytest.param(["case_opened", "case_closed"], at(1), id="closed"),
        pytest.param(["case_closed", "case_worked"], None, id="taken up again"),
        pytest.param(["case_closed", "survey_answered"], at(0), id="a survey does not open it"),
        pytest.param(["case_closed", "case_worked", "case_closed", "case_closed"], at(2), id="closed for good"),
        pytest.param(["survey_answered"], None, id="a survey does not close it"),
    ],
)
def test_when_a_journey_is_closed(kinds: list[str], closed_at: object) -> None:
    journey = only(*(seen(f"t{n}", n, kind, refs=CASE) for n, kind in enumerate(kinds)))
    assert journey.closed_at == closed_at


def test_silence_closes_a_journey_after_thirty_days() -> None:
    journey = only(seen("a"), seen("b", 9))
    assert journey.idle_at == at(9) + timedelta(days=30)


def test_a_journey_names_the_latest_touchpoint_of_each_kind_however_many_pages_follow() -> None:
    order = seen("o", 1, "order_placed", reason="x")
    pages = [seen(f"p{number}", 2 + number, reason="x") for number in range(300)]
    latest = [(one.kind, one.occurred_at) for one in only(order, *pages).latest]
    assert latest == [("order_placed", at(1)), ("page_viewed", at(301))]


def test_a_journey_names_the_twenty_latest_of_its_many_kinds() -> None:
    history = [seen(f"t{number}", number, f"acme.k{number}", reason="x") for number in range(30)]
    assert [one.kind for one in only(*history).latest] == [f"acme.k{number}" for number in range(10, 30)]


def test_lines_of_a_messenger_are_one_journey_though_each_has_an_id() -> None:
    lines = [note(id_, minutes, refs={"message_id": id_}) for id_, minutes in (("a", 0), ("b", 1), ("c", 2 * HOURS))]
    journey = only(*lines)
    assert (journey.contact_count, journey.refs) == (2, {})
    assert [part.factor for part in journey.effort.parts] == ["repeat_contact"]


def test_lines_from_before_keep_the_journeys_that_they_had() -> None:
    lines = [note(id_, minutes, refs={"message_id": id_}) for id_, minutes in (("a", 0), ("b", 1), ("c", 5), ("d", 6))]
    journeys = project(lines, rulebook=SHIPPED, policy=policies.projection(at(5))).journeys
    assert [(journey.members, journey.refs) for journey in journeys] == [
        ((0,), {"message_id": "a"}),
        ((1,), {"message_id": "b"}),
        ((2, 3), {}),
    ]
