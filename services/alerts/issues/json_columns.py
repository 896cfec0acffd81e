"""Issues as the database keeps them: one JSON document, written and read by msgspec straight from the value."""

import msgspec

from services.alerts.issues.model import Issue

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Issue)


def encode_issue(issue: Issue) -> str:
    """Return the document of `issue`."""
    return _encoder.encode(issue).decode()


def decode_issue(document: str) -> Issue:
    """Return the issue in a document that `encode_issue` made; a newer member with a default may be missing."""
    return _decoder.decode(document)


def encode_json(value: object) -> str:
    """Return `value` as the text of a `json` column."""
    return _encoder.encode(value).decode()
