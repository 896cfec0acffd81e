"""The reasons of ingest's decisions: closed lists whose values are response codes, log fields and metric labels.

No value stands in two of the lists, so a code means one thing. The sentences for people stand in
`services.ingest.results.messages`.

The module also defines `RequestRefusedError`, which refuses a whole request. A rejected touchpoint is not an exception
but a value (`results.item_result.ItemResult`); a failed publication is the runtime's.
"""

from collections.abc import Mapping
from enum import StrEnum


class ItemOutcome(StrEnum):
    """The outcome of one item of a request."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"


OUTCOMES = tuple(ItemOutcome)
"""All of them, at hand: a list's `count` of each is quicker than a dictionary of counts, whose keys Python hashes."""


class TouchpointRejection(StrEnum):
    """Why one touchpoint is rejected for good: sending it again unchanged never helps."""

    ITEM_TOO_LARGE = "item_too_large"
    TOO_DEEP = "too_deep"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_MEMBER = "duplicate_member"
    TEXT_NOT_ALLOWED = "text_not_allowed"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    INVALID_FIELD = "invalid_field"
    NO_USABLE_IDENTIFIER = "no_usable_identifier"
    CHANNEL_NOT_ALLOWED = "channel_not_allowed"
    SOURCE_MISMATCH = "source_mismatch"
    OCCURRED_AT_IN_FUTURE = "occurred_at_in_future"
    REPLAY_NOT_ALLOWED = "replay_not_allowed"
    WRITE_NOT_ALLOWED = "write_not_allowed"
    SUPPRESSED = "suppressed"
    UNKNOWN_CALL = "unknown_call"
    NOT_OF_SYSTEM = "not_of_system"


class RepairKind(StrEnum):
    """How an invalid member was repaired, for producers that do not read responses."""

    NUMBER_AS_TEXT = "number_kept_as_text"
    SHORTENED = "member_shortened"
    LEFT_OUT = "member_left_out"


class UnavailabilityReason(StrEnum):
    """Why a touchpoint could not be written, or nobody knows whether it was; sending the same id again is right."""

    NOT_ACKNOWLEDGED = "not_acknowledged"


class ResponseSummary(StrEnum):
    """The code of a problem document whose touchpoints have different reasons."""

    ALL_REJECTED = "all_rejected"
    SOME_UNAVAILABLE = "some_unavailable"


class RequestRefusal(StrEnum):
    """Why a whole request is refused before any touchpoint of it is looked at."""

    EMPTY_BODY = "empty_body"
    BODY_NOT_JSON = "body_not_json"
    INVALID_ENVELOPE = "invalid_envelope"
    INVALID_EVENT = "invalid_event"
    INVALID_BATCH = "invalid_batch"
    NO_TOUCHPOINTS = "no_touchpoints"
    BODY_TOO_DEEP = "body_too_deep"
    INVALID_CALLS = "invalid_calls"
    NO_CALLS = "no_calls"
    INVALID_ENCODING = "invalid_encoding"
    KEY_MISSING = "key_missing"
    KEY_INVALID = "key_invalid"
    KEY_REVOKED = "key_revoked"
    KEY_EXPIRED = "key_expired"
    SOURCE_DISABLED = "source_disabled"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    SOURCE_MISCONFIGURED = "source_misconfigured"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TIMEOUT = "body_timeout"
    BODY_TOO_LARGE = "body_too_large"
    INFLATED_TOO_LARGE = "inflated_too_large"
    TOO_MANY_ITEMS = "too_many_items"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    OVERLOADED = "overloaded"
    KEYS_UNAVAILABLE = "keys_unavailable"
    WEBHOOK_UNKNOWN = "webhook_unknown"
    WEBHOOK_NOT_READY = "webhook_not_ready"
    WEBHOOK_TIMEOUT = "webhook_timeout"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_WRONG = "signature_wrong"
    SIGNATURE_STALE = "signature_stale"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_TOUCHPOINTS = "too_many_touchpoints"
    TOO_MANY_WRONG_KEYS = "too_many_wrong_keys"
    TOO_MANY_STREAMS = "too_many_streams"
    INSPECT_NOT_ALLOWED = "inspect_not_allowed"
    INVALID_QUERY = "invalid_query"


STATUS: dict[RequestRefusal, int] = {
    RequestRefusal.EMPTY_BODY: 400,
    RequestRefusal.BODY_NOT_JSON: 400,
    RequestRefusal.INVALID_ENVELOPE: 400,
    RequestRefusal.INVALID_EVENT: 400,
    RequestRefusal.INVALID_BATCH: 400,
    RequestRefusal.NO_TOUCHPOINTS: 400,
    RequestRefusal.BODY_TOO_DEEP: 400,
    RequestRefusal.INVALID_CALLS: 400,
    RequestRefusal.NO_CALLS: 400,
    RequestRefusal.INVALID_ENCODING: 400,
    RequestRefusal.KEY_MISSING: 401,
    RequestRefusal.KEY_INVALID: 401,
    RequestRefusal.KEY_REVOKED: 401,
    RequestRefusal.KEY_EXPIRED: 401,
    RequestRefusal.SOURCE_DISABLED: 403,
    RequestRefusal.ORIGIN_NOT_ALLOWED: 403,
    RequestRefusal.SOURCE_MISCONFIGURED: 503,
    RequestRefusal.METHOD_NOT_ALLOWED: 405,
    RequestRefusal.BODY_TIMEOUT: 408,
    RequestRefusal.BODY_TOO_LARGE: 413,
    RequestRefusal.INFLATED_TOO_LARGE: 413,
    RequestRefusal.TOO_MANY_ITEMS: 413,
    RequestRefusal.UNSUPPORTED_MEDIA_TYPE: 415,
    RequestRefusal.UNSUPPORTED_ENCODING: 415,
    RequestRefusal.OVERLOADED: 503,
    RequestRefusal.KEYS_UNAVAILABLE: 503,
    RequestRefusal.WEBHOOK_UNKNOWN: 404,
    RequestRefusal.WEBHOOK_NOT_READY: 503,
    RequestRefusal.WEBHOOK_TIMEOUT: 503,
    RequestRefusal.ADDRESS_NOT_ALLOWED: 403,
    RequestRefusal.SIGNATURE_MISSING: 401,
    RequestRefusal.SIGNATURE_WRONG: 401,
    RequestRefusal.SIGNATURE_STALE: 401,
    RequestRefusal.TOO_MANY_REQUESTS: 429,
    RequestRefusal.TOO_MANY_TOUCHPOINTS: 429,
    RequestRefusal.TOO_MANY_WRONG_KEYS: 429,
    RequestRefusal.TOO_MANY_STREAMS: 503,
    RequestRefusal.INSPECT_NOT_ALLOWED: 403,
    RequestRefusal.INVALID_QUERY: 400,
}
"""The HTTP status of each refusal."""


class RequestRefusedError(Exception):
    """A request is refused as a whole; `facts` fill the wording (limits, never what was sent)."""

    def __init__(
        self, refusal: RequestRefusal, *, headers: Mapping[str, str] | None = None, **facts: str | int | float
    ) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.headers = dict(headers or {})
        self.facts = facts

    @property
    def status(self) -> int:
        """The HTTP status of the refusal."""
        return STATUS[self.refusal]
