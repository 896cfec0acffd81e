"""Every panel of every dashboard shows something: a real Prometheus scrapes the whole stack under traffic.

Its alerts reach people through a real Alertmanager. Black box: imports nothing of the project. Needs the binary of
Prometheus, named by PROMETHEUS, and Debian's package of Alertmanager, unpacked in ALERTMANAGER_TREE (`.ci/run` fetches
both); the queries are the dashboards' own, with Grafana's variables filled in. Grafana itself is not run: no package
registry carries it. What every panel shows is written to `.pytest_cache/panels.txt`.
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
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.alertmanager.other import prepare
from tests.fixtures.waymark_up import WaymarkUp
from tests.waiting import until_sync

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
TABLE = ROOT / ".pytest_cache" / "panels.txt"
# Panels whose `noValue` says that nothing has happened may be empty: no failure is no failure of the dashboard.
UNEVENTFUL = "no data"
VARIABLES = (("$__rate_interval", "1m"), ("$job", ".+"))

pytestmark = [pytest.mark.prometheus, pytest.mark.timeout(300)]


class _Receiver(BaseHTTPRequestHandler):
    """A team that takes every webhook, but for the path of one that has gone; `told` is what came, by path."""

    told: ClassVar[defaultdict[str, list[bytes]]] = defaultdict(list)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.told[self.path].append(body)
        self.send_response(410 if self.path == "/gone" else 204)
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
def _running(*command: str | Path, log: Path, cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=cwd)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def stack(shared_stack: WaymarkUp) -> dict[str, Any]:
    """Everything, by the one command, with journeys defined; the addresses and keys that it hands to scripts."""
    ready = shared_stack.ready()
    applied = shared_stack.run("journeys", "apply", "retail")
    assert applied.returncode == 0, applied.stderr
    return ready


@pytest.fixture(scope="module")
def receiver() -> Iterator[str]:
    """Where webhooks go, of our own and of Alertmanager; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _free_address() -> str:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as free:
        return f"127.0.0.1:{free.server_port}"


@pytest.fixture(scope="module")
def alertmanager(receiver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Alertmanager with our routes, whose receivers are ours; its address."""
    folder = tmp_path_factory.mktemp("alertmanager")
    routes = (ROOT / "deploy" / "prometheus" / "alertmanager.yml").read_text(encoding="utf-8")
    (folder / "alertmanager.yml").write_text(routes.replace("127.0.0.1:9/", f"{receiver}/"))
    address = _free_address()
    command = (
        prepare(folder),
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/data",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    with _running(*command, log=folder / "alertmanager.log", cwd=folder):
        until_sync(lambda: _answers(f"http://{address}/-/ready"), within=60)
        yield address


@pytest.fixture(scope="module")
def prometheus(stack: dict[str, Any], alertmanager: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prometheus with our rules and an Alertmanager, scraping the stack each second; its address."""
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
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    address = _free_address()
    command = (
        os.environ["PROMETHEUS"],
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
    )
    with _running(*command, log=folder / "prometheus.log"):
        until_sync(lambda: _answers(f"http://{address}/-/ready"), within=60)
        until_sync(lambda: _query(address, "sum(up) == 5"), within=60)
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
def traffic(stack: dict[str, Any], prometheus: str, receiver: str) -> Iterator[None]:
    """Customers who order on the web and then call twice in vain, all the while; a team that is told, and answers."""
    for name in ("team", "gone"):
        endpoint = {"name": name, "kind": "standard_webhook", "catch_all": True, "url": f"http://{receiver}/{name}"}
        assert _call(f"{stack['alerts']}/v1/endpoints", stack["keys"]["admin"], endpoint).get("id")
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


def _play(stack: dict[str, Any], number: int) -> None:
    now = datetime.now(UTC).isoformat()
    phone = f"+8210{10_000_000 + number:08}"
    common = {
        "occurred_at": now,
        "reason": "billing",
        "customer": {"phone": phone, "email": f"{number}@example.com"},
        "refs": {"order_id": f"A-{number}"},
    }
    order = {"id": f"{number}-order", "channel": "web", "kind": "order_placed", "sequence": 1, **common}
    calls = [
        {
            "id": f"{number}-{call}",
            "channel": "phone",
            "kind": "call_started",
            "direction": "inbound",
            "interaction_id": f"call-{number}-{call}",
            "sequence": 2 + call,
            **common,
        }
        for call in range(2)
    ]
    ends = [
        {**call, "id": f"{call['id']}-end", "kind": "call_ended", "sequence": 4 + place, "outcome": "unresolved"}
        for place, call in enumerate(calls)
    ]
    keys = stack["keys"]
    _call(
        f"{stack['ingest']}/v1/touchpoints",
        keys["source"],
        {"touchpoints": [order, *calls, *ends, {"id": "lacks everything"}]},
    )
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

    assert len(wanted) > 50
    until_sync(lambda: not empty() or time.monotonic() > deadline, within=150)
    assert empty() == []
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(line for path in DASHBOARDS for line in _table(prometheus, path)) + "\n")


def _table(prometheus: str, path: Path) -> Iterator[str]:
    """Each panel with the values of the first series of its first query, as people see them."""
    yield f"\n{path.stem}"
    for panel in json.loads(path.read_text())["panels"]:
        if panel["type"] == "row":
            yield f"  {panel['title']}"
            continue
        defaults = panel["fieldConfig"]["defaults"]
        found = [series for target in panel["targets"] for series in _query(prometheus, _filled(target["expr"]))]
        values = ", ".join(_told(series) for series in found[:4]) or defaults["noValue"]
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        yield f"    {panel['title']} ({defaults['unit']}): {values}{more}"


def _told(series: dict[str, Any]) -> str:
    labels = " ".join(value for name, value in sorted(series["metric"].items()) if name != "__name__")
    return f"{labels} {float(series['value'][1]):.3g}".strip()


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


@pytest.mark.usefixtures("traffic")
def test_people_are_told_by_alertmanager_what_to_do() -> None:
    def alerts(path: str) -> dict[str, Any]:
        bodies = [json.loads(body) for body in _Receiver.told[path]]
        return {alert["labels"]["alertname"]: alert for body in bodies for alert in body["alerts"]}

    until_sync(lambda: "WaymarkEndpointDisabled" in alerts("/tickets"), within=120)
    until_sync(lambda: alerts("/heartbeat"), within=60)
    ticket = alerts("/tickets")["WaymarkEndpointDisabled"]

    assert (ticket["status"], ticket["labels"]["reason"]) == ("firing", "gone")
    assert "switched off because of its answers (gone)" in ticket["annotations"]["summary"]
    assert ticket["annotations"]["runbook"] == "docs/operations.md#waymarkendpointdisabled"
    assert set(alerts("/heartbeat")) == {"WaymarkHeartbeat"}
    assert alerts("/pages") == {}


def test_every_process_speaks_correct_metrics(stack: dict[str, Any]) -> None:
    promtool = Path(os.environ["PROMETHEUS"]).with_name("promtool")
    for process in ("ingest", "journey", "journey_api", "alerts", "console"):
        with urllib.request.urlopen(f"{stack[process]}/metrics", timeout=10) as answer:
            told = answer.read()
        checked = subprocess.run([promtool, "check", "metrics"], input=told, capture_output=True, check=False)

        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b""), process
