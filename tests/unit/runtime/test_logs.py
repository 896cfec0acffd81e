"""A library that repeats itself is heard once in a while; ours are heard every time."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.runtime.logs import Sparing, configure, get_logger


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_what_a_library_repeats_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure("test")

    for number in range(100):
        logging.getLogger("aiokafka.client").error("Unable to connect, correlation %s", number)
        logging.getLogger("aiokafka").warning("something else")

    assert [line["event"] for line in said(capsys)] == ["Unable to connect, correlation 0", "something else"]


def test_what_was_held_back_is_counted_when_it_is_said_again() -> None:
    sparing = Sparing(every_s=0.0)
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "again", (), None)
    patient = Sparing(every_s=3600.0)

    assert [patient.filter(record) for _ in range(5)] == [True, False, False, False, False]
    assert sparing.filter(record)
    patient._every_s = 0.0
    assert patient.filter(record)
    assert record.repeated == 4  # type: ignore[attr-defined]  # what the filter adds to the record


def test_our_own_events_are_written_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure("test")

    for _ in range(3):
        get_logger("services.somewhere").info("batch applied")
        logging.getLogger("asyncio").error("not one of those")

    assert len(said(capsys)) == 6
