"""Steps that must not be taken are noticed; so is a friction that says something else in another order."""

from dataclasses import replace

import pytest

from tests.faults.passage import plain
from tests.faults.steps import Step, check

FIRST = Step(line="l", partition=0, was=0, now=5, epoch=1, owner="a")
NEXT = Step(line="l", partition=0, was=5, now=9, epoch=2, owner="b")
ELSEWHERE = Step(line="l", partition=1, was=3, now=4, epoch=1, owner="a")


def test_steps_that_follow_one_another_are_well() -> None:
    assert check([FIRST, ELSEWHERE, NEXT]).ok
    assert check([]).ok


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(replace(NEXT, was=4), id="taken again"),
        pytest.param(replace(NEXT, was=6), id="skipped"),
        pytest.param(replace(NEXT, now=5), id="no step at all"),
        pytest.param(replace(NEXT, was=5, now=2), id="back"),
        pytest.param(replace(NEXT, epoch=0), id="by somebody whose claim is older"),
    ],
)
def test_a_step_out_of_line_is_noticed(wrong: Step) -> None:
    assert not check([FIRST, wrong]).ok


def test_another_line_begins_anew() -> None:
    assert check([FIRST, replace(FIRST, line="m")]).ok


def test_only_what_one_run_knows_is_left_out_of_a_friction() -> None:
    friction = {"id": "f", "rule": "r", "severity": "high", "customer_id": "1", "revision": 3, "detected_at": "now"}
    assert plain(friction) == {"id": "f", "rule": "r", "severity": "high"}
