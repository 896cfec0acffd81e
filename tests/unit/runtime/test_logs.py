"""A library that repeats itself is heard once in a while, ours every time; no failure is logged with values."""

import json
import logging
import sys

import asyncpg
import pytest
from pydantic import TypeAdapter, ValidationError

from services.runtime.telemetry.logs import RepeatFilter, configure, describe_error, get_logger

pytestmark = pytest.mark.usefixtures("restored_logging")


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.logs_error("Unable to connect")
def test_what_a_library_repeats_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure("test")

    for number in range(100):
        logging.getLogger("aiokafka.client").error("Unable to connect, correlation %s", number)
        logging.getLogger("aiokafka").warning("something else")

    assert [line["event"] for line in said(capsys)] == ["Unable to connect, correlation 0", "something else"]


def test_what_was_held_back_is_counted_when_it_is_said_again() -> None:
    sparing = RepeatFilter(every_s=0.0)
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "again", (), None)
    patient = RepeatFilter(every_s=3600.0)

    assert [patient.filter(record) for _ in range(5)] == [True, False, False, False, False]
    assert sparing.filter(record)
    patient._every_s = 0.0
    assert patient.filter(record)
    assert record.repeated == 4  # type: ignore[attr-defined]  # what the filter adds to the record


@pytest.mark.logs_error("not one of those")
def test_our_own_events_are_written_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure("test")

    for _ in range(3):
        get_logger("services.somewhere").info("batch applied")
        logging.getLogger("asyncio").error("not one of those")

    assert len(said(capsys)) == 6


MARK = "010-0000-8841"


def a_refused_row() -> asyncpg.PostgresError:
    """What PostgreSQL says of a row that it does not take."""
    told = {"S": "ERROR", "C": "23514", "M": f"new row ({MARK}) violates a constraint", "s": "alerts", "t": "issues"}
    return asyncpg.CheckViolationError.new(told | {"n": "issues_check", "D": f"Failing row contains ({MARK})."})


def chained() -> Exception:
    try:
        try:
            raise a_refused_row()
        except asyncpg.PostgresError as error:
            raise ExceptionGroup("two failed", [error, a_value_of_the_wrong_type()]) from error
    except ExceptionGroup as group:
        return group


def a_value_of_the_wrong_type() -> ValidationError:
    try:
        TypeAdapter(dict[str, int]).validate_python({"count": MARK})
    except ValidationError as error:
        return error
    raise AssertionError("that was no number")


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.logs_error("request failed", "never retrieved", "in the application", "process ends by a failure")
def test_a_failure_is_logged_with_its_place_and_without_values(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    configure("test", log_format=log_format)

    get_logger("services.somewhere").error("request failed", exc_info=chained())
    logging.getLogger("asyncio").error("never retrieved", exc_info=chained())
    logging.getLogger("uvicorn.error").error("in the application", exc_info=chained())
    sys.excepthook(type(chained()), chained(), None)

    text = capsys.readouterr().err
    assert MARK not in text
    assert text.count("23514") >= 4
    for kept in ("table_name=issues", "constraint_name=issues_check", "count: int_parsing", "in chained", "2 of 2"):
        assert kept in text, kept


def test_the_message_of_an_error_that_quotes_no_value_is_kept() -> None:
    error = asyncpg.UndefinedTableError.new(
        {"S": "ERROR", "C": "42P01", "M": 'relation "alerts.issues" does not exist'}
    )
    assert describe_error(error) == 'UndefinedTableError [42P01] relation "alerts.issues" does not exist'
    assert describe_error(KeyError("partition")) == "KeyError: 'partition'"
