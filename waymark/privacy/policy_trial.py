"""Tries a privacy policy before ingest has it, and opens what it encrypted.

Nothing is stored or sent: both read a document and write another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from schemas.documents.touchpoint import SEALED_TEXT, TouchpointDocument
from schemas.validation import FieldError
from services.ingest.privacy.policy import PrivacyPolicy
from services.ingest.privacy.policy_applier import PolicyApplier
from services.ingest.privacy.value_sealing import ValueSealer, is_sealed
from services.ingest.results.item_result import ItemResult
from services.ingest.sources.source import Source, SourceScope
from services.ingest.timing import touchpoint_time
from services.ingest.touchpoint import acceptance, contract
from services.ingest.touchpoint.acceptance import AcceptedTouchpoint
from services.runtime.credentials.sealing import CannotUnsealError
from waymark.console import CommandError

_IN_TIMELINE = "sealed_text"
"""What the read API calls an encrypted text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyComparison:
    """A touchpoint as published without the policy and with it; `after` is None where the policy refuses it."""

    before: dict[str, Any]
    after: dict[str, Any] | None
    record_key: str
    """The type of the identifier that would key the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBench:
    """A policy with the secrets and the settings of ingest that it needs."""

    policy: PrivacyPolicy
    treating: PolicyApplier
    rules: acceptance.AcceptanceRules

    def show(self, payload: Mapping[str, Any], source: str, now: datetime) -> PolicyComparison:
        """Return what would be published of a touchpoint that `source` posted.

        Raises:
            CommandError: it would be refused already for what it is.
        """
        accepted = self._accepted(payload, source, now)
        treated = self.treating.treat(accepted, self.policy.of(source))
        kept = treated if isinstance(treated, AcceptedTouchpoint) else None
        return PolicyComparison(
            before=_document(accepted.touchpoint),
            after=_document(kept.touchpoint) if kept is not None else None,
            record_key=kept.key[0] if kept is not None else "",
        )

    def _accepted(self, payload: Mapping[str, Any], source: str, now: datetime) -> AcceptedTouchpoint:
        read = contract.read(dict(payload), {}, composed=False)
        if isinstance(read, ItemResult):
            raise CommandError(f"this is no touchpoint: {_said(read.errors)}")
        told_by = Source(name=source, scopes=frozenset(SourceScope))
        decided = acceptance.accept(read, told_by, touchpoint_time.as_reported(read), now, self.rules)
        if isinstance(decided, ItemResult):
            raise CommandError(f"this touchpoint would be refused: {decided.reason} ({decided.field})")
        return decided


def opened(document: Any, sealer: ValueSealer) -> tuple[Any, int, int]:
    """Return `document` with the sealed values of its touchpoints opened, how many were opened, and how many were not.

    A touchpoint is any object with `source`, `id` and either `attributes` or `sealed_text`: a record of the topic, an
    entry of the timeline. What cannot be opened stays as it is.
    """
    if isinstance(document, list):
        return _sum([opened(one, sealer) for one in document])
    if not isinstance(document, dict):
        return document, 0, 0
    if "source" in document and "id" in document and ({"attributes", _IN_TIMELINE} & document.keys()):
        return _touchpoint(document, sealer)
    values, done, failed = _sum([opened(value, sealer) for value in document.values()])
    return dict(zip(document, values, strict=True)), done, failed


def _touchpoint(found: dict[str, Any], sealer: ValueSealer) -> tuple[dict[str, Any], int, int]:
    place = {"source": str(found["source"]), "id_": str(found["id"])}
    whole, done, failed = dict(found), 0, 0
    if isinstance(found.get("attributes"), dict):
        whole["attributes"], done, failed = _inside(found["attributes"], "attributes", place, sealer)
    for holder, name in ((whole, _IN_TIMELINE), (whole.get("attributes"), SEALED_TEXT)):
        if isinstance(holder, dict) and holder.get(name) is not None:
            text, more, less = _inside(holder[name], "text", place, sealer)
            done, failed = done + more, failed + less
            if more:
                del holder[name]
                whole["text"] = text
    return whole, done, failed


def _inside(node: Any, path: str, place: Mapping[str, str], sealer: ValueSealer) -> tuple[Any, int, int]:
    if is_sealed(node):
        try:
            return sealer.open(node, path=path, source=place["source"], id_=place["id_"]), 1, 0
        except CannotUnsealError:
            return node, 0, 1
    if isinstance(node, dict):
        inner = [
            (value, 0, 0) if name == SEALED_TEXT else _inside(value, f"{path}.{name}", place, sealer)
            for name, value in node.items()
        ]
        values, done, failed = _sum(inner)
        return dict(zip(node, values, strict=True)), done, failed
    if isinstance(node, list):
        return _sum([_inside(value, f"{path}[{at}]", place, sealer) for at, value in enumerate(node)])
    return node, 0, 0


def _sum(parts: list[tuple[Any, int, int]]) -> tuple[list[Any], int, int]:
    return [part[0] for part in parts], sum(part[1] for part in parts), sum(part[2] for part in parts)


def _document(found: TouchpointDocument) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return document


def _said(errors: Iterable[FieldError]) -> str:
    return "; ".join(f"{error.path or '(whole)'}: {error.message}" for error in errors)
