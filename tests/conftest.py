"""What every test may ask for comes from `tests/fixtures`, a module a subject; `tests/README.md` lists it.

Only what is quickly imported stands here: a unit test should not load the services for fixtures that it does not use.
"""

import signal

pytest_plugins = (
    "tests.fixtures.clock",
    "tests.fixtures.kafka",
    "tests.fixtures.logged_errors",
    "tests.fixtures.logging_state",
    "tests.fixtures.postgres",
    "tests.fixtures.property_settings",
    "tests.fixtures.shared_data",
)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the suite in the background has it ignore Ctrl-C, and so would what a test stops.
    signal.signal(signal.SIGINT, signal.default_int_handler)
