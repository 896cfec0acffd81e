import json
import signal
import urllib.request
from collections.abc import Callable

import psutil
import pytest

from tests.fixtures.waymark_up import WaymarkUp, clean_environment, run
from tests.waiting import until_sync

pytestmark = [
    pytest.mark.local,
    pytest.mark.timeout(240),
    pytest.mark.may_log_error("task did not stop"),  # a relay may wait for a broker that was killed before it
]

Start = Callable[..., WaymarkUp]


def status(url: str, key: str = "") -> int:
    """The status of a GET, also when it is an error; 0 when nobody answers."""
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_up_starts_everything_tells_where_it_is_and_leaves_nothing_behind(up: Start) -> None:
    stack = up()
    ready = stack.ready()
    assert set(ready["keys"]) == {"source", "reader", "agent", "admin"}
    for service in ("ingest", "journey", "journey_api", "alerts", "console"):
        assert status(f"{ready[service]}/readyz") == 200
    family = stack.family()
    assert len(family) >= 7
    said = stack.said()
    for name in ("ingest", "journey_api", "alerts", "console", "kafka", "postgres"):
        assert ready[name] in said
    assert "MEMORY ONLY" in said
    assert all(key in said for key in ready["keys"].values())

    assert stack.stop() == 0

    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    assert not stack.ready_file.exists()
    assert not (stack.data / "up.json").exists()
    assert "everything stopped" in stack.said()


def test_a_customer_who_must_call_twice_is_an_issue_seconds_later(shared_stack: WaymarkUp) -> None:
    stack, ready = shared_stack, shared_stack.ready()
    for _ in range(2):
        sent = stack.run("send", "--kind", "call_started", "--customer", "phone=010-1234-5678", "--json")
        assert sent.returncode == 0, sent.stderr
        assert json.loads(sent.stdout)["accepted"] == 1

    def issues() -> list[str]:
        request = urllib.request.Request(
            f"{ready['alerts']}/v1/issues", headers={"authorization": f"Bearer {ready['keys']['reader']}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return [rule for issue in json.load(answer)["issues"] for rule in issue["rules"]]

    until_sync(lambda: "repeat_contact_24h" in issues(), within=30)
    customer = f"{ready['journey_api']}/v1/customers/phone:+821012345678"
    assert status(customer, ready["keys"]["reader"]) == 200
    examined = stack.run("doctor", "--json")
    assert examined.returncode == 0, examined.stdout
    verdicts = {finding["name"]: finding["verdict"] for finding in json.loads(examined.stdout)["findings"]}
    assert verdicts.pop("endpoints") == "look", "there is none yet, so nobody is told"
    assert set(verdicts.values()) == {"fine"}


def test_data_and_keys_survive_a_restart(up: Start) -> None:
    stack = up()
    ready = stack.ready()
    assert stack.run("send", "-k", "call_started", "-c", "customer_id=C-1", "--set", "id=once").returncode == 0
    customer = "{}/v1/customers/customer_id:C-1"
    until_sync(lambda: status(customer.format(ready["journey_api"]), ready["keys"]["reader"]) == 200, within=30)
    assert stack.stop(signal.SIGTERM) == 0

    again = up("--data-dir", str(stack.data))
    ready_again = again.ready()
    assert ready_again["keys"] == ready["keys"]
    assert status(customer.format(ready_again["journey_api"]), ready["keys"]["reader"]) == 200


def test_a_service_that_dies_is_started_again_and_said_so(shared_stack: WaymarkUp) -> None:
    stack, ready = shared_stack, shared_stack.ready()
    stack.child("serve", "ingest").kill()
    until_sync(lambda: "starting ingest again" in stack.said(), within=20)
    until_sync(lambda: status(f"{ready['ingest']}/readyz") == 200, within=30)


def test_the_death_of_the_broker_ends_up_with_a_reason(up: Start) -> None:
    stack = up()
    stack.ready()
    family = stack.family()
    stack.child("broker", "--storage-engine").kill()
    assert stack.process.wait(60) == 1
    assert "the embedded broker ended with code -9" in stack.said()
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


def test_the_children_of_a_killed_up_do_not_outlive_it(up: Start) -> None:
    stack = up()
    stack.ready()
    family = stack.family()
    stack.process.send_signal(signal.SIGKILL)
    stack.process.wait(10)

    def left() -> list[psutil.Process]:
        return [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    until_sync(lambda: not left(), within=40)


def test_ctrl_c_during_the_start_leaves_nothing_behind(up: Start) -> None:
    stack = up()
    until_sync(lambda: len(stack.family()) >= 3, within=30)
    family = stack.family()
    assert stack.stop() == 0
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []


def test_two_stacks_on_one_folder_are_refused(shared_stack: WaymarkUp, up: Start) -> None:
    second = up("--data-dir", str(shared_stack.data))
    assert second.process.wait(30) == 1
    assert "a stack runs already" in second.said()


def test_a_port_that_is_taken_is_named(shared_stack: WaymarkUp) -> None:
    other = str(shared_stack.data.parent / "other")
    refused = shared_stack.run("up", "--port-base", str(shared_stack.ports[0]), "--data-dir", other)
    assert refused.returncode == 1
    assert f"{shared_stack.ports[0]} (ingest)" in refused.stderr


def test_doctor_without_anything_running_says_what_to_start() -> None:
    nowhere = {
        f"WAYMARK_URL_{name}": "http://127.0.0.1:1"
        for name in ("INGEST", "JOURNEY", "JOURNEY_API", "ALERTS", "CONSOLE")
    }
    engines = {"WAYMARK_KAFKA": "127.0.0.1:1", "WAYMARK_POSTGRES": "postgresql://waymark:secret@127.0.0.1:1/waymark"}
    examined = run("doctor", "--json", environment={**clean_environment(), **nowhere, **engines})
    assert examined.returncode == 1
    assert "secret" not in examined.stdout
    fixes = {finding["name"]: finding["fix"] for finding in json.loads(examined.stdout)["findings"]}
    assert "waymark up" in fixes["kafka"]
    assert "waymark serve ingest" in fixes["ingest"]
