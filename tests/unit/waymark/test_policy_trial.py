"""A policy is tried out before ingest has it; what it encrypted opens from the topic and from the timeline."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.documents.touchpoint import SEALED_TEXT
from services.ingest.privacy.policy import PrivacyPolicy
from services.ingest.privacy.policy_applier import PolicyApplier
from services.ingest.privacy.value_sealing import ValueSealer
from services.ingest.touchpoint import acceptance
from tests.unit.waymark.test_command_line import waymark
from waymark.console import CommandError
from waymark.privacy.policy_trial import PolicyBench, opened
from waymark.privacy.pseudonym_maker import PseudonymMaker

NOW = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)
KEY = "a-key-for-what-is-encrypted-long-enough"
CALL: dict[str, Any] = {
    "id": "call-1",
    "occurred_at": "2026-11-22T09:14:00+09:00",
    "channel": "phone",
    "kind": "call_ended",
    "customer": {"phone": "010-1234-5678"},
    "text": "안녕",
    "attributes": {"who": {"name": "x", "rows": [{"n": 1}]}},
}


def bench(policy: dict[str, Any]) -> PolicyBench:
    return PolicyBench(
        policy=PrivacyPolicy(policy),
        treating=PolicyApplier(b"secret", ValueSealer((KEY,))),
        rules=acceptance.AcceptanceRules(future_tolerance=timedelta(minutes=5), phone_region="KR"),
    )


def test_a_touchpoint_is_shown_before_and_after() -> None:
    shown = bench({"default": {"text": "drop", "identifiers": {"phone": "hmac"}}}).show(CALL, "ivr", NOW)

    assert shown.before["text"] == "안녕"
    assert shown.before["customer"]["phone"]["value"] == "+821012345678"
    assert shown.after is not None
    assert "text" not in shown.after
    assert shown.after["customer"]["phone"]["value"].startswith("hmac:")
    assert shown.record_key == "phone"


def test_a_policy_that_leaves_no_identifier_says_so() -> None:
    assert bench({"default": {"identifiers": {"phone": "drop"}}}).show(CALL, "ivr", NOW).after is None


def test_the_example_of_a_policy_does_what_its_comments_say() -> None:
    folder = Path(__file__).parents[3] / "examples" / "privacy"
    policy = yaml.safe_load((folder / "policy.yaml").read_text(encoding="utf-8"))
    call = json.loads((folder / "call.json").read_text(encoding="utf-8"))
    after = bench(policy).show(call, "ivr", NOW).after

    assert after is not None
    assert "text" not in after
    assert (set(after["refs"]), set(after["attributes"])) == ({"case_id"}, {"ivr_path", "data", SEALED_TEXT})
    assert after["customer"]["phone"]["value"].startswith("hmac:")
    assert after["customer"]["customer_id"] == {"value": "C-1009", "verified": True}


@pytest.mark.parametrize("wrong", [{**CALL, "channel": "pigeon"}, {**CALL, "customer": {"phone": "1"}}])
def test_what_ingest_would_refuse_anyway_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        bench({}).show(wrong, "ivr", NOW)


def test_what_was_encrypted_is_opened_in_a_record_and_in_a_timeline() -> None:
    shown = bench({"default": {"text": "encrypt", "attributes": {"who.name": "encrypt", "who.rows.n": "encrypt"}}})
    after = shown.show(CALL, "ivr", NOW).after
    assert after is not None
    in_timeline = {"source": "ivr", "id": "call-1", "sealed_text": after["attributes"][SEALED_TEXT]}
    document, done, failed = opened({"records": [after], "touchpoints": [in_timeline]}, ValueSealer((KEY,)))

    assert (done, failed) == (4, 0)
    assert document["records"][0]["attributes"] == CALL["attributes"]
    assert document["records"][0]["text"] == document["touchpoints"][0]["text"] == "안녕"
    assert "sealed" not in json.dumps(document)


def test_what_has_another_key_stays_as_it_is_and_is_counted() -> None:
    after = bench({"default": {"text": "encrypt"}}).show(CALL, "ivr", NOW).after
    document, done, failed = opened(after, ValueSealer((KEY + "x",)))

    assert (document, done, failed) == (after, 0, 1)


def test_the_command_checks_shows_and_opens(tmp_path: Path) -> None:
    policy, payload = tmp_path / "policy.yaml", tmp_path / "call.json"
    policy.write_text("default: {text: encrypt}")
    payload.write_text(json.dumps(CALL))
    keys = {"WAYMARK_INGEST_PRIVACY_KEYS": KEY}
    checked = waymark("privacy", "check", str(policy), **keys)
    shown = waymark("privacy", "check", str(policy), "--payload", str(payload), "--source", "ivr", "--json", **keys)
    sealed = tmp_path / "sealed.json"
    sealed.write_text(shown.stdout)
    read = waymark("privacy", "open", str(sealed), **keys)
    without = waymark("privacy", "open", str(sealed), WAYMARK_INGEST_PRIVACY_KEYS=KEY + "x")

    assert (checked.returncode, checked.stdout) == (0, "the policy is valid\n")
    assert json.loads(read.stdout)["after"]["text"] == "안녕"
    assert (without.returncode, "not opened 1" in without.stderr) == (1, True)


@pytest.mark.parametrize(
    ("policy", "said"),
    [("default: {text: hide}", "default.text: use one of"), ("a: [", "is no YAML"), (None, "No such file")],
)
def test_the_command_says_what_is_wrong_with_a_policy(tmp_path: Path, policy: str | None, said: str) -> None:
    file = tmp_path / "policy.yaml"
    if policy is not None:
        file.write_text(policy)
    refused = waymark("privacy", "check", str(file))

    assert refused.returncode == 2
    assert said in refused.stderr


# --- suppression: how people are named ---------------------------------------------------------------------------


def test_every_spelling_of_an_identifier_means_the_same_subject() -> None:
    speller = PseudonymMaker(secret=b"secret", region="KR")
    spellings = ("phone:010-1234-5678", "phone:+82 10 1234 5678", "phone:０１０１２３４５６７８")
    (subject,) = {speller.subject(text) for text in spellings}

    assert subject.type == "phone"
    assert speller.subject(f"phone:{subject.pseudonym}") == subject


@pytest.mark.parametrize("reference", ["010-1234-5678", "phone:", ":x", "email:Zq7Marked", "customer_id:null"])
def test_what_is_no_identifier_is_refused_without_quoting_it(reference: str) -> None:
    with pytest.raises(CommandError) as raised:
        PseudonymMaker(secret=b"secret", region="KR").subject(reference)
    assert "Zq7Marked" not in str(raised.value)


def test_suppressing_needs_the_secret_of_ingest() -> None:
    refused = waymark("suppress", "add", "phone:010-1234-5678", WAYMARK_DATA_DIR="/nowhere")

    assert refused.returncode == 2
    assert "WAYMARK_INGEST_PRIVACY_SECRET" in refused.stderr
