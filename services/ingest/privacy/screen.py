"""Screens an accepted touchpoint before its publication: first the suppression list, then the privacy policy."""

import re

import msgspec

from services.ingest.privacy.policy import PrivacyPolicy
from services.ingest.privacy.policy_applier import PolicyApplier
from services.ingest.privacy.suppressions import Suppressions
from services.ingest.reasons import TouchpointRejection, UnavailabilityReason
from services.ingest.results.item_result import ItemResult, reject
from services.ingest.touchpoint.acceptance import AcceptedTouchpoint

_JSON = msgspec.json.Decoder()
_TEXTS = re.compile(rb'"([^"\\]{3,255})"')
"""What looks like a text in something that is no JSON."""
_LOOKED_AT = 16 * 1024


class PrivacyScreen:
    """Screens accepted touchpoints, and says what may be kept of those that were refused."""

    def __init__(
        self, policy: PrivacyPolicy, suppressions: Suppressions, treating: PolicyApplier, *, phone_region: str
    ) -> None:
        self._policy = policy
        self._suppressions = suppressions
        self._treating = treating
        self._phone_region = phone_region
        self._open = policy.inert

    def screen(self, accepted: AcceptedTouchpoint) -> AcceptedTouchpoint | ItemResult:
        """Return what may be published of an accepted touchpoint, or reject it."""
        if self._open and not self._suppressions:  # there is no policy, and nobody is suppressed
            return accepted
        found = accepted.touchpoint
        if self._suppressions and self._suppressions.name((type_, one.value) for type_, one in found.customer.items()):
            return reject(TouchpointRejection.SUPPRESSED, id_=found.id, field="customer")
        rules = self._policy.of(found.source)
        return accepted if rules.inert else self._treating.treat(accepted, rules)

    def keepable_bytes(
        self, original: bytes, reason: TouchpointRejection | UnavailabilityReason | None, source: str
    ) -> bytes:
        """Return what a dead letter may carry of the bytes that were sent: all of them, or none."""
        if reason is TouchpointRejection.SUPPRESSED or not self._policy.of(source).keeps_dead_letters:
            return b""
        if not self._suppressions:
            return original
        try:
            document = _JSON.decode(original)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            document = [text.decode(errors="replace") for text in _TEXTS.findall(original[:_LOOKED_AT])]
        return b"" if self._suppressions.may_include(document, self._phone_region) else original
