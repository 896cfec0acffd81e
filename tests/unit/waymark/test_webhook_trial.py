"""`waymark sources show` and `test`: a payload tried out, with its problems by path and an exit code that says so."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.ingest.webhooks.deliveries import EXAMPLES
from tests.unit.ingest.webhooks.test_signatures import VECTORS
from waymark.cli import app

RUN = CliRunner()
OWN = """\
name: acme
title: {en: Acme, ko: 에이크미}
signature: {scheme: hmac, header: X-Sig}
touchpoints:
  - fields:
      id: "{id}"
      occurred_at: {path: at, time: s}
      channel: phone
      kind: call_ended
      customer: {customer_id: "{who}"}
      wait_s: {path: wait}
"""


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C")


def payload(folder: Path, document: object) -> str:
    path = folder / "payload.json"
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return str(path)


def test_a_payload_is_shown_as_the_touchpoints_it_becomes() -> None:
    body = str(EXAMPLES / "zendesk" / "ticket_created.json")
    answer = RUN.invoke(app, ["sources", "test", "zendesk", "--payload", body, "--json"])
    shown = json.loads(answer.stdout)

    assert answer.exit_code == 0
    assert [made["document"]["kind"] for made in shown["made"]] == ["case_opened"]
    assert shown["verification"] == ""


def test_headers_beside_the_payload_are_found(tmp_path: Path) -> None:
    body = str(EXAMPLES / "shopify" / "order_placed.json")

    assert RUN.invoke(app, ["sources", "test", "shopify", "--payload", body]).exit_code == 0


def test_a_signature_is_verified_and_a_wrong_one_fails(tmp_path: Path) -> None:
    vector = next(each for each in VECTORS if each["system"] == "slack")
    headers = tmp_path / "slack.headers"
    headers.write_text("".join(f"{name}: {value}\n" for name, value in vector["headers"].items()))
    body = str(EXAMPLES / "slack" / "message.json")
    words = ["sources", "test", "slack", "--payload", body, "--headers", str(headers), "--at", vector["now"]]

    right = RUN.invoke(app, [*words, "--secret", vector["secret"]])
    wrong = RUN.invoke(app, [*words, "--secret", "another"])

    assert (right.exit_code, wrong.exit_code) == (0, 1)
    assert "verified" in right.stdout
    assert "wrong" in wrong.stdout


def test_every_problem_is_reported_by_path(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(OWN, encoding="utf-8")
    body = payload(tmp_path, {"id": "", "at": "never", "who": "C-1009", "wait": "long"})
    answer = RUN.invoke(app, ["sources", "test", str(tmp_path / "acme.yaml"), "--payload", body])

    assert answer.exit_code == 1
    for told in ("occurred_at: no time of the form s", "wait_s: no number", "id: ", "occurred_at: "):
        assert told in answer.stdout


def test_a_file_that_cannot_be_used_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(OWN.replace("phone", "fax"), encoding="utf-8")
    answer = RUN.invoke(app, ["sources", "show", str(path)])

    assert "acme.yaml:8: touchpoints[0].fields.channel" in str(answer.exception)


def test_a_handshake_is_shown_with_its_answer() -> None:
    body = str(EXAMPLES / "slack" / "url_verification.json")
    answer = RUN.invoke(app, ["sources", "test", "slack", "--payload", body])

    assert "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" in answer.stdout


def test_a_system_is_described() -> None:
    answer = RUN.invoke(app, ["sources", "show", "naver_talktalk"])

    assert "211.249.40.0/27" in answer.stdout
    assert "message_received" in answer.stdout


def test_korean_operators_read_korean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")

    assert "네이버 톡톡" in RUN.invoke(app, ["sources", "show", "naver_talktalk"]).stdout
