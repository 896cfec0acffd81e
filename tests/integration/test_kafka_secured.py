"""TLS and users on Apache Kafka: the whole way of a touchpoint, and every refusal as one line with the setting."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.runtime.addresses.brokers import Brokers
from services.runtime.kafka.access_check import find_problem
from services.runtime.kafka.log_ends import cluster_line
from services.runtime.kafka.producer import KafkaProducer
from services.runtime.kafka.record import ProducerRecord
from services.runtime.kafka.topics import ensure_topics
from services.runtime.settings import CommonSettings
from tests.fixtures.alerts_service import client_of
from tests.fixtures.authority import Authority
from tests.fixtures.command import WAYMARK, run_waymark
from tests.fixtures.ingest import IngestServer, a_touchpoint, make_key
from tests.fixtures.secured_kafka import PASSWORD, SecuredKafka, secured_kafka
from tests.waiting import until
from waymark.launchers.child_process import ChildProcess, free_port
from waymark.topics.declared_topics import declared

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

SOON_S = 15.0
"""A refused start is over after a second or two; a loaded machine needs longer to load Python."""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


def brokers(settings: dict[str, str]) -> Brokers:
    return CommonSettings.load(settings).brokers


def by_certificate(secured: SecuredKafka, **more: str) -> dict[str, str]:
    mutual = secured.authority.sign("mutual")
    return {
        "WAYMARK_KAFKA": secured.certificates,
        "WAYMARK_KAFKA_SECURITY_PROTOCOL": "SSL",
        "WAYMARK_KAFKA_CA_FILE": str(secured.authority.file),
        "WAYMARK_KAFKA_CERT_FILE": str(mutual.cert),
        "WAYMARK_KAFKA_KEY_FILE": str(mutual.key),
        **more,
    }


async def test_every_way_to_come_in_comes_in(secured: SecuredKafka) -> None:
    ways = [secured.settings("operator", name) for name in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")]
    for settings in (*ways, by_certificate(secured)):
        place = brokers(settings)
        assert await find_problem(place) is None
        assert await cluster_line(place) == await cluster_line(secured.plain)
        assert await ensure_topics(place, declared(1)) == []
        producer = KafkaProducer(place, client_id="test")
        await producer.publish([ProducerRecord(topic="issues", key=b"k", value=b"{}")])
        await producer.stop()


async def test_a_touchpoint_goes_all_the_way_with_the_least_rights(
    secured: SecuredKafka, database: str, tmp_path: Path
) -> None:
    await ensure_topics(secured.plain, declared(1))
    await secured.grant()
    alerts_port = free_port()
    with ExitStack() as processes:
        start(processes, "journey", secured, database, tmp_path, WAYMARK_JOURNEY_PORT="0")
        start(processes, "alerts", secured, database, tmp_path, WAYMARK_ALERTS_PORT=str(alerts_port))
        settings = {**secured.settings("ingest"), "WAYMARK_KAFKA_IDEMPOTENCE": "true"}
        ingest = processes.enter_context(
            IngestServer(folder=tmp_path, database=database, bootstrap=secured.users, settings=settings)
        )
        key = make_key(database, "ivr")
        now = time.time()
        calls = [
            a_touchpoint(
                f"call-{number}",
                occurred_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 3600 * (4 - number))),
                direction="inbound",
                reason="billing",
                customer={"customer_id": "C-1009"},
            )
            for number in range(3)
        ]
        assert ingest.post(key, {"touchpoints": calls})[0] == 202
        assert ingest.post(key, {"touchpoints": [{"id": "no touchpoint"}]})[0] == 422  # a dead letter is written

        async with client_of(f"http://127.0.0.1:{alerts_port}", database) as api:

            async def issues() -> bool:
                try:
                    return bool(await api.issues())
                except OSError:
                    return False

            await until(issues, within=90)
        examined = run("doctor", "--json", environ={**secured.settings("operator"), "WAYMARK_POSTGRES": database})
        letters = run("dlq", "list", "--json", environ={**secured.settings("operator"), "WAYMARK_POSTGRES": database})
    found = {finding["name"]: finding["verdict"] for finding in json.loads(examined.stdout)["findings"]}
    assert (found["kafka"], found["topics"]) == ("fine", "fine")
    assert letters.returncode == 0, letters.stderr
    assert "no touchpoint" in letters.stdout
    logs = said_in(tmp_path)
    assert "AuthorizationFailed" not in logs
    assert PASSWORD not in logs


def said_in(folder: Path) -> str:
    return "".join(log.read_text() for log in folder.glob("*.log"))


def start(processes: ExitStack, name: str, secured: SecuredKafka, database: str, folder: Path, **more: str) -> None:
    environ = {"PATH": os.environ["PATH"], "WAYMARK_POSTGRES": database, **secured.settings(name), **more}
    child = ChildProcess(name, [WAYMARK, "serve", name], log=folder / f"{name}.log", env=environ)
    child.start()
    processes.callback(child.stop, within_s=20.0)


def run(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run_waymark(*arguments, environ={"WAYMARK_DATA_DIR": "/nowhere", **environ})


def wrong(secured: SecuredKafka, stranger: Authority) -> list[tuple[dict[str, str], str, str]]:
    """Settings that cannot work, the variable that is to be named, and a word of what is said of it."""
    good = secured.settings("operator")
    host, _, port = secured.users.partition(":")
    assert host == "localhost"
    protocol, name = "WAYMARK_KAFKA_SECURITY_PROTOCOL", "WAYMARK_KAFKA_SASL_USERNAME, WAYMARK_KAFKA_SASL_PASSWORD"
    unknown = stranger.sign("stranger")
    without_user = {key: value for key, value in good.items() if "SASL_" not in key}
    return [
        ({**good, "WAYMARK_KAFKA_SASL_PASSWORD": PASSWORD + "x"}, name, "refuses this user"),
        ({**good, "WAYMARK_KAFKA_SASL_MECHANISM": "PLAIN", "WAYMARK_KAFKA_SASL_PASSWORD": "x"}, name, "PLAIN"),
        ({**good, "WAYMARK_KAFKA_SASL_USERNAME": "nobody"}, name, "refuses this user"),
        ({**good, "WAYMARK_KAFKA_CA_FILE": str(stranger.file)}, "WAYMARK_KAFKA_CA_FILE", "not believed"),
        ({**good, "WAYMARK_KAFKA_CA_FILE": ""}, "WAYMARK_KAFKA_CA_FILE", "not believed"),
        ({**good, "WAYMARK_KAFKA": f"127.0.0.1:{port}"}, "WAYMARK_KAFKA", "another host name"),
        ({"WAYMARK_KAFKA": secured.users}, protocol, "speaks TLS"),
        ({**good, "WAYMARK_KAFKA": secured.plain}, protocol, "does not speak TLS"),
        ({**without_user, protocol: "SSL"}, protocol, "no user; set SASL_SSL"),
        ({**good, "WAYMARK_KAFKA": secured.certificates}, "WAYMARK_KAFKA_CERT_FILE", "asks for a certificate"),
        (
            by_certificate(secured, WAYMARK_KAFKA_CERT_FILE=str(unknown.cert), WAYMARK_KAFKA_KEY_FILE=str(unknown.key)),
            "WAYMARK_KAFKA_CERT_FILE",
            "asks for a certificate",
        ),
    ]


async def test_every_wrong_setting_is_named_and_not_tried_again(secured: SecuredKafka, tmp_path: Path) -> None:
    for settings, variable, words in wrong(secured, Authority(tmp_path, "stranger")):
        started = time.monotonic()
        trouble = await find_problem(brokers(settings))
        assert trouble is not None
        assert trouble.wrong, trouble
        assert trouble.text.startswith(f"{variable}: "), trouble
        assert words in trouble.text
        assert PASSWORD not in trouble.text
        assert time.monotonic() - started < SOON_S


@pytest.mark.parametrize("process", ["ingest", "journey", "alerts"])
def test_a_process_with_a_wrong_password_ends_with_one_line(secured: SecuredKafka, database: str, process: str) -> None:
    environ = {**secured.settings(process), "WAYMARK_KAFKA_SASL_PASSWORD": "wrong-word", "WAYMARK_POSTGRES": database}
    environ |= {f"WAYMARK_{name}_PORT": "0" for name in ("INGEST", "JOURNEY", "ALERTS")}
    ended = run("serve", process, environ=environ)

    assert ended.returncode == 2
    assert "WAYMARK_KAFKA_SASL_PASSWORD" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "wrong-word" not in ended.stderr


@pytest.mark.parametrize("command", [("topics",), ("dlq", "list"), ("doctor",)])
def test_a_command_with_a_wrong_password_says_so_in_one_line(
    secured: SecuredKafka, database: str, command: tuple[str, ...]
) -> None:
    environ = {**secured.settings("operator"), "WAYMARK_KAFKA_SASL_PASSWORD": "wrong-word"}
    ended = run(*command, environ={**environ, "WAYMARK_POSTGRES": database})

    assert ended.returncode in {1, 2}
    assert "WAYMARK_KAFKA_SASL_PASSWORD" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "wrong-word" not in ended.stdout + ended.stderr


async def test_an_address_where_nobody_listens_is_no_wrong_setting() -> None:
    trouble = await find_problem(Brokers(servers=f"127.0.0.1:{free_port()},no-such-host.invalid:9092"))

    assert trouble is not None
    assert not trouble.wrong
    assert trouble.text.startswith("WAYMARK_KAFKA: nobody answers")
