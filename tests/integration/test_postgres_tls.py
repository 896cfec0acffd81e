"""TLS to the database: the right authority and the right name get through, all else is refused, by both drivers.

The embedded PostgreSQL was built without TLS, so PgBouncer ends it here; to a driver the two begin it alike.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.runtime.database.address import Pooler
from services.runtime.postgres import Place, acquire, close_pool, create_pool
from services.runtime.settings import SettingsError
from tests.pgbouncer import PgBouncer
from waymark.console import CommandError
from waymark.database import connected
from waymark.migrate import migrate
from waymark.stack.postgres import Postgres

pytestmark = pytest.mark.pgbouncer

NAME = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Signs certificates; `file` is its own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    file: Path


def make_authority(folder: Path, name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    who = named(name)
    certificate = (
        started(who, who, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.crt"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(key=key, certificate=certificate, file=file)


def certify(authority: Authority, folder: Path) -> None:
    """Write `server.crt` and `server.key` for the name, not for the address."""
    key = ec.generate_private_key(ec.SECP256R1())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        started(named("server"), authority.certificate.subject, key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(above, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    (folder / "server.key").chmod(0o600)


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def started(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What has a certificate of `ours` stands before the database; `theirs` has nothing to do with it."""

    pooler: PgBouncer
    ours: Authority
    theirs: Authority

    def url(self, authority: Authority, *, host: str = NAME) -> str:
        place = f"{self.pooler.url().replace('127.0.0.1', host)}?sslmode=verify-full"
        return f"{place}&sslrootcert={authority.file}"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = make_authority(folder, "ours"), make_authority(folder, "theirs")
    certify(ours, folder)
    with (
        Postgres(folder / "postgres", settings=("fsync=off",)) as server,
        PgBouncer(folder / "pgbouncer", server, "session", tls=folder) as pooler,
    ):
        yield Ground(pooler=pooler, ours=ours, theirs=theirs)


def through(url: str) -> Place:
    return Place(url=url, pooler=Pooler.SESSION)


async def test_services_and_migrations_verify_the_server_in_full(ground: Ground) -> None:
    url = ground.url(ground.ours)
    pool = await create_pool(through(url), application_name="test", writes=True)
    try:
        async with acquire(pool) as connection:
            assert await connection.fetchval("SELECT 1") == 1
    finally:
        await close_pool(pool)
    assert (await asyncio.to_thread(migrate, url)).up_to_date
    with connected(url) as command:
        assert command.pgconn.ssl_in_use


async def test_a_server_that_another_authority_vouches_for_is_refused(ground: Ground) -> None:
    url = ground.url(ground.theirs)
    with pytest.raises(SettingsError, match="WAYMARK_POSTGRES: the server's certificate is refused: unable to get"):
        await create_pool(through(url), application_name="test")
    with pytest.raises(CommandError, match="certificate verify failed"), connected(url):
        pass


async def test_a_server_by_a_name_that_its_certificate_lacks_is_refused(ground: Ground) -> None:
    url = ground.url(ground.ours, host=str(ip_address("127.0.0.1")))
    with pytest.raises(SettingsError, match=r"certificate is refused: IP address mismatch.*127\.0\.0\.1"):
        await create_pool(through(url), application_name="test")
    with pytest.raises(CommandError, match=r'does not match host name "127\.0\.0\.1"'), connected(url):
        pass
