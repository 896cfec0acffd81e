import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.command import run_waymark
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


def test_rejected_touchpoints_are_reported_with_their_lines_and_fail_the_command(file: Path) -> None:
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


MAPPING = """
touchpoints:
  - when: {kind: call}
    fields: &fields
      id: "{id}/start"
      occurred_at: "{at}"
      channel: phone
      kind: call_started
      customer: {customer_id: "{who}"}
  - when: {kind: call}
    fields:
      <<: *fields
      id: "{id}/end"
      kind: call_ended
      duration_s: "{took}"
"""


def calls(folder: Path, count: int) -> tuple[Path, Path]:
    """Rows that become two touchpoints each, but for one that is skipped and one that cannot be read."""
    rows = [f"c-{n},call,2026-01-01T{n // 60 % 24:02}:{n % 60:02}:00Z,C-{n},0:02" for n in range(count)]
    rows[1:1] = ["s-1,note,2026-01-01T00:00:00Z,C-1,", "b-1,call"]
    path, mapping = folder / "calls.csv", folder / "mapping.yaml"
    path.write_text("\n".join(["id,kind,at,who,took", *rows]) + "\n")
    mapping.write_text(MAPPING)
    return path, mapping


def test_the_rows_read_are_those_accepted_duplicate_rejected_and_skipped_together(tmp_path: Path) -> None:
    path, mapping = calls(tmp_path, 600)
    ingest = FakeIngest()
    ingest.reject = {"c-7/end", "c-8/start", "c-8/end"}
    with serving(ingest) as url:
        first = json.loads(outcome(importing(path, url, "-m", str(mapping), "--json"))[1])
        second = json.loads(outcome(importing(path, url, "-m", str(mapping), "--json"))[1])
    assert first["rows"] == {"read": 602, "accepted": 598, "duplicate": 0, "rejected": 3, "skipped": 1}
    assert second["rows"] == {"read": 602, "accepted": 0, "duplicate": 598, "rejected": 3, "skipped": 1}
    assert [summary["touchpoints"] for summary in (first, second)] == [1200, 1200]
    assert {(one["code"], one["count"]) for one in first["problems_by_column"]} == {
        ("unreadable_line", 1),
        ("channel_not_allowed", 3),
    }


def test_the_rows_of_an_import_that_was_interrupted_add_up_too(tmp_path: Path) -> None:
    path, mapping = calls(tmp_path, 600)
    ingest = FakeIngest()
    ingest.reject = {"c-7/end"}
    with serving(ingest) as url:
        ingest.hold_after = 1
        process = importing(path, url, "-m", str(mapping))
        until_sync(ingest.held.is_set, within=30)
        process.send_signal(signal.SIGINT)
        code, _, err = outcome(process)
        assert code == 130
        assert "stopped after 500 touchpoints; the same command goes on from here" in err
        ingest.hold_after = None
        ingest.go_on.set()
        summary = json.loads(outcome(importing(path, url, "-m", str(mapping), "--json"))[1])
    assert summary["rows"]["read"] == 602
    assert sum(count for name, count in summary["rows"].items() if name != "read") == 602
    assert (summary["rows"]["rejected"], summary["rows"]["skipped"]) == (2, 1)


def test_an_import_that_is_stopped_before_anything_was_sent_leaves_nothing(tmp_path: Path) -> None:
    path, mapping = calls(tmp_path, 10)
    ingest = FakeIngest()
    with serving(ingest) as url:
        ingest.hold_after = 0
        process = importing(path, url, "-m", str(mapping))
        until_sync(ingest.held.is_set, within=30)
        process.send_signal(signal.SIGINT)
        code, _, err = outcome(process)
    assert (code, "stopped; nothing was noted as sent" in err) == (130, True)
    assert list((tmp_path / "data" / "imports").iterdir()) == []


def test_ids_that_repeat_within_the_file_are_warned_of_and_counted(tmp_path: Path) -> None:
    path, mapping = calls(tmp_path, 10)
    path.write_text(path.read_text() + "c-3,call,2026-01-02T00:00:00Z,C-3,0:05\n")
    ingest = FakeIngest()
    with serving(ingest) as url:
        _, out, err = outcome(importing(path, url, "-m", str(mapping), "--json"))
        _, dry, _ = outcome(importing(path, url, "-m", str(mapping), "--json", "--check"))
    told = "2 touchpoints repeat the id of an earlier one of this file (lines 7, 14, …)"
    assert told in err
    assert json.loads(out)["repeated_ids"] == 2
    assert told in json.loads(dry)["warnings"][0]


def test_times_of_another_age_are_reported_once_with_the_line_that_takes_them(tmp_path: Path) -> None:
    path, mapping = calls(tmp_path, 50)
    path.write_text(path.read_text().replace("2026-", "1980-"))
    ingest = FakeIngest()
    with serving(ingest) as url:
        code, _, err = outcome(importing(path, url, "-m", str(mapping)))
        assert code == 1
        assert err.count("year_out_of_range") == 1
        assert "line 2 and 99 more" in err
        assert "the year is 1980" in err
        cure = err.partition("say in the mapping `")[2].partition("`")[0]
        mapping.write_text(f"{cure}\n{MAPPING}")
        _, out, _ = outcome(importing(path, url, "-m", str(mapping), "--json"))
    assert json.loads(out)["rows"] == {"read": 52, "accepted": 50, "duplicate": 0, "rejected": 1, "skipped": 1}


def test_beside_a_running_stack_no_key_is_needed(tmp_path: Path) -> None:
    path, mapping = calls(tmp_path, 3)
    ingest = FakeIngest()
    with serving(ingest) as url:
        (tmp_path / "data").mkdir()
        up = {"pid": os.getpid(), "ingest": url, "keys": {"source": KEY}}
        (tmp_path / "data" / "up.json").write_text(json.dumps(up))
        environ = {"WAYMARK_DATA_DIR": str(tmp_path / "data"), "LANG": "C.UTF-8"}
        ended = run_waymark("import", str(path), "-m", str(mapping), "--json", environ=environ)
    assert json.loads(ended.stdout)["accepted"] == 6, ended.stderr


@contextmanager
def silent_host() -> Iterator[str]:
    """A host that answers no call, like one behind a firewall that drops: its queue of calls is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        callers = [socket.socket() for _ in range(8)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for caller in callers:
                caller.close()


def test_a_host_that_does_not_answer_is_named_within_seconds(file: Path) -> None:
    with silent_host() as url:
        process = importing(file, url, "--wait", "4")
        code, _, err = outcome(process)
    assert code == 1
    assert f"waiting for ingest at {url} (no answer) since 3 s; gives up in 1 s" in err
    assert f"ingest at {url}/v1/touchpoints takes nothing since 5 s" in err


def test_send_says_soon_that_a_host_does_not_answer(tmp_path: Path) -> None:
    with silent_host() as url:
        environ = {
            "WAYMARK_URL_INGEST": url,
            "WAYMARK_KEY_SOURCE": KEY,
            "WAYMARK_DATA_DIR": str(tmp_path),
            "LANG": "C.UTF-8",
        }
        began = time.monotonic()
        ended = run_waymark("send", "-k", "call_started", "-c", "phone=010-0000-8841", environ=environ)
    assert ended.returncode == 1
    assert time.monotonic() - began < 25  # a call that is not answered, and the start of a process
    assert f"ingest at {url} does not answer (ConnectTimeout)" in ended.stderr
