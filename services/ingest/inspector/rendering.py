"""Renders a page of the logbook for people: what was sent, its outcome, the reason, and how to fix it.

It runs when somebody looks, never on the hot path. Its sentences are those of the response to the producer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from schemas.documents.dead_letter import DeadLetterDocument
from schemas.languages import Language
from services.ingest.inspector import hints, masking
from services.ingest.inspector.follow_up import LaterOutcomeView
from services.ingest.inspector.logbook import (
    LogbookPage,
    OtherReplicaRejection,
    RecordedRefusal,
    RecordedResults,
    outcomes,
)
from services.ingest.inspector.masking import Structure
from services.ingest.reasons import ItemOutcome, TouchpointRejection
from services.ingest.results.item_result import ItemResult
from services.ingest.results.messages import say
from services.ingest.results.result_view import message_of

REFUSED = "refused"
"""The outcome of what was refused as a whole."""


class MemberNoteView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One wrong member; `sent` is the shape of its value, `hint` a guess at the cause."""

    path: str
    code: str
    message: str
    hint: str | None = None
    sent: str | None = None


class RefusedRequestView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a request that was refused as a whole."""

    status: int
    route: str
    content_type: str | None = None
    content_length: str | None = None


class EntryView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One touchpoint, or one refused request, as the inspector shows it; `later` is what became of an accepted one."""

    cursor: str
    received_at: str
    source: str
    outcome: str
    replica: str = "this"
    id: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None
    hint: str | None = None
    errors: tuple[MemberNoteView, ...] = ()
    warnings: tuple[MemberNoteView, ...] = ()
    sent: Structure | None = None
    became: dict[str, Any] | None = None
    later: LaterOutcomeView | None = None
    request: RefusedRequestView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _SentItem:
    """One item as sent, parsed if possible, with the language of the viewer and the time of receipt."""

    raw: bytes
    document: Any
    language: Language
    at: datetime

    def fault(self, path: str, code: str, message: str) -> MemberNoteView:
        try:
            value = _value(masking.at_path(self.document, path))
        except (LookupError, TypeError, ValueError):
            return MemberNoteView(path=path, code=code, message=message)
        hint = hints.guess(path, value, self.at)
        told = hint.say(self.language) if hint is not None else None
        return MemberNoteView(path=path, code=code, message=message, hint=told, sent=masking.leaf(value))

    @property
    def structure(self) -> Structure:
        if self.document is not None:
            return masking.structure(self.document)
        return f"bytes({len(self.raw)}) {_encoding(self.raw)}"

    @property
    def hint(self) -> str | None:
        found = hints.of_bytes(_encoding(self.raw)) if self.document is None else None
        return found.say(self.language) if found is not None else None


def render(page: LogbookPage, language: Language, replica: str) -> Iterator[EntryView]:
    """Yield the entries of a page, the last one first."""
    for at, outcome in reversed(list(outcomes(page))):
        cursor = f"{replica}-{page.number}-{at}"
        content = page.content
        if isinstance(content, RecordedRefusal):
            yield _refusal_view(page, content, cursor, language)
        elif isinstance(content, OtherReplicaRejection):
            yield _other_replica_view(page, content.letter, cursor, language)
        elif outcome is ItemOutcome.REJECTED:
            yield _rejection_view(
                page, content.results[at], _read(page, content.sent.get(at, b""), language), cursor, language
            )
        else:
            yield _result_view(page, content, at, cursor, language)


def _moment(page: LogbookPage) -> str:
    return page.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refusal_view(page: LogbookPage, content: RecordedRefusal, cursor: str, language: Language) -> EntryView:
    return EntryView(
        cursor=cursor,
        received_at=_moment(page),
        source=page.source,
        outcome=REFUSED,
        code=str(content.refusal),
        message=say(content.refusal, language, **content.facts),
        request=RefusedRequestView(
            status=content.status,
            route=content.route,
            content_type=content.content_type or None,
            content_length=content.content_length or None,
        ),
    )


def _result_view(page: LogbookPage, content: RecordedResults, at: int, cursor: str, language: Language) -> EntryView:
    result = content.results[at]
    written = content.written.get(at)
    document = msgspec.json.decode(written.value) if written is not None and written.value is not None else None
    return EntryView(
        cursor=cursor,
        received_at=_moment(page),
        source=page.source,
        outcome=str(result.outcome),
        id=result.id,
        code=str(result.reason) if result.reason is not None else None,
        message=_message(result, language),
        warnings=_warnings(result, _read(page, b"", language), language),
        became=masking.touchpoint(document)
        if result.outcome is ItemOutcome.ACCEPTED and document is not None
        else None,
    )


def _rejection_view(
    page: LogbookPage, result: ItemResult, sent: _SentItem, cursor: str, language: Language
) -> EntryView:
    korean = language is Language.KO
    errors = [(error.path, str(error.code), error.message_ko if korean else error.message) for error in result.errors]
    if not errors and result.field:
        errors = [(result.field, str(result.reason), _message(result, language) or "")]
    return EntryView(
        cursor=cursor,
        received_at=_moment(page),
        source=page.source,
        outcome=str(result.outcome),
        id=_known_id(result.id, sent.document),
        code=str(result.reason),
        field=result.field or None,
        message=_message(result, language),
        hint=sent.hint,
        errors=tuple(sent.fault(*error) for error in errors),
        warnings=_warnings(result, sent, language),
        sent=sent.structure,
    )


def _other_replica_view(page: LogbookPage, letter: DeadLetterDocument, cursor: str, language: Language) -> EntryView:
    sent = _read(page, letter.value, language)
    first = letter.errors[0] if letter.errors else None
    return EntryView(
        cursor=cursor,
        received_at=_moment(page),
        source=page.source,
        outcome=str(ItemOutcome.REJECTED),
        replica="another",
        id=_known_id(None, sent.document),
        code=letter.code,
        field=(first.path or None) if first is not None else None,
        message=_sentence(letter, language),
        hint=sent.hint,
        errors=tuple(sent.fault(error.path, error.code, error.message) for error in letter.errors),
        sent=sent.structure,
    )


def _sentence(letter: DeadLetterDocument, language: Language) -> str | None:
    """Return the sentence of a letter in `language` where it needs no facts; else as the letter has it, in English."""
    english = letter.errors[0].message if letter.errors else None
    try:
        return say(TouchpointRejection(letter.code), language) if language is Language.KO else english
    except (KeyError, ValueError):
        return english


def _message(result: ItemResult, language: Language) -> str | None:
    return message_of(result, language, retry_after_s=5)


def _warnings(result: ItemResult, sent: _SentItem, language: Language) -> tuple[MemberNoteView, ...]:
    return tuple(
        sent.fault(
            f"customer.{masking.name(dropped.type)}",
            str(dropped.reason),
            say(dropped.reason, language, type=dropped.type),
        )
        for dropped in result.dropped
    ) + tuple(sent.fault(note.path, str(note.how), say(note.how, language)) for note in result.repairs)


def _read(page: LogbookPage, raw: bytes, language: Language) -> _SentItem:
    return _SentItem(raw=raw, document=_parsed(raw), language=language, at=page.at)


def _value(found: Any) -> Any:
    """The value of an identifier, be it written with or without `verified`."""
    return found["value"] if isinstance(found, dict) and "value" in found else found


def _parsed(sent: bytes) -> Any:
    try:
        return msgspec.json.decode(sent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _encoding(sent: bytes) -> str:
    try:
        sent.decode()
    except UnicodeDecodeError:
        pass
    else:
        return "UTF-8, not JSON"
    try:
        korean = sent.decode("cp949")
    except UnicodeDecodeError:
        return "not UTF-8"
    return (
        "not UTF-8, perhaps cp949 (EUC-KR)" if any("가" <= character <= "힣" for character in korean) else "not UTF-8"
    )


def _known_id(id_: str | None, document: Any) -> str | None:
    found = id_ if id_ is not None else (document.get("id") if isinstance(document, dict) else None)
    return found if isinstance(found, str) and len(found) <= 255 else None
