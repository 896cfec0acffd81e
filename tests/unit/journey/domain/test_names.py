"""Names that are for ever: stored and published ones must be found again by every release."""

from services.journey.domain.names import friction_id, timer_id


def test_a_friction_has_the_id_that_every_release_gave_it() -> None:
    by_interaction = friction_id("long_wait", "cc", interaction_id="call-7", touchpoint_id="t-1")
    by_touchpoint = friction_id("long_wait", "cc", interaction_id=None, touchpoint_id="call-7")
    assert (str(by_interaction), str(by_touchpoint)) == (
        "d8677059-2cf1-5d2c-90d3-87ccd0bd0cea",
        "3f5642cb-d4f6-58b0-871d-d9f96c5fa5c1",
    )


def test_a_timer_has_the_id_that_every_release_gave_it() -> None:
    assert str(timer_id("callback_missed", "cc", "t-1")) == "4777c8a1-631d-59fa-8548-c693c60521f3"
