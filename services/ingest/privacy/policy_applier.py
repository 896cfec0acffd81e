"""Applies a privacy policy to one accepted touchpoint. Pure except for the randomness of encryption.

Identifiers are normalised already, so their pseudonyms link however they were written. The record's key is made from
the published identifiers, so it may be made from a pseudonym.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.documents.touchpoint import SEALED_TEXT, IdentifierValue, TouchpointDocument
from schemas.identifiers import identifier_types
from schemas.identifiers.pseudonyms import pseudonym
from services.ingest.privacy.policy import PrivacyRules, PrivacyTreatment, Tree
from services.ingest.privacy.value_sealing import ValueSealer
from services.ingest.reasons import TouchpointRejection
from services.ingest.results.item_result import ItemResult, reject
from services.ingest.touchpoint.acceptance import AcceptedTouchpoint

_MAX_ATTRIBUTES = 100
"""Of one touchpoint, by the contract."""

_GONE = object()


class PolicyApplier:
    """Treats touchpoints with one secret for pseudonyms and one sealer."""

    def __init__(self, secret: bytes, sealer: ValueSealer) -> None:
        self._secret = secret
        self._sealer = sealer

    def treat(self, accepted: AcceptedTouchpoint, rules: PrivacyRules) -> AcceptedTouchpoint | ItemResult:
        """Return what may be published of an accepted touchpoint."""
        found = accepted.touchpoint
        customer = self._customer(found.customer, rules.identifiers)
        strongest = identifier_types.strongest({name: given.value for name, given in customer.items()})
        if strongest is None:
            return reject(
                TouchpointRejection.NO_USABLE_IDENTIFIER, id_=found.id, field="customer", dropped=accepted.dropped
            )
        unheard = rules.text is PrivacyTreatment.DROP and found.sentiment_by is not None  # nothing of it is to be known
        touchpoint = msgspec.structs.replace(
            found,
            sentiment=None if unheard else found.sentiment,
            sentiment_by=None if unheard else found.sentiment_by,
            customer=customer,
            agent=self._member("agent", found.agent, rules.agent),
            text=self._member("text", found.text, rules.text),
            refs=self._refs(found.refs, rules.refs),
            attributes=self._attributes(found, rules),
        )
        return AcceptedTouchpoint(touchpoint=touchpoint, key=strongest, dropped=accepted.dropped)

    def _customer(
        self, customer: Mapping[str, IdentifierValue], treatments: Mapping[str, PrivacyTreatment]
    ) -> dict[str, IdentifierValue]:
        kept = {}
        for type_, given in customer.items():
            match _chosen(treatments, type_):
                case PrivacyTreatment.HMAC:
                    hidden = pseudonym(self._secret, type_, given.value)
                    kept[type_] = IdentifierValue(value=hidden, verified=given.verified)
                case PrivacyTreatment.KEEP:
                    kept[type_] = given
        return kept

    def _member(self, name: str, value: str | None, treatment: PrivacyTreatment) -> str | None:
        if value is None or treatment is PrivacyTreatment.KEEP:
            return value
        return pseudonym(self._secret, f".{name}", value) if treatment is PrivacyTreatment.HMAC else None

    def _refs(self, refs: Mapping[str, str], treatments: Mapping[str, PrivacyTreatment]) -> dict[str, str]:
        kept = {name: self._member(f"refs.{name}", value, _chosen(treatments, name)) for name, value in refs.items()}
        return {name: value for name, value in kept.items() if value is not None}

    def _attributes(self, found: TouchpointDocument, rules: PrivacyRules) -> dict[str, Any]:
        attributes = found.attributes
        if rules.attributes:
            attributes = self._walked(attributes, rules.attributes, found, "attributes")
        if rules.text is not PrivacyTreatment.ENCRYPT or found.text is None or len(attributes) >= _MAX_ATTRIBUTES:
            return attributes
        sealed = self._sealer.seal(found.text, source=found.source, id_=found.id, path="text")
        return {**attributes, SEALED_TEXT: sealed}

    def _walked(self, node: Mapping[str, Any], tree: Tree, found: TouchpointDocument, path: str) -> dict[str, Any]:
        kept = {}
        for name, value in node.items():
            treated = self._value(value, _rule_at(tree, name) or PrivacyTreatment.KEEP, found, f"{path}.{name}")
            if treated is not _GONE:
                kept[name] = treated
        return kept

    def _value(self, value: Any, rule: "PrivacyTreatment | Tree", found: TouchpointDocument, path: str) -> Any:
        if isinstance(rule, PrivacyTreatment):
            return self._treated(value, rule, found, path)
        if isinstance(value, dict):
            return self._walked(value, rule, found, path)
        inside = rule.get("*", PrivacyTreatment.KEEP)
        objects = isinstance(value, list) and all(isinstance(one, dict) for one in value)
        if not objects and isinstance(inside, PrivacyTreatment) and inside is not PrivacyTreatment.KEEP:
            return self._treated(value, inside, found, path)  # no names inside: what holds of each holds of the whole
        if isinstance(value, list):
            return [self._value(one, rule, found, f"{path}[{at}]") for at, one in enumerate(value)]
        return value

    def _treated(self, value: Any, treatment: PrivacyTreatment, found: TouchpointDocument, path: str) -> Any:
        match treatment:
            case PrivacyTreatment.KEEP:
                return value
            case PrivacyTreatment.HMAC:
                text = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
                return pseudonym(self._secret, ".attributes", text)
            case PrivacyTreatment.ENCRYPT:
                return self._sealer.seal(value, source=found.source, id_=found.id, path=path)
            case PrivacyTreatment.DROP:
                return _GONE


def _rule_at(tree: Tree, name: str) -> "PrivacyTreatment | Tree | None":
    """The rule for a member. A name with dots, `data.buyer`, is the path that it looks like, else one name."""
    step, dot, rest = name.partition(".")
    for below in (tree.get(step), tree.get("*")):
        found = _rule_at(below, rest) if dot and isinstance(below, Mapping) else below
        if found is not None:
            return found
    return None


def _chosen(treatments: Mapping[str, PrivacyTreatment], name: str) -> PrivacyTreatment:
    return treatments.get(name, treatments.get("*", PrivacyTreatment.KEEP))
