"""How Kafka is reached: bootstrap servers, TLS, and who we are, as one value from which every client is made.

Leaves reading the environment to `settings` and connecting to the clients. Plain text, `host:port,…`, means brokers
that ask for neither TLS nor a name.
"""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from services.runtime.addresses import value_forms

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brokers:
    """Bootstrap servers, `host:port,…`, and what they ask of a client. `tls` is None where the protocol has none."""

    servers: str
    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """The servers, for messages."""
        return self.servers

    @property
    def names_itself(self) -> bool:
        """Whether a client gives a user and a password."""
        return self.protocol.startswith("SASL_")

    @property
    def options(self) -> dict[str, Any]:
        """What every client of aiokafka's is made with."""
        return {"bootstrap_servers": self.servers, **self.door}

    @property
    def door(self) -> dict[str, Any]:
        """The options without the servers, as a single connection takes them."""
        options: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.tls}
        if self.names_itself:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


def brokers_of(given: Brokers | str) -> Brokers:
    """Return `given` as a value; text alone means plain text."""
    return Brokers(servers=given) if isinstance(given, str) else given


def check_servers(text: str) -> str:
    """Return the bootstrap servers without blanks; raises ValueError."""
    servers = value_forms.words(text)
    if not servers:
        raise ValueError("names no server; give host:port, several comma separated")
    for number, server in enumerate(servers, start=1):
        which = "the server" if len(servers) == 1 else f"server {number}"
        if "://" in server:
            msg = f"{which} begins with a scheme; give host:port alone, and WAYMARK_KAFKA_SECURITY_PROTOCOL for TLS"
            raise ValueError(msg)
        if "@" in server:
            msg = f"{which} holds a `@`; user and password go into WAYMARK_KAFKA_SASL_USERNAME and …_PASSWORD"
            raise ValueError(msg)
        found = re.fullmatch(r"(?P<host>\[[^\[\]]+\]|[^:\[\]]+):(?P<port>[^:]*)", server)
        if found is None or not value_forms.is_host(found["host"].strip("[]")):
            msg = f"{which} is not of the form host:port; an IPv6 address stands in brackets, [::1]:9092"
            raise ValueError(msg)
        if not value_forms.is_port(found["port"]):
            msg = f"the port of {which} is no number from 1 to 65535"
            raise ValueError(msg)
    doubled = sorted({server for server in servers if servers.count(server) > 1})
    if doubled:
        msg = f"server {servers.index(doubled[0]) + 1} is given twice"
        raise ValueError(msg)
    return ",".join(servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    """The settings about TLS and names, to be checked together. Empty text is a setting that was not given."""

    protocol: str
    mechanism: str
    username: str
    password: str = field(repr=False)
    ca_file: str
    cert_file: str
    key_file: str
    key_password: str = field(repr=False)

    def problems(self) -> Iterator[str]:
        """Yield what does not fit together, one sentence each, which names the variables."""
        yield from self._name_problems()
        yield from self._tls_problems()

    def _name_problems(self) -> Iterator[str]:
        given = {
            "WAYMARK_KAFKA_SASL_MECHANISM": self.mechanism,
            "WAYMARK_KAFKA_SASL_USERNAME": self.username,
            "WAYMARK_KAFKA_SASL_PASSWORD": self.password,
        }
        if self.protocol.startswith("SASL_"):
            for variable, value in given.items():
                if not value:
                    yield f"{variable}: is needed where WAYMARK_KAFKA_SECURITY_PROTOCOL is {self.protocol}"
            return
        wanted = "SASL_SSL" if self.protocol == "SSL" else "SASL_SSL (with TLS) or SASL_PLAINTEXT (without)"
        for variable, value in given.items():
            if value:
                yield f"{variable}: WAYMARK_KAFKA_SECURITY_PROTOCOL is {self.protocol}, which ignores it; set {wanted}"

    def _tls_problems(self) -> Iterator[str]:
        given = {
            "WAYMARK_KAFKA_CA_FILE": self.ca_file,
            "WAYMARK_KAFKA_CERT_FILE": self.cert_file,
            "WAYMARK_KAFKA_KEY_FILE": self.key_file,
            "WAYMARK_KAFKA_KEY_PASSWORD": self.key_password,
        }
        if not self.protocol.endswith("SSL"):
            wanted = "SASL_SSL" if self.protocol == "SASL_PLAINTEXT" else "SSL or SASL_SSL"
            for variable, value in given.items():
                if value:
                    yield f"{variable}: WAYMARK_KAFKA_SECURITY_PROTOCOL is {self.protocol}, without TLS; set {wanted}"
            return
        if self.key_file and not self.cert_file:
            yield "WAYMARK_KAFKA_KEY_FILE: needs WAYMARK_KAFKA_CERT_FILE, the certificate that the key belongs to"
        if self.key_password and not (self.key_file or self.cert_file):
            yield "WAYMARK_KAFKA_KEY_PASSWORD: there is no key; set WAYMARK_KAFKA_CERT_FILE and WAYMARK_KAFKA_KEY_FILE"

    def tls(self) -> tuple[ssl.SSLContext | None, list[str]]:
        """Return the context of the files, and what is wrong with them; None without TLS and where they are wrong."""
        if not self.protocol.endswith("SSL"):
            return None, []
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
        except (ssl.SSLError, OSError):
            return None, ["WAYMARK_KAFKA_CA_FILE: holds no certificate in PEM (a text that begins with -----BEGIN)"]
        if not self.cert_file:
            return context, []
        return self._with_certificate(context)

    def _with_certificate(self, context: ssl.SSLContext) -> tuple[ssl.SSLContext | None, list[str]]:
        asked = False

        def password() -> str:
            nonlocal asked
            asked = True
            return self.key_password

        try:
            context.load_cert_chain(self.cert_file, self.key_file or None, password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                return None, ["WAYMARK_KAFKA_KEY_FILE: is not the key of the certificate in WAYMARK_KAFKA_CERT_FILE"]
            if asked:
                return None, ["WAYMARK_KAFKA_KEY_PASSWORD: does not open the key, which is encrypted"]
            return None, ["WAYMARK_KAFKA_CERT_FILE: it or the key (WAYMARK_KAFKA_KEY_FILE) is not in PEM"]
        except (OSError, ValueError):
            return None, ["WAYMARK_KAFKA_CERT_FILE: it or the key (WAYMARK_KAFKA_KEY_FILE) cannot be read"]
        return context, []
