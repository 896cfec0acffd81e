"""Whether the log is followed: a quiet topic and a broker that is gone look alike, and must not."""

from services.alerts.consume.log_health import STALLED_AFTER_S, LogHealth

LATER = 100.0 + STALLED_AFTER_S


def taken_up(*partitions: int) -> LogHealth:
    following = LogHealth()
    for partition in partitions:
        following.wait(partition, 90.0)
        following.take_up(partition, 100.0)
    return following


def test_a_consumer_without_partitions_has_no_trouble() -> None:
    assert LogHealth().trouble(LATER) == ""


def test_a_broker_that_answers_for_a_quiet_topic_is_no_trouble() -> None:
    following = taken_up(0)
    following.note(0, 1, 100.0)
    following.note(0, 2, LATER - 0.1)

    assert following.trouble(LATER) == ""


def test_a_broker_that_says_nothing_new_is_trouble_after_a_while() -> None:
    following = taken_up(2, 0, 1)
    following.note(0, 1, 101.0)
    following.note(0, 1, LATER)
    following.note(1, 5, LATER)

    assert following.trouble(LATER - 0.1) == ""
    assert following.trouble(LATER) == "Kafka does not answer for partitions: 2"
    assert following.trouble(LATER + 1) == "Kafka does not answer for partitions: 0, 2"


def test_a_partition_that_is_not_taken_up_is_trouble_after_a_while() -> None:
    following = LogHealth()
    following.wait(3, 100.0)
    following.wait(3, LATER - 1)

    assert following.trouble(LATER - 0.1) == ""
    assert following.trouble(LATER) == "partitions not taken up: 3"
    following.take_up(3, LATER)
    assert following.trouble(LATER) == ""


def test_a_partition_that_is_let_go_waits_again_and_is_not_asked_for() -> None:
    following = taken_up(0)
    following.wait(0, LATER)

    assert following.trouble(LATER + 1) == ""
    assert following.trouble(LATER + STALLED_AFTER_S) == "partitions not taken up: 0"


def test_what_is_somebody_elses_is_no_trouble_of_ours() -> None:
    following = taken_up(0, 1)
    following.wait(1, 100.0)
    following.leave(0)
    following.leave(1)
    cleared = taken_up(0)
    cleared.wait(1, 100.0)
    cleared.clear()

    assert (following.trouble(LATER), cleared.trouble(LATER)) == ("", "")
