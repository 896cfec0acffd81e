"""Reads one member of a touchpoint from an event: constants, templates like `{CallSid}`, lookups, numbers, times. Pure.

A `ValueReader` returns None to leave the member out and raises `EventValueError` for what it cannot read. The message
never quotes what was sent: it may be personal data. Readers are compiled once.
"""

import html
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from services.ingest.forms.webhooks.mapping.paths import EventContext, EventPathError, Getter, as_text, compile_path
from services.ingest.forms.webhooks.mapping.system_schema import ValueSpec

ValueReader = Callable[[EventContext], Any]

TIMES = frozenset({"occurred_at", "due_at"})
NUMBERS = frozenset(
    {"wait_s", "duration_s", "hold_s", "transfers", "sequence", "sentiment"}
    | {"score.value", "score.scale", "value.amount"}
)
TEXT_LENGTH = 8192
"""Characters of `text`; the sender cannot write shorter, so the rest is cut off."""

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")


class EventValueError(Exception):
    """An event has a value that cannot be read as its system defines it."""


class ValueSpecError(Exception):
    """The file has a value definition that cannot be used."""


def compile_value(spec: Any, name: str) -> ValueReader:
    """Return the reader that a file defines for the member `name` (`customer.phone`, `wait_s`, `attributes.x`).

    Raises:
        ValueSpecError: the definition cannot be used.
    """
    if isinstance(spec, dict) and spec.keys() & _FINDS:
        return _made(_converted(spec), name)
    if isinstance(spec, dict) and (name in _OBJECTS or name.startswith("attributes.") or _is_identifier(name)):
        nested = {str(member): compile_value(said, f"{name}.{member}") for member, said in spec.items()}
        return lambda view: _members(nested, view)
    if isinstance(spec, dict | list):
        raise ValueSpecError("say `path` or `template`, or a constant")
    if isinstance(spec, str) and "{" in spec:
        return _made(ValueSpec(template=spec), name)
    return lambda _: spec


_FINDS = {"path", "template"}
_OBJECTS = frozenset({"score", "value"})


def _is_identifier(name: str) -> bool:
    """Whether `{value: …, verified: …}` may stand here."""
    return name.startswith("customer.") and name.count(".") == 1


def _members(nested: Mapping[str, ValueReader], view: EventContext) -> dict[str, Any] | None:
    made = {member: make(view) for member, make in nested.items()}
    return {member: value for member, value in made.items() if value is not None} or None


def _converted(spec: Mapping[str, Any]) -> ValueSpec:
    try:
        value = msgspec.convert(spec, ValueSpec)
    except msgspec.ValidationError as error:
        raise ValueSpecError(str(error)) from None
    if bool(value.path) == bool(value.template):
        raise ValueSpecError("say either `path` or `template`")
    return value


_RECEIPT = ("@received_at", "{@received_at}")


def has_no_time(spec: Any) -> bool:
    """Whether a file says of `occurred_at` that the event has no time of its own, or may have none.

    Such a touchpoint says none either, so that it is the same when it comes again later; its receipt stands in.
    """
    found = (spec.get("path") or spec.get("template")) if isinstance(spec, dict) else spec
    return any(said in _RECEIPT for said in (found if isinstance(found, list | tuple) else [found]))


def _without_receipt(value: ValueSpec) -> ValueSpec | None:
    paths, templates = (
        tuple(said for said in _many(given) if said not in _RECEIPT) for given in (value.path, value.template)
    )
    return msgspec.structs.replace(value, path=paths, template=templates) if paths or templates else None


def _made(given: ValueSpec, name: str) -> ValueReader:
    value = _without_receipt(given) if name == "occurred_at" else given
    if value is None:
        return lambda _: None
    finds = [compile_template(text) for text in _many(value.template)] or [_getter(path) for path in _many(value.path)]
    steps = _steps(value, name)

    def make(view: EventContext) -> Any:
        problem: EventValueError | None = None
        for find in finds:
            try:
                made = _worked_on(find(view), steps, view)
            except EventValueError as error:
                problem = problem or error
                continue
            if made is not None:
                return made
        if problem is not None:
            raise problem
        return None

    return make


def _many(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given


def _worked_on(found: Any, steps: Sequence["ValueStep"], view: EventContext) -> Any:
    for step in steps:
        if found is None or found == "":
            return None
        found = step(found, view)
    return None if found == "" else found


ValueStep = Callable[[Any, EventContext], Any]


def _steps(value: ValueSpec, name: str) -> list[ValueStep]:
    steps: list[ValueStep] = [_summed] if value.sum else []
    if value.html:
        steps.append(_plain)
    if value.pattern is not None:
        steps.append(_pattern(value.pattern))
    if value.map is not None:
        steps.append(_lookup(value))
    if value.since is not None:
        return [*steps, _since(value)]
    if value.time is not None or name in TIMES:
        return [*steps, _time(value)]
    if value.number or value.times != 1.0 or name in NUMBERS:
        return [*steps, _number(value)]
    return [*steps, _cut if name == "text" else _leaf(name)]


def _first(paths: str | tuple[str, ...]) -> Getter:
    getters = [_getter(path) for path in _many(paths)]

    def find(view: EventContext) -> Any:
        return next((found for get in getters if (found := get(view)) is not None and found != ""), None)

    return find


def _getter(path: str) -> Getter:
    try:
        return compile_path(path)
    except EventPathError as error:
        raise ValueSpecError(str(error)) from None


def compile_template(text: str) -> Getter:
    """Return a reader that fills in each `{path}`; `{{` is a brace. It returns None when any value is absent.

    Raises:
        ValueSpecError: a brace has no partner, or a path cannot be read.
    """
    pieces: list[str | Getter] = []
    end = 0
    for found in _PLACEHOLDER.finditer(text):
        pieces.append(text[end : found.start()])
        end = found.end()
        if found[0] in "{}":
            raise ValueSpecError(f"a brace without its partner in {text!r}; write {{{{ for a brace")
        pieces.append(_getter(found[1]) if found[1] else found[0][0])
    pieces.append(text[end:])
    return lambda view: _filled(pieces, view)


def _filled(pieces: list[str | Getter], view: EventContext) -> str | None:
    made = []
    for piece in pieces:
        text = piece if isinstance(piece, str) else as_text(piece(view))
        if not text and not isinstance(piece, str):
            return None
        made.append(text)
    return "".join(made)


_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<\s*(?:br|/p|/div|/li)\b[^<>]*>", re.IGNORECASE)


def _plain(found: Any, _: EventContext) -> str:
    text = _TAG.sub("", _BREAK.sub("\n", as_text(found)))
    return html.unescape(text).strip()


def _pattern(text: str) -> ValueStep:
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise ValueSpecError(f"`pattern` is no regular expression: {error}") from None
    if compiled.groups != 1:
        raise ValueSpecError("`pattern` wants one group: what it holds is the value")

    def step(found: Any, _: EventContext) -> str | None:
        matched = compiled.search(as_text(found))
        return matched[1] if matched is not None else None

    return step


def _lookup(value: ValueSpec) -> ValueStep:
    known = {key.casefold(): meaning for key, meaning in (value.map or {}).items()}

    def step(found: Any, _: EventContext) -> Any:
        key = as_text(found).casefold()
        if key in known:
            return known[key]
        if value.otherwise is msgspec.UNSET:
            raise EventValueError("a value that `map` does not know (or say `otherwise`)")
        return value.otherwise

    return step


def _number(value: ValueSpec) -> ValueStep:
    def step(found: Any, _: EventContext) -> int | float:
        try:
            number = float(as_text(found).replace(",", "")) * value.times
        except ValueError:
            raise EventValueError("no number") from None
        if not math.isfinite(number):
            raise EventValueError("no number")
        return int(number) if number.is_integer() else round(number, 6)

    return step


def _summed(found: Any, _: EventContext) -> Decimal | None:
    try:
        numbers = [Decimal(as_text(one)) for one in found] if isinstance(found, list) else []
    except InvalidOperation:
        raise EventValueError("no numbers to add up") from None
    return sum(numbers, Decimal(0)) if numbers else None


def _since(value: ValueSpec) -> ValueStep:
    start = _first(value.since or "")

    def step(found: Any, view: EventContext) -> float | None:
        begun = start(view)
        if begun is None:
            return None
        seconds = (_moment(found, value, view) - _moment(begun, value, view)).total_seconds()
        return round(seconds, 3) if seconds >= 0 else None

    return step


def _time(value: ValueSpec) -> ValueStep:
    if value.time not in (None, "iso", "s", "ms", "rfc2822") and "%" not in (value.time or ""):
        raise ValueSpecError("`time` is iso, s, ms, rfc2822, or a format such as %Y%m%d%H%M%S")
    if not value.zone.startswith(_OPTION):
        _zone(value.zone)
    return lambda found, view: _moment(found, value, view).astimezone(UTC).isoformat().replace("+00:00", "Z")


_OPTION = "@option."


def _moment(found: Any, value: ValueSpec, view: EventContext) -> datetime:
    if isinstance(found, datetime):
        return found
    try:
        moment = _read(as_text(found), value.time or "iso")
    except (ValueError, OverflowError, OSError, TypeError):
        raise EventValueError(f"no time of the form {value.time or 'iso'}") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=_zone_of(value.zone, view))


def _zone_of(name: str, view: EventContext) -> ZoneInfo:
    if not name.startswith(_OPTION):
        return _zone(name)
    try:
        return _zone(view.options.get(name.removeprefix(_OPTION), ""))
    except ValueSpecError:
        raise EventValueError(f"no time without a zone: the option {name.removeprefix(_OPTION)} names none") from None


def _read(text: str, form: str) -> datetime:
    if form in {"s", "ms"}:
        return datetime.fromtimestamp(float(text) / (1000 if form == "ms" else 1), UTC)
    if form == "rfc2822":
        return parsedate_to_datetime(text)
    return datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007  zone follows


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueSpecError(f"there is no time zone {name!r}; an IANA name like Asia/Seoul is wanted") from None


def _cut(found: Any, _: EventContext) -> str:
    return as_text(found)[:TEXT_LENGTH]


def _leaf(name: str) -> ValueStep:
    """Attributes keep their types; everything else that is not a number or a time is text."""
    if name.startswith("attributes."):
        return lambda found, _: found
    return lambda found, _: as_text(found)
