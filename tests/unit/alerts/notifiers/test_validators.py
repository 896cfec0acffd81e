"""What others check: Slack's own models, Microsoft's schema of cards, the parser of e-mail of the standard library."""

import json
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import adaptive_cards
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from services.alerts.deliver.notifiers.notifier import OutboundMail
from services.alerts.deliver.notifiers.samples import sample_messages
from tests.unit.alerts.notifiers.rendering import REFERENCES, document, render, rendered, requests
from tests.unit.alerts.notifiers.test_words_and_limits import AWKWARD, a_message

SAMPLES = list(sample_messages())
TEXTS = AWKWARD | st.sampled_from(["가" * 4000, "x" * 4000, "&" * 4000])


def check_blocks(blocks: list[dict[str, Any]]) -> None:
    """Parse blocks with Slack's models, which check themselves, and add the limits that these leave out."""
    assert len(blocks) <= 50
    parsed = Block.parse_all(blocks)
    assert len(parsed) == len(blocks)
    for one in parsed:
        one.validate_json()
    for block in blocks:
        for text in block.get("fields", []):
            assert 1 <= len(text["text"]) <= 2000
        if block["type"] == "section" and "text" in block:
            assert 1 <= len(block["text"]["text"]) <= 3000
        if block["type"] == "header":
            assert 1 <= len(block["text"]["text"]) <= 150


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("kind", ["slack_webhook", "slack_bot"])
def test_slacks_models_take_the_blocks(kind: str, sample: str, language: str) -> None:
    for reference in (None, REFERENCES.get(kind)):
        for request in requests(kind, sample, reference=reference, language=language):
            check_blocks(document(request).get("blocks", []))


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_slacks_models_take_blocks_of_any_text(text: str) -> None:
    [request] = rendered("slack_webhook", a_message(text, "opened"))

    body = document(request)
    check_blocks(body["blocks"])
    marked_up = [body["text"], *mrkdwn_texts(body["blocks"])]
    assert not any("<" in part for part in marked_up)  # no mention, no link, no command of a producer


def mrkdwn_texts(document: Any) -> list[str]:
    """Every text in which Slack looks for markup."""
    if isinstance(document, dict) and document.get("type") == "mrkdwn":
        return [document["text"]]
    parts = document.values() if isinstance(document, dict) else document if isinstance(document, list) else []
    return [text for part in parts for text in mrkdwn_texts(part)]


MICROSOFTS = json.loads((Path(adaptive_cards.__file__).parent / "schemas" / "schema-1.4.json").read_text("utf-8"))
SCHEMA = jsonschema_rs.validator_for(MICROSOFTS)


def card_findings(document: dict[str, Any]) -> list[str]:
    """What Microsoft's schema of cards 1.4 has against the card of an envelope; `msteams` is an extension of Teams."""
    [attachment] = document["attachments"]
    assert (document["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert card.pop("msteams") == {"width": "Full"}
    return [error.message for error in SCHEMA.iter_errors(card)]


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_cards_follow_microsofts_schema(sample: str, language: str) -> None:
    [request] = requests("teams_workflow", sample, language=language)

    assert card_findings(document(request)) == []


def test_the_schema_would_refuse_a_card_with_a_wrong_member() -> None:
    [request] = requests("teams_workflow", "opened")
    wrong = document(request)
    wrong["attachments"][0]["content"]["body"][0]["color"] = "mauve"

    assert card_findings(wrong)


@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_cards_of_any_text_follow_the_schema_and_stay_small(text: str) -> None:
    [request] = rendered("teams_workflow", a_message(text, "updated"))

    assert card_findings(document(request)) == []


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_an_email_of_any_text_is_read_back_as_it_was_and_has_no_header_of_others(text: str) -> None:
    [mail] = rendered("email", a_message(text, "opened"))
    assert isinstance(mail, OutboundMail)

    read = BytesParser(policy=policy.default).parsebytes(mail.data)

    assert not read.defects
    assert {name.lower() for name in read} == {
        *("subject", "from", "to", "date", "message-id", "in-reply-to", "references", "auto-submitted"),
        *("x-auto-response-suppress", "mime-version", "content-type"),
    }
    plain = read.get_body(("plain",))
    assert plain is not None
    assert " ".join(text.split())[:100].strip() in plain.get_content()


def test_messages_about_an_issue_are_one_conversation() -> None:
    mails = [one for sample in ("opened", "resolved") for one in render("email", sample)]
    read = [BytesParser(policy=policy.default).parsebytes(one.data) for one in mails if isinstance(one, OutboundMail)]

    assert len({str(mail["references"]) for mail in read}) == 1
    assert read[0]["subject"] == "[높음] 요금 문제로 세 번 전화"
