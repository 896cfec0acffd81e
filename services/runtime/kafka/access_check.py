"""Finds out why Kafka cannot be reached: whether a setting is wrong, or a server is away.

aiokafka tries again for ever, and tells an outage, a wrong password and an unknown certificate apart in its own log at
most. This module asks each server once, directly. Leaves waiting and giving up to its callers.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from services.runtime.addresses import value_forms
from services.runtime.addresses.brokers import Brokers

WITHIN_S: Final = 5.0
"""How long one server has to answer."""

_FAILURES: Final = (KafkaError, OSError, TimeoutError, ValueError, EOFError)
_NOT_ITS_NAME: Final = frozenset({62, 64})
_OUT_OF_DATE: Final = frozenset({9, 10})
"""OpenSSL's numbers of what is wrong with a certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaProblem:
    """Why Kafka cannot be used, in one line. `wrong`: a setting has to change; otherwise the server may still come."""

    text: str
    wrong: bool


@dataclass(frozen=True, slots=True)
class _BrokerAddress:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def find_problem(brokers: Brokers, *, within_s: float = WITHIN_S) -> KafkaProblem | None:
    """Ask the bootstrap servers and those that they advertise; return None where at least one of each answers."""
    places = [_place(server) for server in value_forms.words(brokers.servers)]
    asked = await asyncio.gather(*(_ask(place, brokers, within_s) for place in places))
    answers = [answer for answer in asked if not isinstance(answer, KafkaProblem)]
    if not answers:
        return _worst(asked)
    told = {place for answer in answers for place in answer} - set(places)
    if not told:
        return None
    sent_on = await asyncio.gather(*(_ask(place, brokers, within_s) for place in sorted(told, key=str)))
    if len(told) < len(answers[0]) or not all(isinstance(answer, KafkaProblem) for answer in sent_on):
        return None
    trouble = _worst(sent_on)
    text = f"{trouble.text} (the bootstrap servers answer, and send clients there: advertised.listeners of the broker)"
    return KafkaProblem(text=text, wrong=trouble.wrong)


def _worst(asked: list[Any]) -> KafkaProblem:
    troubles = [one for one in asked if isinstance(one, KafkaProblem)]
    return next((one for one in troubles if one.wrong), troubles[0])


def _place(server: str) -> _BrokerAddress:
    host, _, port = server.rpartition(":")
    return _BrokerAddress(host.strip("[]"), int(port))


async def _ask(place: _BrokerAddress, brokers: Brokers, within_s: float) -> list[_BrokerAddress] | KafkaProblem:
    """Return where the brokers are, as this server says, or why it does not."""
    connection: AIOKafkaConnection | None = None
    try:
        async with asyncio.timeout(within_s):
            connection = await create_conn(
                place.host,
                place.port,
                client_id="waymark-access",
                request_timeout_ms=int(within_s * 1000),
                **brokers.door,
            )
            answer: Any = await connection.send(MetadataRequest([]))
            return [_BrokerAddress(str(broker[1]), int(broker[2])) for broker in answer.brokers]
    except _FAILURES as error:
        return await _explained(error, place, brokers, met=connection is not None, within_s=within_s)
    finally:
        if connection is not None:
            connection.close()


async def _explained(
    error: BaseException, place: _BrokerAddress, brokers: Brokers, *, met: bool, within_s: float
) -> KafkaProblem:
    if isinstance(error, ssl.SSLCertVerificationError):  # first: it is a ValueError, as a wrong signature by SCRAM is
        return KafkaProblem(text=_certificate_refused(error, place), wrong=True)
    if isinstance(error, SaslAuthenticationFailed | UnsupportedSaslMechanismError | IllegalSaslStateError | ValueError):
        return KafkaProblem(text=_name_refused(error, place, brokers), wrong=True)
    if isinstance(error, ConnectionRefusedError | TimeoutError) or _is_unknown_host(error):
        return KafkaProblem(text=f"WAYMARK_KAFKA: nobody answers at {place} ({_kind(error)})", wrong=False)
    if (text := await _other_protocol(place, brokers, met=met, within_s=within_s)) is not None:
        return KafkaProblem(text=text, wrong=True)
    return KafkaProblem(text=f"WAYMARK_KAFKA: {place} breaks the connection off ({_kind(error)})", wrong=False)


def _name_refused(error: BaseException, place: _BrokerAddress, brokers: Brokers) -> str:
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"WAYMARK_KAFKA_SASL_MECHANISM: Kafka at {place} does not take {brokers.mechanism}; ask which it takes"
    if isinstance(error, IllegalSaslStateError):
        plain = brokers.protocol.removeprefix("SASL_")
        return f"WAYMARK_KAFKA_SECURITY_PROTOCOL: Kafka at {place} asks for no user there; set {plain}"
    return (
        f"WAYMARK_KAFKA_SASL_USERNAME, WAYMARK_KAFKA_SASL_PASSWORD: Kafka at {place} refuses this user with this "
        f"password by {brokers.mechanism}"
    )


def _certificate_refused(error: ssl.SSLCertVerificationError, place: _BrokerAddress) -> str:
    if error.verify_code in _NOT_ITS_NAME:
        return (
            f"WAYMARK_KAFKA: the certificate of Kafka at {place} is for another host name; give the servers by the "
            "names that stand in it"
        )
    if error.verify_code in _OUT_OF_DATE:
        return f"WAYMARK_KAFKA: the certificate of Kafka at {place} is out of date, or the clock of this machine is"
    return (
        f"WAYMARK_KAFKA_CA_FILE: who signed the certificate of Kafka at {place} is not believed; give the PEM file of "
        "the authority that signed it"
    )


async def _other_protocol(place: _BrokerAddress, brokers: Brokers, *, met: bool, within_s: float) -> str | None:
    """Return which protocol the listener speaks where it is another than ours."""
    name = f"WAYMARK_KAFKA_SECURITY_PROTOCOL: Kafka at {place}"
    ours, with_tls = brokers.protocol, brokers.tls is not None
    if not with_tls and await _speaks_tls(place, within_s):
        wanted = "SASL_SSL" if brokers.names_itself else "SSL or SASL_SSL"
        return f"{name} speaks TLS there, and {ours} does not; set {wanted}"
    if with_tls and await _speaks_plainly(place, within_s):
        return f"{name} does not speak TLS there; set {'SASL_PLAINTEXT' if brokers.names_itself else 'PLAINTEXT'}"
    if with_tls and not met:
        return f"WAYMARK_KAFKA_CERT_FILE: Kafka at {place} asks for a certificate that it knows"
    if met and not brokers.names_itself:
        return f"{name} answers nobody who gives no user; set SASL_{ours} with user and password"
    return None


async def _speaks_tls(place: _BrokerAddress, within_s: float) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent: only whether there is TLS at all
    try:
        async with asyncio.timeout(within_s):
            _, writer = await asyncio.open_connection(place.host, place.port, ssl=context)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


async def _speaks_plainly(place: _BrokerAddress, within_s: float) -> bool:
    """Whether the listener answers the first question of every client without TLS; no name is given."""
    try:
        async with asyncio.timeout(within_s):
            connection = await create_conn(
                place.host, place.port, client_id="waymark-access", security_protocol="PLAINTEXT"
            )
    except _FAILURES:
        return False
    connection.close()
    return True


def _is_unknown_host(error: BaseException) -> bool:
    return type(error).__name__ == "gaierror"


def _kind(error: BaseException) -> str:
    if _is_unknown_host(error):
        return "the host name is not known"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "connection refused" if isinstance(error, ConnectionRefusedError) else type(error).__name__
