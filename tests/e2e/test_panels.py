"""Every panel of every dashboard shows something: a real Prometheus scrapes the whole stack under traffic.

Black box: imports nothing of the project. Needs Prometheus' binary, named by PROMETHEUS (`.ci/run` fetches it); the
queries are the dashboards' own, with Grafana's variables filled in. Grafana itself is not run: no package registry
carries it.
"""

import json
import math
import os
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
# Panels whose `noValue` says that nothing has happened may be empty: no failure is no failure of the dashboard.
UNEVENTFUL = "no data"
VARIABLES = (("$__rate_interval", "1m"), ("$job", ".+"))

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(300)]


class _Receiver(BaseHTTPRequestHandler):
    """A team that takes every webhook."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing."""


def _call(url: str, key: str = "", body: object = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return json.loads(error.read() or b"null")


@contextmanager
def _running(*command: str | Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def stack(shared_stack: WaymarkUp) -> dict[str, Any]:
    """Everything, by the one command; the addresses and keys that it hands to scripts."""
    return shared_stack.ready()


@pytest.fixture(scope="module")
def prometheus(stack: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prometheus with our rules, scraping the stack each second; its address."""
    folder = tmp_path_factory.mktemp("prometheus")
    jobs = {
        "ingest": "ingest",
        "journey": "journey",
        "journey-api": "journey_api",
        "alerts": "alerts",
        "console": "console",
    }
    scrapes = [
        {"job_name": job, "static_configs": [{"targets": [stack[name].removeprefix("http://")]}]}
        for job, name in jobs.items()
    ]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "deploy/prometheus/rules/*.yaml")],
        "scrape_configs": scrapes,
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as free:
        address = f"127.0.0.1:{free.server_port}"
    command = (
        os.environ["PROMETHEUS"],
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
    )
    with _running(*command, log=folder / "prometheus.log"):
        until_sync(lambda: _answers(f"http://{address}/-/ready"), within=60)
        until_sync(lambda: _query(address, "sum(up) == 4"), within=60)
        yield address


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def _query(address: str, expression: str) -> list[dict[str, Any]]:
    url = f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    answer = _call(url)
    assert answer["status"] == "success", answer
    result: list[dict[str, Any]] = answer["data"]["result"]
    return [series for series in result if math.isfinite(float(series["value"][1]))]


@pytest.fixture(scope="module")
def traffic(stack: dict[str, Any], prometheus: str) -> Iterator[None]:
    """Customers who call twice about the same thing, all the while; a team that is told, and that answers."""
    receiver = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    keys = stack["keys"]
    endpoint = {"name": "team", "kind": "standard_webhook", "catch_all": True}
    endpoint["url"] = f"http://127.0.0.1:{receiver.server_port}/"
    assert _call(f"{stack['alerts']}/v1/endpoints", keys["admin"], endpoint).get("id")
    over = threading.Event()

    def play() -> None:
        for number in range(1_000_000):
            _play(stack, number)
            if over.wait(0.5):
                return

    player = threading.Thread(target=play)
    player.start()
    try:
        yield
    finally:
        over.set()
        player.join()
        receiver.shutdown()
        receiver.server_close()


def _play(stack: dict[str, Any], number: int) -> None:
    now = datetime.now(UTC).isoformat()
    phone = f"+8210{10_000_000 + number:08}"
    calls = [
        {
            "id": f"{number}-{call}",
            "occurred_at": now,
            "channel": "phone",
            "kind": "call_started",
            "direction": "inbound",
            "interaction_id": f"call-{number}-{call}",
            "reason": "billing",
            "customer": {"phone": phone, "email": f"{number}@example.com"},
        }
        for call in range(2)
    ]
    keys = stack["keys"]
    _call(f"{stack['ingest']}/v1/touchpoints", keys["source"], {"touchpoints": [*calls, {"id": "lacks everything"}]})
    _call(f"{stack['journey_api']}/v1/customers/phone:{urllib.parse.quote(phone)}", keys["reader"])
    for issue in _call(f"{stack['alerts']}/v1/issues?state=open", keys["reader"]).get("issues", [])[1:]:
        _call(f"{stack['alerts']}/v1/issues/{issue['id']}/acknowledge", keys["agent"], {})


def _must_show(path: Path) -> Iterator[tuple[str, str]]:
    for panel in json.loads(path.read_text())["panels"]:
        if panel["type"] != "row" and panel["fieldConfig"]["defaults"]["noValue"] == UNEVENTFUL:
            yield panel["title"], panel["targets"][0]["expr"]


def _filled(expression: str) -> str:
    for variable, value in VARIABLES:
        expression = expression.replace(variable, value)
    return expression


@pytest.mark.usefixtures("traffic")
def test_every_panel_shows_a_number_under_traffic(prometheus: str) -> None:
    wanted = {title: _filled(expression) for path in DASHBOARDS for title, expression in _must_show(path)}

    deadline = time.monotonic() + 120

    def empty() -> list[str]:
        return sorted(title for title, expression in wanted.items() if not _query(prometheus, expression))

    assert len(wanted) > 20
    until_sync(lambda: not empty() or time.monotonic() > deadline, within=150)
    assert empty() == []


@pytest.mark.usefixtures("traffic")
def test_every_query_of_every_panel_is_accepted(prometheus: str) -> None:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                _query(prometheus, _filled(target["expr"]))


@pytest.mark.usefixtures("traffic")
def test_no_page_fires_while_all_is_well(prometheus: str) -> None:
    pages = {
        alert["metric"]["alertname"] for alert in _query(prometheus, 'ALERTS{alertstate="firing",severity="page"}')
    }

    assert pages == set()


def test_every_process_speaks_correct_metrics(stack: dict[str, Any]) -> None:
    promtool = Path(os.environ["PROMETHEUS"]).with_name("promtool")
    for process in ("ingest", "journey", "journey_api", "alerts", "console"):
        with urllib.request.urlopen(f"{stack[process]}/metrics", timeout=10) as answer:
            told = answer.read()
        checked = subprocess.run([promtool, "check", "metrics"], input=told, capture_output=True, check=False)

        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b""), process
