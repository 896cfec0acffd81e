"""A real PostgreSQL with TLS: the right authority and the right name get through, all else is refused in one line.

By both drivers, the services' and the commands', and by the real processes.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.runtime.postgres.pools import acquire, close_pool, create_pool, ping
from services.runtime.process.startup import DependencyUnavailableError, open_postgres
from services.runtime.settings import SettingsError
from tests.fixtures.authority import Authority
from tests.fixtures.command import run_waymark
from tests.fixtures.tls_postgres import NAME, PASSWORD, TlsPostgres
from waymark.console import CommandError
from waymark.database import open_transaction
from waymark.launchers.child_process import free_port
from waymark.migrations.migrate import migrate

pytestmark = pytest.mark.tls

_USES_TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
SERVICES = ("ingest", "journey", "journey-api", "alerts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A server that `ours` signed for by its name alone; `theirs` has nothing to do with it."""

    server: TlsPostgres
    ours: Authority
    theirs: Authority

    def full(self, authority: Authority, *more: str) -> str:
        """The parameters that verify everything."""
        return "&".join(("sslmode=verify-full", f"sslrootcert={authority.file}", *more))


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    with TlsPostgres(ours.sign("server", hosts=[NAME])) as server:
        yield Ground(server=server, ours=ours, theirs=theirs)


@pytest.fixture(scope="module")
def plain() -> Iterator[TlsPostgres]:
    with TlsPostgres(None) as server:
        yield server


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A server that takes only clients with a certificate of `ours`."""
    folder = tmp_path_factory.mktemp("mutual")
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    with TlsPostgres(ours.sign("server", hosts=[NAME]), clients=ours.file) as server:
        yield Ground(server=server, ours=ours, theirs=theirs)


async def uses_tls(url: str) -> bool:
    """Whether a service's session is encrypted, as the server says."""
    pool = await open_postgres(lambda: create_pool(url, application_name="test", writes=True), within_s=1.0)
    try:
        assert (await ping(pool)).ok
        async with acquire(pool) as connection:
            found: bool = await connection.fetchval(_USES_TLS)
            return found
    finally:
        await close_pool(pool)


async def commands_use_tls(url: str) -> bool:
    async with open_transaction(url) as command:
        found: bool = await command.fetchval(_USES_TLS)
        return found


async def refused_to_services(url: str) -> str:
    with pytest.raises(SettingsError) as refused:
        await open_postgres(lambda: create_pool(url, application_name="test"), within_s=1.0)
    (problem,) = refused.value.problems
    return problem


async def refused_to_commands(url: str) -> str:
    with pytest.raises(CommandError) as refused:
        async with open_transaction(url):
            pass
    assert refused.value.exit_code == 2, refused.value
    return str(refused.value).splitlines()[-1].strip()


async def refused(url: str) -> str:
    """What both drivers' refusals say, which is the same."""
    problem = await refused_to_services(url)
    assert await refused_to_commands(url) == problem
    assert problem.startswith("WAYMARK_POSTGRES: ")
    assert PASSWORD not in problem
    return problem


async def test_services_migrations_and_commands_verify_the_server_in_full(ground: Ground) -> None:
    url = ground.server.url(ground.full(ground.ours))

    assert await uses_tls(url)
    assert migrate(url).up_to_date
    assert await commands_use_tls(url)


async def test_a_server_that_another_authority_vouches_for_is_refused(ground: Ground) -> None:
    problem = await refused(ground.server.url(ground.full(ground.theirs)))

    assert "the server's certificate is refused: " in problem
    assert "sslrootcert" in problem


async def test_a_server_by_a_name_that_its_certificate_lacks_is_refused(ground: Ground) -> None:
    problem = await refused(ground.server.url(ground.full(ground.ours), host="127.0.0.1"))

    assert "127.0.0.1" in problem
    assert "the server's certificate is refused: " in problem


async def test_an_authority_is_enough_where_the_name_is_not_asked_for(ground: Ground) -> None:
    parameters = f"sslmode=verify-ca&sslrootcert={ground.ours.file}"

    assert await uses_tls(ground.server.url(parameters, host="127.0.0.1"))


async def test_a_server_without_tls_is_refused_where_the_url_asks_for_it(plain: TlsPostgres, ground: Ground) -> None:
    for parameters in (ground.full(ground.ours), "sslmode=require"):
        assert "has no TLS there" in await refused(plain.url(parameters))
    assert not await uses_tls(plain.url("sslmode=prefer"))


async def test_whom_the_machine_trusts_is_believed_and_nobody_else(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = ground.server.url("sslmode=verify-full&sslrootcert=system")

    assert "the server's certificate is refused: " in await refused(url)
    monkeypatch.setenv("SSL_CERT_FILE", str(ground.ours.file))  # now the machine trusts it
    assert await uses_tls(url)
    assert await commands_use_tls(url)


async def test_nobody_to_believe_is_said_with_both_ways_to_name_somebody(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    problem = await refused(ground.server.url("sslmode=verify-full"))

    assert "sslrootcert=FILE" in problem
    assert "sslrootcert=system" in problem


async def test_a_certificate_of_our_own_is_shown_where_the_server_asks_for_one(mutual: Ground) -> None:
    known = mutual.ours.sign("waymark", password="opens")
    shown = f"sslcert={known.cert}&sslkey={known.key}&sslpassword=opens"
    url = mutual.server.url(mutual.full(mutual.ours, shown))

    assert await uses_tls(url)
    assert await commands_use_tls(url)
    without = await refused(mutual.server.url(mutual.full(mutual.ours)))
    assert "does not let this user in" in without


async def test_a_server_that_speaks_only_newer_tls_than_the_url_allows_is_refused(ground: Ground) -> None:
    with TlsPostgres(ground.ours.sign("newer", hosts=[NAME]), settings=["ssl_min_protocol_version = 'TLSv1.3'"]) as one:
        problem = await refused(one.url(ground.full(ground.ours, "ssl_max_protocol_version=TLSv1.2")))
    assert "TLS with the server fails" in problem


async def test_a_server_that_is_away_is_no_wrong_setting(ground: Ground) -> None:
    url = ground.server.url(ground.full(ground.ours)).replace(f":{ground.server.port}/", f":{free_port()}/")

    with pytest.raises(DependencyUnavailableError, match="WAYMARK_POSTGRES: no PostgreSQL answered"):
        await open_postgres(lambda: create_pool(url, application_name="test"), within_s=0.1, pause_s=0.05)
    with pytest.raises(CommandError, match=r"WAYMARK_POSTGRES: PostgreSQL cannot be used: .* refused") as away:
        async with open_transaction(url):
            pass
    assert away.value.exit_code == 1


def run(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    environ = {"WAYMARK_DATA_DIR": "/nowhere", "WAYMARK_POSTGRES": url}
    environ |= {f"WAYMARK_{name}_PORT": "0" for name in ("INGEST", "JOURNEY", "JOURNEY_API", "ALERTS")}
    environ["WAYMARK_KAFKA"] = f"127.0.0.1:{free_port()}"
    return run_waymark(*arguments, environ=environ)


@pytest.mark.parametrize("arguments", [*(("serve", name) for name in SERVICES), ("migrate",), ("keys", "list")])
def test_every_process_and_command_refuses_in_one_line(ground: Ground, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments, url=ground.server.url(ground.full(ground.theirs)))

    assert ended.returncode == 2, ended.stderr
    assert "WAYMARK_POSTGRES: the server's certificate is refused" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert PASSWORD not in ended.stderr


def test_doctor_names_a_certificate_that_is_refused_and_is_content_with_the_right_one(ground: Ground) -> None:
    migrate(ground.server.url(ground.full(ground.ours)))
    wrong = run("doctor", "--json", url=ground.server.url(ground.full(ground.theirs)))
    right = run("doctor", "--json", url=ground.server.url(ground.full(ground.ours)))

    assert "WAYMARK_POSTGRES: the server's certificate is refused" in wrong.stdout
    assert '"detail": "postgresql://waymark@localhost' in right.stdout
    assert "migrations" in right.stdout
