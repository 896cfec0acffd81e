import pytest

from services.journey.domain import effort
from services.journey.domain.touchpoint import RecordedTouchpoint, SurveyScore
from tests.unit.journey.domain.making import POLICY, call, seen


def parts(*history: RecordedTouchpoint) -> dict[str, tuple[int, int]]:
    return {part.factor: (part.count, part.points) for part in effort.effort_of(history, POLICY.contacts).parts}


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param([seen("a")], {}, id="looking around is no effort"),
        pytest.param([call("a")], {}, id="one contact is no effort"),
        pytest.param([call("a"), call("b", 1), call("c", 2)], {"repeat_contact": (2, 12)}, id="contacting again"),
        pytest.param(
            [call("a"), call("b", 1, channel="chat")],
            {"repeat_contact": (1, 6), "channel_switch": (1, 3)},
            id="changing channel",
        ),
        pytest.param(
            [call("a", interaction_id="c", transfers=2), call("b", 1, interaction_id="c", transfers=3)],
            {"transfer": (3, 15)},
            id="an interaction counts its transfers once",
        ),
        pytest.param(
            [
                call("a", interaction_id="c", transfers=3, wait_s=120, hold_s=180),
                call("b", 1, interaction_id="c", transfers=1, wait_s=60, hold_s=60),
            ],
            {"transfer": (3, 15), "wait": (2, 2), "hold": (3, 3)},
            id="an interaction counts the largest that was said of it",
        ),
        pytest.param(
            [
                call("a", interaction_id="c", wait_s=60, hold_s=60),
                call("b", 1, interaction_id="c", wait_s=60, hold_s=60),
            ],
            {"wait": (1, 1), "hold": (1, 1)},
            id="an interaction counts its waiting once",
        ),
        pytest.param(
            [call("a", wait_s=60), seen("b", 1, "call_ended", wait_s=60)], {"wait": (2, 2)}, id="two calls wait twice"
        ),
        pytest.param(
            [
                call("a", wait_s=120, hold_s=180, transfers=1),
                seen("b", 1, "call_ended", interaction_id="a", wait_s=60, hold_s=60, transfers=1),
            ],
            {"transfer": (2, 10), "hold": (4, 4), "wait": (3, 3)},
            id="an interaction is not a touchpoint whose id reads the same",
        ),
        pytest.param([call("a", hold_s=60, wait_s=59)], {"hold": (1, 1)}, id="each number by itself"),
        pytest.param([call("a", wait_s=60, hold_s=59)], {"wait": (1, 1)}, id="no hold is made of a wait"),
        pytest.param([call("a", transfers=1, wait_s=59, hold_s=59)], {"transfer": (1, 5)}, id="one transfer"),
        pytest.param(
            [seen(f"t{number}", number, transfers=1) for number in range(60)],
            {"transfer": (60, 300)},
            id="transfers alone add no seconds of waiting or holding",
        ),
        pytest.param([call("a", hold_s=119)], {"hold": (1, 1)}, id="holding counts whole minutes"),
        pytest.param([call("a", wait_s=119)], {"wait": (1, 1)}, id="waiting counts whole minutes"),
        pytest.param([call("a", wait_s=59)], {}, id="less than a minute is nothing"),
        pytest.param([call("a", wait_s=7200)], {"wait": (120, 15)}, id="waiting weighs 15 at most"),
        pytest.param([call("a", hold_s=900)], {"hold": (15, 10)}, id="holding weighs 10 at most"),
        pytest.param([call("a", outcome="unresolved")], {"unresolved": (1, 4)}, id="an unresolved contact"),
        pytest.param([seen("a", outcome="failed")], {}, id="outcomes of contacts only"),
        pytest.param(
            [seen("a", sentiment=-0.4), seen("b", 1, sentiment=-0.3)], {"negative_sentiment": (1, 3)}, id="-0.4"
        ),
        pytest.param(
            [seen("a", sentiment=-1), seen("b", 1, sentiment=-0.5)], {"negative_sentiment": (2, 6)}, id="twice negative"
        ),
        pytest.param(
            [seen(name, score=SurveyScore(metric="ces", value=1, scale=7)) for name in "ab"],
            {"hard_by_survey": (2, 10)},
            id="two hard answers",
        ),
        pytest.param(
            [seen("a", score=SurveyScore(metric="ces", value=3, scale=7))], {"hard_by_survey": (1, 5)}, id="ces 3"
        ),
        pytest.param([seen("a", score=SurveyScore(metric="ces", value=4, scale=7))], {}, id="ces 4"),
        pytest.param([seen("a", score=SurveyScore(metric="nps", value=0, scale=10))], {}, id="another metric"),
        pytest.param(
            [seen("a", 0, "rage_click"), seen("b", 1, "dead_click")], {"trouble": (2, 6)}, id="digital trouble"
        ),
    ],
)
def test_what_weighs(history: list[RecordedTouchpoint], expected: dict[str, tuple[int, int]]) -> None:
    assert parts(*history) == expected


def test_the_score_saturates() -> None:
    assert effort.effort_of([call("a"), call("b", 1)], POLICY.contacts).score == 25.9
    many = [call(f"c{n}", n) for n in range(100)]
    assert effort.effort_of(many, POLICY.contacts).score == 100.0


def test_the_heaviest_part_comes_first() -> None:
    measured = effort.effort_of([call("a", wait_s=60), call("b", 1)], POLICY.contacts)
    assert [part.factor for part in measured.parts] == ["repeat_contact", "wait"]


def test_the_course_tells_when_it_became_hard_and_ends_with_the_score() -> None:
    history = [call("a"), seen("b", 1), call("c", 2, wait_s=120), seen("d", 3, "rage_click"), seen("e", 4)]
    course = effort.effort_course(history, POLICY.contacts)
    at = {one.touchpoint.id: one.touchpoint.occurred_at for one in history}
    assert [point.occurred_at for point in course] == [at["a"], at["c"], at["d"]]
    assert [point.score for point in course] == sorted(point.score for point in course)
    assert course[-1].score == effort.effort_of(history, POLICY.contacts).score
    assert effort.effort_course([], POLICY.contacts) == []
