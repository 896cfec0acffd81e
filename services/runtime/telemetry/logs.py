"""Structured logs: one line for each decision, constant events with fields, nothing personal.

Leaves *what* to log to the callers. Field names that could carry a person's data are refused here as the last guard,
because a log line outlives every deletion request.
"""

import logging
import sys
import time
import traceback
from collections.abc import Iterator, MutableMapping
from types import TracebackType
from typing import Any

import structlog

FORBIDDEN_FIELDS = frozenset(
    {
        "authorization",
        "body",
        "cookie",
        "customer",
        "email",
        "identifier",
        "path",
        "phone",
        "secret",
        "text",
        "url",
        "value",
    }
)
"""Fields that must not reach a log; an engineer who adds one sees `<withheld>` at once."""

_QUIETER = ("aiohttp.access", "aiokafka", "faust", "httpcore2", "httpx2", "mode", "uvicorn.access", "uvicorn.error")
"""Libraries whose info lines repeat ours, or name URLs, where identifiers stand."""

_REPETITIVE = frozenset({"aiokafka", "faust", "mode", "opentelemetry"})
"""Libraries that say the same hundreds of times a second while a broker is away: measured, 20,000 lines in 12 s."""

REPEAT_AFTER_S = 10.0

_QUOTING_STATES = ("22", "23", "44", "P0")
"""Classes of SQLSTATE whose message may repeat what was to be stored; a DETAIL (a row, a key) does so in any class."""

_PLACES = ("schema_name", "table_name", "column_name", "constraint_name")
"""Where a database says that it failed; these are names of ours."""


class RepeatFilter(logging.Filter):
    """Lets each message of a repetitive library pass once per period, with the number of repeats held back."""

    def __init__(self, every_s: float = REPEAT_AFTER_S) -> None:
        super().__init__()
        self._every_s = every_s
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write the record; `repeated` on it counts those that were not written before it."""
        if record.name.partition(".")[0] not in _REPETITIVE:
            return True
        message, now = (record.name, str(record.msg)), time.monotonic()
        since, held_back = self._said.get(message, (-self._every_s, 0))
        if now - since < self._every_s:
            self._said[message] = (since, held_back + 1)
            return False
        self._said[message] = (now, 0)
        record.repeated = held_back
        return True


def configure(service: str, level: str = "info", log_format: str = "json") -> None:
    """Send all logs of this process to standard error, named `service`, at `level`, as `json` or `text`."""
    number = logging.getLevelNamesMapping()[level.upper()]
    sys.excepthook = _log_uncaught
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _withhold_personal_fields,
        _count_repeats,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(_traceback),
                _service_field(service),
                renderer,
            ],
        )
    )
    handler.addFilter(RepeatFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _QUIETER:
        logging.getLogger(name).setLevel(max(logging.WARNING, number))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one module; events are constant strings, everything that varies is a field."""
    return structlog.stdlib.get_logger(name)


def describe_error(error: BaseException) -> str:
    """Return what kind of error it is and what it says, without values that people gave.

    A database's error keeps its SQLSTATE and the names of table, column and constraint; one of validation keeps which
    member failed and how. Neither keeps what stood there.
    """
    kind = type(error).__name__
    if (state := getattr(error, "sqlstate", None)) is not None:
        diagnosis = getattr(error, "diag", error)  # psycopg has the names there, asyncpg on the error itself
        places = [f"{name}={found}" for name in _PLACES if (found := getattr(diagnosis, name, None))]
        message = "" if str(state).startswith(_QUOTING_STATES) else str(error).partition("\n")[0]
        return " ".join(part for part in (f"{kind} [{state}]", *places, message) if part)
    if callable(findings := getattr(error, "errors", None)):
        found = [f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in findings()[:20]]
        return f"{kind}: {'; '.join(found)}"
    return "".join(traceback.format_exception_only(error)).rstrip()


def _traceback(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """Return a traceback as Python has it, with `describe_error` in the place of each error's own text."""
    return "\n".join(_chain_lines(exc_info[1], set()))


def _chain_lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _chain_lines(before, seen)
        yield "\nwhich led to:\n"
    yield "Traceback (most recent call last):"
    yield from (line.rstrip("\n") for line in traceback.format_tb(error.__traceback__))
    yield describe_error(error)
    if isinstance(error, BaseExceptionGroup):
        for number, one in enumerate(error.exceptions, 1):
            yield f"\n{number} of {len(error.exceptions)}:"
            yield from _chain_lines(one, seen)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What a process says that a failure ends; Python would print the error's own text."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    get_logger(__name__).critical("process ends by a failure", exc_info=(kind, error, trace))


def _withhold_personal_fields(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for field in FORBIDDEN_FIELDS & event.keys():
        event[field] = "<withheld>"
    return event


def _count_repeats(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say how often a library's message was held back, where it was."""
    if held_back := getattr(event.get("_record"), "repeated", 0):
        event["repeated"] = held_back
    return event


def _service_field(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add
