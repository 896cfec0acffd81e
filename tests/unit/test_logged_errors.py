"""The fixture that fails a test on an undeclared error bites, and lets pass what was declared."""

from pathlib import Path

import pytest

from tests.fixtures.logged_errors import LoggedError, LoggedErrors, errors_in

pytest_plugins = ["pytester"]

TESTS = """
import asyncio, gc, logging, subprocess, sys
import pytest, structlog
from services.runtime.telemetry import logs
from structlog.testing import capture_logs

def test_of_a_library():
    logging.getLogger("aiokafka").error("Unable to connect")

def test_of_ours():
    logs.get_logger("services.somewhere").error("task failed", task="t")

def test_of_ours_with_logging_configured():
    root = logging.getLogger()
    handlers = list(root.handlers)
    logs.configure("test")
    logs.get_logger("services.somewhere").error("task failed", task="t")
    root.handlers[:] = handlers
    structlog.reset_defaults()

def test_of_a_task_that_nobody_awaits():
    async def lost():
        async def fails():
            raise ValueError
        asyncio.create_task(fails())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
    asyncio.run(lost())

def test_of_a_process(tmp_path):
    command = (
        "from services.runtime.telemetry import logs; logs.configure('ingest');"
        "logs.get_logger('services.somewhere').error('request failed', route='/v1')"
    )
    with (tmp_path / "ingest.log").open("wb") as log:
        subprocess.run([sys.executable, "-c", command], stderr=log, check=True)

@pytest.mark.logs_error("task failed")
def test_in_vain(): ...

@pytest.mark.logs_error("task failed", "aiokafka")
@pytest.mark.may_log_error("asyncio")
def test_declared(logged_errors):
    logged_errors.allow("never")
    logging.getLogger("aiokafka.client").error("Unable to connect")
    logs.get_logger("services.somewhere").error("task failed", task="t")

def test_looked_at():
    with capture_logs() as said:
        logs.get_logger("services.somewhere").error("task failed")
    assert said

def test_a_warning_is_no_error():
    logging.getLogger("aiokafka").warning("slow")
"""


def test_an_undeclared_error_fails_its_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    pytester.makeini("[pytest]\nmarkers =\n    logs_error\n    may_log_error\n")
    pytester.makepyfile(TESTS)

    run = pytester.runpytest_subprocess("-p", "tests.fixtures.logged_errors")

    run.assert_outcomes(passed=9, errors=6)
    run.stdout.fnmatch_lines_random(
        [
            "*ERROR at teardown of test_of_a_library *",
            "1 x logged, and not expected by the test: [[]aiokafka[]] Unable to connect",
            "*ERROR at teardown of test_of_ours *",
            "1 x logged, and not expected by the test: task failed {'task': 't'}",
            "*ERROR at teardown of test_of_ours_with_logging_configured *",
            "1 x logged, and not expected by the test: [[]services.somewhere[]] task failed {'task': 't'*",
            "*ERROR at teardown of test_of_a_task_that_nobody_awaits *",
            "1 x logged, and not expected by the test: [[]asyncio[]] Task exception was never retrieved*",
            "*ERROR at teardown of test_of_a_process *",
            "1 x logged, and not expected by the test: [[]services.somewhere[]] request failed (in ingest.log)*",
            "*ERROR at teardown of test_in_vain *",
            "not logged, although expected: task failed",
        ]
    )


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param('{"level": "error", "event": "batch failed", "logger": "a.b"}', ["batch failed"], id="json"),
        pytest.param('{"level": "critical", "event": "worker ends itself"}', ["worker ends itself"], id="critical"),
        pytest.param('{"level": "warning", "event": "retried"}', [], id="a warning"),
        pytest.param(
            "2026-11-29T13:11:53Z [error    ] batch failed                   [services.x] offsets=['0:1']",
            ["batch failed"],
            id="text",
        ),
        pytest.param("2026-11-29T13:11:53Z [info     ] an [error] was mended [services.x]", [], id="text, info"),
        pytest.param('{"level": "error", "eve', [], id="cut off"),
        pytest.param("ERROR:  relation does not exist", [], id="of a database"),
    ],
)
def test_an_error_is_recognised_in_the_log_of_a_process(line: str, found: list[str]) -> None:
    assert [error.message for error in errors_in("worker.log", [line])] == found


def test_a_logger_is_declared_with_all_below_it() -> None:
    errors = LoggedErrors([LoggedError("aiokafka.client", "away"), LoggedError("aiokafkaesque", "away")])
    errors.allow("aiokafka")

    assert [finding.rpartition(": ")[2] for finding in errors.findings()] == ["[aiokafkaesque] away"]
