import os
from pathlib import Path

import orjson

from waymark.console import masked
from waymark.target import UP_FILE, find_target


def leave_word(folder: Path, pid: int) -> dict[str, str]:
    """A stack runs (or ran) here, as `waymark up` says it."""
    said = {"pid": pid, "ingest": "http://127.0.0.1:18080", "kafka": "127.0.0.1:18084", "idempotence": "false"}
    (folder / UP_FILE).write_bytes(orjson.dumps({**said, "line": "run-1", "keys": {"source": "wm_src_a_b"}}))
    return {"WAYMARK_DATA_DIR": str(folder)}


def test_without_anything_the_documented_addresses_are_meant(tmp_path: Path) -> None:
    target = find_target({"WAYMARK_DATA_DIR": str(tmp_path)})
    assert (target.ingest, target.journey_api, target.alerts) == tuple(
        f"http://127.0.0.1:{port}" for port in (8080, 8081, 8082)
    )
    assert target.idempotent
    assert not target.from_up


def test_a_running_stack_is_found_with_its_key(tmp_path: Path) -> None:
    target = find_target(leave_word(tmp_path, os.getpid()))
    assert (target.ingest, target.kafka, target.line) == ("http://127.0.0.1:18080", "127.0.0.1:18084", "run-1")
    assert not target.idempotent
    assert target.keys == {"source": "wm_src_a_b"}


def test_the_environment_wins_over_the_running_stack(tmp_path: Path) -> None:
    environ = leave_word(tmp_path, os.getpid()) | {"WAYMARK_KAFKA": "k:1", "WAYMARK_KEY_SOURCE": "wm_src_c_d"}
    target = find_target(environ)
    assert (target.kafka, target.keys["source"]) == ("k:1", "wm_src_c_d")


def test_what_a_dead_stack_left_is_not_believed(tmp_path: Path) -> None:
    assert not find_target(leave_word(tmp_path, 2**22 + 1)).from_up
    (tmp_path / UP_FILE).write_text("{")
    assert not find_target({"WAYMARK_DATA_DIR": str(tmp_path)}).from_up


def test_a_url_is_shown_without_its_password() -> None:
    assert masked("postgresql://me:secret@host:5432/db") == "postgresql://me@host:5432/db"
    assert masked("postgresql://host/db") == "postgresql://host/db"
