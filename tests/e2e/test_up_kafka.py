import json
import signal
from collections.abc import Callable

import pytest

from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]


def test_apache_kafka_keeps_its_log_and_its_line_over_a_restart(up: Callable[..., WaymarkUp]) -> None:
    stack = up("--broker", "kafka")
    ready = stack.ready()
    assert "MEMORY ONLY" not in stack.said()
    assert stack.run("send", "-k", "call_started", "-c", "customer_id=C-1").returncode == 0
    examined = json.loads(stack.run("doctor", "--json").stdout)
    verdicts = {finding["name"]: finding["verdict"] for finding in examined["findings"]}
    assert verdicts.pop("endpoints") == "look", "there is none yet, so nobody is told"
    assert set(verdicts.values()) == {"fine"}, examined
    (line,) = (finding["detail"] for finding in examined["findings"] if finding["name"] == "kafka")
    assert stack.stop(signal.SIGTERM) == 0

    again = up("--broker", "kafka", "--data-dir", str(stack.data))
    assert again.ready()["keys"] == ready["keys"]
    after = json.loads(again.run("doctor", "--json", WAYMARK_DATA_DIR=str(stack.data)).stdout)
    (line_after,) = (finding["detail"] for finding in after["findings"] if finding["name"] == "kafka")
    assert line.rpartition("line ")[2] == line_after.rpartition("line ")[2]
    assert after["healthy"]

    again.child("kafka.Kafka").kill()
    until_sync(lambda: again.process.poll() is not None, within=60)
    assert "Apache Kafka node 1 ended with code -9" in again.said()
