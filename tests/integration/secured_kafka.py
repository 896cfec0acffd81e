"""Apache Kafka as companies run it: TLS, users with SCRAM and PLAIN, client certificates, and rights for each user.

Certificates are made by the test and are for `localhost` alone. `ANONYMOUS`, who comes by the plain listener, may do
everything; the users of the services have what docs/operations.md says that they need, and nothing else.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.conn import create_conn
from aiokafka.protocol.admin import CreateAclsRequest

from tests.authority import Authority
from waymark.launchers.child_process import free_port
from waymark.launchers.kafka import BrokerSecurity, ClientListener, KafkaCluster

PASSWORD = "Kk#9/x@q?[0-waymark"
USERS = ("ingest", "journey", "alerts", "operator")

TOPIC, GROUP, LITERAL, ALLOW = 2, 3, 3, 3
READ, WRITE = 3, 4
RIGHTS: Sequence[tuple[str, int, str, int]] = (
    ("ingest", TOPIC, "touchpoints", WRITE),
    ("ingest", TOPIC, "touchpoints-rejected", WRITE),
    ("ingest", TOPIC, "touchpoints-rejected", READ),
    ("journey", TOPIC, "touchpoints", READ),
    ("journey", GROUP, "waymark-journey", READ),
    ("journey", TOPIC, "frictions", WRITE),
    ("journey", TOPIC, "journeys", WRITE),
    ("alerts", TOPIC, "frictions", READ),
    ("alerts", GROUP, "waymark-alerts", READ),
    ("alerts", TOPIC, "issues", WRITE),
)
"""What each user may do: `docs/operations.md` has the same table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A broker with a listener of each kind; addresses as `WAYMARK_KAFKA` takes them."""

    cluster: KafkaCluster
    authority: Authority
    users: str
    certificates: str

    @property
    def plain(self) -> str:
        """The listener without TLS, for who prepares."""
        return self.cluster.bootstrap

    def settings(self, user: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """What a process needs to come in as `user`."""
        return {
            "WAYMARK_KAFKA": self.users,
            "WAYMARK_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "WAYMARK_KAFKA_SASL_MECHANISM": mechanism,
            "WAYMARK_KAFKA_SASL_USERNAME": user,
            "WAYMARK_KAFKA_SASL_PASSWORD": PASSWORD,
            "WAYMARK_KAFKA_CA_FILE": str(self.authority.file),
        }

    async def grant(self) -> None:
        """Give every user its rights."""
        host, _, port = self.plain.partition(":")
        connection = await create_conn(host, int(port))
        try:
            for user, kind, name, operation in RIGHTS:
                wanted = CreateAclsRequest(kind, name, LITERAL, f"User:{user}", "*", operation, ALLOW)
                answer = await connection.send(wanted)
                assert answer.creation_responses[0][0] == 0, answer
        finally:
            connection.close()


@contextmanager
def secured_kafka(folder: Path) -> Iterator[Secured]:
    """Run a broker with TLS, users and rights."""
    authority = Authority(folder, "authority")
    store = folder / "broker.pem"
    broker = authority.sign("broker", hosts=["localhost"])
    store.write_bytes(broker.key.read_bytes() + broker.cert.read_bytes() + authority.file.read_bytes())
    users, certificates = free_port(), free_port()
    known = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
    module = "org.apache.kafka.common.security"
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:operator;User:CN=mutual",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
        "listener.name.certificates.ssl.client.auth": "required",
        **{
            f"listener.name.users.{mechanism}.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;"
            for mechanism in ("scram-sha-256", "scram-sha-512")
        },
        "listener.name.users.plain.sasl.jaas.config": f"{module}.plain.PlainLoginModule required {known};",
    }
    doors = {
        "USERS": ClientListener(port=users, advertised=users, host="localhost", protocol="SASL_SSL"),
        "CERTIFICATES": ClientListener(port=certificates, advertised=certificates, host="localhost", protocol="SSL"),
    }
    locks = BrokerSecurity(properties=properties, users=dict.fromkeys(USERS, PASSWORD))
    with KafkaCluster(folder / "kafka", doors=doors, locks=locks) as cluster:
        yield Secured(
            cluster=cluster,
            authority=authority,
            users=f"localhost:{users}",
            certificates=f"localhost:{certificates}",
        )
