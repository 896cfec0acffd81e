"""A page of the logbook as people read it: what came, what became of it, why, and how to put it right.

Happens when somebody looks, never on the hot path. The sentences are those of the answer that the producer got.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.dead_letter import DeadLetter
from services.ingest.answer import message_of
from services.ingest.inspector import masking
from services.ingest.inspector.logbook import Elsewhere, Page, Taken, Turned, outcomes
from services.ingest.inspector.masking import Structure
from services.ingest.reasons import Outcome, Rejection
from services.ingest.verdict import Verdict
from services.ingest.wording import Language, say

REFUSED = "refused"
"""The outcome of what was refused as a whole."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One member that is wrong; `sent` is the shape of what stood there, absent where nothing did."""

    path: str
    code: str
    message: str
    sent: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a request that was refused as a whole."""

    status: int
    route: str
    content_type: str | None = None
    content_length: str | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One touchpoint, or one refused request, as the inspector shows it."""

    cursor: str
    received_at: str
    source: str
    outcome: str
    replica: str = "this"
    id: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None
    errors: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    sent: Structure | None = None
    became: dict[str, Any] | None = None
    request: Refusal | None = None


def render(page: Page, language: Language, replica: str) -> Iterator[Seen]:
    """Yield the entries of a page, the last one first."""
    for at, outcome in reversed(list(outcomes(page))):
        cursor = f"{replica}-{page.number}-{at}"
        what = page.what
        if isinstance(what, Turned):
            yield _turned(page, what, cursor, language)
        elif isinstance(what, Elsewhere):
            yield _letter(page, what.letter, cursor, language)
        elif outcome is Outcome.REJECTED:
            yield _rejected(page, what.verdicts[at], what.sent.get(at, b""), cursor, language)
        else:
            yield _taken(page, what, at, cursor, language)


def _moment(page: Page) -> str:
    return page.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _turned(page: Page, what: Turned, cursor: str, language: Language) -> Seen:
    return Seen(
        cursor=cursor,
        received_at=_moment(page),
        source=page.source,
        outcome=REFUSED,
        code=str(what.refusal),
        message=say(what.refusal, language, **what.facts),
        request=Refusal(
            status=what.status,
            route=what.route,
            content_type=what.content_type or None,
            content_length=what.content_length or None,
        ),
    )


def _taken(page: Page, what: Taken, at: int, cursor: str, language: Language) -> Seen:
    verdict = what.verdicts[at]
    written = what.written.get(at)
    document = msgspec.json.decode(written.value) if written is not None and written.value is not None else None
    return Seen(
        cursor=cursor,
        received_at=_moment(page),
        source=page.source,
        outcome=str(verdict.outcome),
        id=verdict.id,
        code=str(verdict.reason) if verdict.reason is not None else None,
        message=_message(verdict, language),
        warnings=_warnings(verdict, None, language),
        became=masking.touchpoint(document) if verdict.outcome is Outcome.ACCEPTED and document is not None else None,
    )


def _rejected(page: Page, verdict: Verdict, sent: bytes, cursor: str, language: Language) -> Seen:
    document = _parsed(sent)
    korean = language is Language.KO
    errors = [(error.path, str(error.code), error.message_ko if korean else error.message) for error in verdict.errors]
    return Seen(
        cursor=cursor,
        received_at=_moment(page),
        source=page.source,
        outcome=str(verdict.outcome),
        id=_known_id(verdict.id, document),
        code=str(verdict.reason),
        field=verdict.field or None,
        message=_message(verdict, language),
        errors=tuple(_fault(*error, document) for error in errors)
        or (
            (_fault(verdict.field, str(verdict.reason), _message(verdict, language) or "", document),)
            * bool(verdict.field)
        ),
        warnings=_warnings(verdict, document, language),
        sent=_structure(sent, document),
    )


def _letter(page: Page, letter: DeadLetter, cursor: str, language: Language) -> Seen:
    sent = letter.value
    document = _parsed(sent)
    first = letter.errors[0] if letter.errors else None
    return Seen(
        cursor=cursor,
        received_at=_moment(page),
        source=page.source,
        outcome=str(Outcome.REJECTED),
        replica="another",
        id=_known_id(None, document),
        code=letter.code,
        field=(first.path or None) if first is not None else None,
        message=_sentence(letter, language),
        errors=tuple(_fault(error.path, error.code, error.message, document) for error in letter.errors),
        sent=_structure(sent, document),
    )


def _sentence(letter: DeadLetter, language: Language) -> str | None:
    """Return the sentence of a letter in `language` where it needs no facts; else as the letter has it, in English."""
    english = letter.errors[0].message if letter.errors else None
    try:
        return say(Rejection(letter.code), language) if language is Language.KO else english
    except (KeyError, ValueError):
        return english


def _message(verdict: Verdict, language: Language) -> str | None:
    return message_of(verdict, language, retry_after_s=5)


def _warnings(verdict: Verdict, document: Any, language: Language) -> tuple[Fault, ...]:
    return tuple(
        _fault(
            f"customer.{masking.name(dropped.type)}",
            str(dropped.reason),
            say(dropped.reason, language, type=dropped.type),
            document,
        )
        for dropped in verdict.dropped
    )


def _fault(path: str, code: str, message: str, document: Any) -> Fault:
    try:
        sent = masking.leaf(_value(masking.at_path(document, path))) if path else None
    except (LookupError, TypeError, ValueError):
        sent = None
    return Fault(path=path, code=code, message=message, sent=sent)


def _value(found: Any) -> Any:
    """The value of an identifier, be it written with or without `verified`."""
    return found["value"] if isinstance(found, dict) and "value" in found else found


def _parsed(sent: bytes) -> Any:
    try:
        return msgspec.json.decode(sent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _structure(sent: bytes, document: Any) -> Structure:
    if document is not None:
        return masking.structure(document)
    return f"bytes({len(sent)}) {_encoding(sent)}"


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
