"""What every test may ask for comes from `tests/fixtures`, a module a subject; `tests/README.md` lists it."""

import signal

pytest_plugins = (
    "tests.fixtures.alerts_service",
    "tests.fixtures.clock",
    "tests.fixtures.ingest",
    "tests.fixtures.journey_api",
    "tests.fixtures.kafka",
    "tests.fixtures.logging_state",
    "tests.fixtures.postgres",
    "tests.fixtures.shared_data",
    "tests.fixtures.waymark_up",
)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the suite in the background has it ignore Ctrl-C, and so would what a test stops.
    signal.signal(signal.SIGINT, signal.default_int_handler)
