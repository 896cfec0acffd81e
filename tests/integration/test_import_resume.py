import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until_sync

LINES = 2_600
KEY = "wm_src_abc123_" + "0" * 64


class FakeIngest:
    """Answers like ingest: accepted once, duplicate after that. Holds its answers back after `hold_after` requests."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.requests = 0
        self.hold_after: int | None = None
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.reject: set[str] = set()

    def take(self, ids: list[str]) -> dict[str, Any]:
        self.requests += 1
        known = set(self.seen)
        self.seen += [id_ for id_ in ids if id_ not in self.reject]
        if self.hold_after is not None and self.requests > self.hold_after:
            self.held.set()
            self.go_on.wait(30)
        return {"results": [self._result(n, id_, id_ in known) for n, id_ in enumerate(ids)]}

    def _result(self, index: int, id_: str, known: bool) -> dict[str, Any]:
        if id_ in self.reject:
            return {"index": index, "id": id_, "status": "rejected", "code": "channel_not_allowed", "message": "Ask."}
        return {"index": index, "id": id_, "status": "duplicate" if known else "accepted"}


@contextmanager
def serving(ingest: FakeIngest) -> Iterator[str]:
    """The fake on a loopback port; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = json.dumps(ingest.take([item["id"] for item in body["touchpoints"]])).encode()
            self.send_response(202)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            ingest.go_on.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Touchpoints, the last one first."""
    path = tmp_path / "past.jsonl"
    lines = [
        {
            "id": f"t-{n:05}",
            "occurred_at": f"2026-01-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z",
            "channel": "web",
            "kind": "page_viewed",
            "customer": {"cookie": f"c-{n % 7}"},
        }
        for n in range(LINES)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in reversed(lines)))
    return path


def importing(file: Path, url: str, *flags: str) -> subprocess.Popen[str]:
    """`waymark import` as a process of its own."""
    environment = {
        **os.environ,
        "WAYMARK_URL_INGEST": url,
        "WAYMARK_KEY_SOURCE": KEY,
        "WAYMARK_DATA_DIR": str(file.parent / "data"),
        "LANG": "C.UTF-8",
    }
    command = [sys.executable, "-m", "waymark.cli", "import", str(file), *flags]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error, once it has ended."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_killed_import_goes_on_where_it_was(file: Path) -> None:
    ingest = FakeIngest()
    with serving(ingest) as url:
        ingest.hold_after = 3
        process = importing(file, url)
        until_sync(ingest.held.is_set, within=30)
        os.kill(process.pid, signal.SIGKILL)
        assert outcome(process)[0] == -signal.SIGKILL
        ingest.hold_after = None
        ingest.go_on.set()

        code, out, err = outcome(importing(file, url, "--json"))

    assert code == 0, err
    assert "going on after 1500 touchpoints" in err
    assert ingest.seen == sorted(ingest.seen[:2000]) + sorted(ingest.seen[2000:])  # event order in both runs
    assert set(ingest.seen) == {f"t-{n:05}" for n in range(LINES)}
    summary = json.loads(out)
    # The batch that was under way when the kill came was taken, so its repeat is a duplicate.
    assert (summary["accepted"], summary["duplicate"], summary["rejected"]) == (LINES - 500, 500, 0)
    assert list((file.parent / "data" / "imports").iterdir()) == []


def test_a_finished_import_can_be_repeated(file: Path) -> None:
    ingest = FakeIngest()
    with serving(ingest) as url:
        first = outcome(importing(file, url, "--json"))
        second = outcome(importing(file, url, "--json"))
    assert [json.loads(out)["accepted"] for _, out, _ in (first, second)] == [LINES, 0]
    assert json.loads(second[1])["duplicate"] == LINES


def test_rejected_touchpoints_are_told_with_their_lines_and_fail_the_command(file: Path) -> None:
    file.write_text(file.read_text() + "not json\n")
    ingest = FakeIngest()
    ingest.reject = {"t-00000"}
    with serving(ingest) as url:
        code, out, err = outcome(importing(file, url))
    assert code == 1
    assert f"line {LINES} channel_not_allowed Ask." in err
    assert f"line {LINES + 1} unreadable_line" in err
    rejected = [Path(line.rpartition(": ")[2]) for line in out.splitlines() if ".rejected.jsonl" in line]
    lines = [json.loads(line) for line in rejected[0].read_text().splitlines()]
    assert {(line["line"], line["code"]) for line in lines} == {
        (LINES, "channel_not_allowed"),
        (LINES + 1, "unreadable_line"),
    }


def test_a_dry_run_sends_nothing(file: Path) -> None:
    ingest = FakeIngest()
    with serving(ingest) as url:
        code, out, _ = outcome(importing(file, url, "--dry-run", "--json"))
    assert code == 0
    assert ingest.requests == 0
    assert json.loads(out)["touchpoints"] == LINES
