"""How a process meets its dependencies: it refuses a wrong setting at once and waits for an absent server.

A wrong password, database, certificate, or an address in use will not get better by waiting. Everything else is an
outage: the log says what the process waits for, and for how long.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from errno import EADDRINUSE

import asyncpg

from services.runtime.addresses.brokers import Brokers
from services.runtime.kafka.access_check import find_problem
from services.runtime.postgres.pools import Pool, is_transient, not_believed
from services.runtime.postgres.sessions import CONNECT_FAILURES, open_command_session
from services.runtime.settings import CommonSettings, Settings, SettingsError
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

WITHIN_S = 30.0
"""How long PostgreSQL has to answer at the start; then the process ends and its supervisor tries again."""

KAFKA_WITHIN_S = 60.0
PAUSE_S = 1.0
SAID_EVERY_S = 5.0

_REFUSED = {
    asyncpg.InvalidPasswordError: "PostgreSQL refuses this user with this password",
    asyncpg.InvalidAuthorizationSpecificationError: "it does not let this user in (no such user, or pg_hba.conf)",
    asyncpg.InvalidCatalogNameError: "there is no database of this name; make it, or name another after the last `/`",
    asyncpg.InsufficientPrivilegeError: "this user may not connect to the database; grant CONNECT",
    asyncpg.UndefinedObjectError: "PostgreSQL does not know a parameter that stands after the `?`; take it out",
    asyncpg.CantChangeRuntimeParamError: "a parameter that stands after the `?` cannot be set by a client; take it out",
    asyncpg.InvalidParameterValueError: "PostgreSQL does not take the value of a parameter that stands after the `?`",
}
NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedColumnError)
"""What a statement meets in a database without our tables, or with older ones."""


class DependencyUnavailableError(Exception):
    """A dependency of the process did not answer in time; the text says which, and what to check."""


@contextmanager
def explain_missing_tables() -> Iterator[None]:
    """Turn the error of a database without our tables into `DependencyUnavailableError`."""
    try:
        yield
    except NOT_MIGRATED:
        raise DependencyUnavailableError(
            "WAYMARK_POSTGRES: tables are missing there; run `waymark migrate` first"
        ) from None


async def open_postgres(
    open_pool: Callable[[], Awaitable[Pool]],
    *,
    variable: str = CommonSettings.variable_of("postgres"),
    within_s: float = WITHIN_S,
    pause_s: float = PAUSE_S,
) -> Pool:
    """Open the pool, trying again while the server is away. `variable` holds its URL.

    Raises:
        SettingsError: the URL is wrong.
        DependencyUnavailableError: nobody answered in time.
    """
    clock = asyncio.get_running_loop().time
    deadline, said = clock() + within_s, -SAID_EVERY_S
    while True:
        try:
            return await open_pool()
        except Exception as error:
            if (wrong := refusal_of(error)) is not None:
                refused = SettingsError([f"{variable}: {wrong}"])
            elif not is_transient(error):
                raise
            else:
                refused, reason = None, _reason(error)
        if refused is not None:
            raise refused  # out of the handler: a driver's error may hold what it was given
        left = deadline - clock()
        if left <= 0:
            raise DependencyUnavailableError(
                f"{variable}: no PostgreSQL answered there within {within_s:.0f} s ({reason})"
            )
        if clock() - said >= SAID_EVERY_S:
            _log.warning("PostgreSQL does not answer yet", reason=reason, waits_s=round(left))
            said = clock()
        await asyncio.sleep(min(pause_s, left))


async def find_refusal(url: str, *, within_s: float = WITHIN_S) -> str | None:
    """Open one session as the commands do, and return what is wrong with the URL that waiting will not correct."""
    try:
        async with asyncio.timeout(within_s):
            session = await open_command_session(url, application_name="waymark", writes=False)
    except CONNECT_FAILURES as error:
        return refusal_of(error)
    session.terminate()
    return None


def refusal_of(error: BaseException) -> str | None:
    """Return what is wrong with the URL where no waiting mends it, after this failure to connect."""
    for kind, text in _REFUSED.items():
        if isinstance(error, kind):
            return text
    if isinstance(error, ssl.SSLError):
        return _tls_refusal(error)
    if isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error):
        return "PostgreSQL has no TLS there; sslmode asks for it"
    if isinstance(error, asyncpg.ClientConfigurationError):
        if "root certificate" in str(error):
            return "sslmode asks whom to believe: add sslrootcert=FILE, or sslrootcert=system for whom the machine does"
        return "the driver cannot follow the URL; see its parameters after the `?`"
    return None


def _tls_refusal(error: ssl.SSLError) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return not_believed(error)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
        return None  # it went away meanwhile
    return f"TLS with the server fails ({error.reason}); see sslcert, sslnegotiation, ssl_min_protocol_version"


def _reason(error: Exception) -> str:
    return "the host name is not known" if isinstance(error, socket.gaierror) else type(error).__name__


async def probe_kafka(brokers: Brokers) -> bool:
    """Return whether Kafka answers, and log why it does not where it may still come.

    Raises:
        SettingsError: a setting makes Kafka unusable.
    """
    trouble = await find_problem(brokers)
    if trouble is None:
        return True
    if trouble.wrong:
        raise SettingsError([trouble.text])
    _log.warning("Kafka does not answer yet", reason=trouble.text)
    return False


async def await_kafka(brokers: Brokers, *, within_s: float = KAFKA_WITHIN_S) -> None:
    """Wait until Kafka answers.

    Raises:
        SettingsError: a setting keeps it from being used.
        DependencyUnavailableError: nobody answered in time.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + within_s
    while not await probe_kafka(brokers):
        if clock() > deadline:
            raise DependencyUnavailableError(f"WAYMARK_KAFKA: no Kafka answered there within {within_s:.0f} s")
        await asyncio.sleep(PAUSE_S)


def check_listening(own: type[Settings], host: str, port: int) -> None:
    """Check that `host` and `port`, settings of `own`, can be listened on.

    Raises:
        SettingsError: they cannot.
    """
    at_host, at_port = own.variable_of("host"), own.variable_of("port")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except socket.gaierror:
        problem = f"{at_host}: the host name is not known here"
    except PermissionError:
        problem = f"{at_port}: this user may not listen on a port below 1024; give a higher one"
    except OSError as error:
        taken = f"port {port} is in use already; end what listens there, or give another"
        problem = f"{at_port}: {taken}" if error.errno == EADDRINUSE else f"{at_host}: this machine has no such address"
    else:
        return
    raise SettingsError([problem])
