"""The verifier of received webhooks: the vectors, in Python and in Node, and what the library signs."""

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.architecture.tree import ROOT
from waymark.cli import app
from waymark.webhooks import WebhookRefusal, WebhookRefusedError, verify

RECEIVERS = ROOT / "examples" / "receivers"
VECTORS: list[dict[str, Any]] = json.loads((RECEIVERS / "vectors.json").read_text("utf-8"))["vectors"]
BY_NAME = {vector["name"]: vector for vector in VECTORS}
PUBLISHED = BY_NAME["v1, the published vector"]


def result_of(vector: dict[str, Any]) -> str:
    now = datetime.fromtimestamp(vector["now_s"], UTC)
    try:
        verify(base64.b64decode(vector["body_base64"]), vector["headers"], vector["keys"], now=now)
    except WebhookRefusedError as error:
        return error.refusal
    return "verified"


@pytest.mark.parametrize("name", BY_NAME)
def test_it_says_of_each_vector_what_the_vector_says(name: str) -> None:
    assert result_of(BY_NAME[name]) == BY_NAME[name]["result"]


def test_every_reason_to_refuse_has_a_vector() -> None:
    assert {vector["result"] for vector in VECTORS} == {"verified", *WebhookRefusal}


def test_node_says_the_same_of_each_vector() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NOT TESTED: node is not installed, so verify.mjs was not run")

    ran = subprocess.run(
        [node, RECEIVERS / "verify.mjs", RECEIVERS / "vectors.json"], capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stdout.strip()) == (0, f"{len(VECTORS)} passed, 0 failed"), ran.stderr


def test_node_would_notice_a_wrong_vector(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NOT TESTED: node is not installed, so verify.mjs was not run")
    wrong = tmp_path / "vectors.json"
    wrong.write_text(json.dumps({"vectors": [{**PUBLISHED, "result": "too_old"}]}), "utf-8")

    ran = subprocess.run([node, RECEIVERS / "verify.mjs", wrong], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout.strip()) == (1, "0 passed, 1 failed")


@given(body=st.text(max_size=200), key=st.binary(min_size=24, max_size=64))
def test_it_believes_what_the_library_signs(body: str, key: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    now = datetime.fromtimestamp(1795305600, UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1795305600",
        "webhook-signature": standardwebhooks.Webhook(secret).sign("msg_1", now, body),
    }

    verified = verify(body.encode(), headers, [secret], now=now)

    assert (verified.id, verified.signed_at, verified.version, verified.body) == ("msg_1", now, "v1", body.encode())
    with pytest.raises(WebhookRefusedError):
        verify(body.encode() + b"x", headers, [secret], now=now)


def run(body: Path, vector: dict[str, Any], *more: str) -> Any:
    body.write_bytes(base64.b64decode(vector["body_base64"]))
    given = [part for name, value in vector["headers"].items() for part in ("-H", f"{name}: {value}")]
    keys = [part for key in vector["keys"] for part in ("--key", key)]
    at = datetime.fromtimestamp(vector["now_s"], UTC).isoformat()
    return CliRunner().invoke(app, ["alerts", "verify", str(body), *given, *keys, "--at", at, *more])


def test_the_command_says_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    done = run(tmp_path / "body", BY_NAME["v1a, the published vector"], "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["version"] == "v1a"


def test_the_command_says_why_not(tmp_path: Path) -> None:
    done = run(tmp_path / "body", BY_NAME["another body"], "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["reason"] == "wrong_signature"
    assert "raw body" in json.loads(done.stdout)["message"]
