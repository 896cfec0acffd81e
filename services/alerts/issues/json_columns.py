"""Encodes values for JSON columns, and decodes issues from them; msgspec converts from and to the values directly."""

import msgspec

from services.alerts.issues.model import Issue

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Issue)


def encode_issue(issue: Issue) -> str:
    """Return the JSON document of `issue`."""
    return _encoder.encode(issue).decode()


def decode_issue(document: str) -> Issue:
    """Return the issue in a document of `encode_issue`; a newer member with a default may be missing."""
    return _decoder.decode(document)


def encode_json(value: object) -> str:
    """Return `value` as the text of a `json` column."""
    return _encoder.encode(value).decode()
