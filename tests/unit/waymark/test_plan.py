import pytest

from waymark.console import CommandError
from waymark.local.plan import DEFAULT_PORTS, BrokerKind, choose_broker, choose_ports
from waymark.local.service_processes import RestartDecision, decide_restart


def nobody(_: int) -> bool:
    return False


def test_the_documented_ports_are_used_when_they_are_free() -> None:
    assert choose_ports(None, taken=nobody) == DEFAULT_PORTS


def test_a_base_puts_all_ports_in_a_row() -> None:
    ports = choose_ports(18_080, taken=nobody)
    assert sorted(ports.values()) == list(range(18_080, 18_087))
    assert ports["ingest"] == 18_080


def test_an_engine_moves_when_its_port_is_taken_but_a_service_does_not() -> None:
    ports = choose_ports(None, taken=lambda port: port == DEFAULT_PORTS["kafka"])
    assert ports["kafka"] not in {DEFAULT_PORTS["kafka"], 0}
    with pytest.raises(CommandError, match=r"8080 \(ingest\).*--port-base"):
        choose_ports(None, taken=lambda port: port == 8080)


def test_engines_that_are_given_need_no_port() -> None:
    assert "kafka" not in choose_ports(None, without={"kafka"}, taken=nobody)
    assert "postgres" not in choose_ports(18_080, without={"postgres"}, taken=nobody)


@pytest.mark.parametrize(
    ("flag", "variable", "expected"),
    [
        (None, None, (BrokerKind.EMBEDDED, None)),
        (None, "kafka-1:9092", (BrokerKind.GIVEN, "kafka-1:9092")),
        ("embedded", "kafka-1:9092", (BrokerKind.EMBEDDED, None)),
        ("kafka", None, (BrokerKind.APACHE_KAFKA, None)),
        ("a:1,b:2", None, (BrokerKind.GIVEN, "a:1,b:2")),
    ],
)
def test_the_flag_wins_over_the_environment(
    flag: str | None, variable: str | None, expected: tuple[BrokerKind, str | None]
) -> None:
    assert choose_broker(flag, {"WAYMARK_KAFKA": variable} if variable else {}) == expected


def test_a_broker_that_is_no_address_is_wrong_usage() -> None:
    with pytest.raises(CommandError, match="HOST:PORT") as caught:
        choose_broker("redpanda", {})
    assert caught.value.exit_code == 2


def test_a_service_is_restarted_until_it_dies_too_often() -> None:
    assert decide_restart([100.0], now=100.0) is RestartDecision.RESTART
    assert decide_restart([90.0, 95.0, 100.0], now=100.0) is RestartDecision.RESTART
    assert decide_restart([70.0, 90.0, 95.0, 100.0], now=100.0) is RestartDecision.GIVE_UP
    assert decide_restart([10.0, 20.0, 95.0, 100.0], now=100.0) is RestartDecision.RESTART
