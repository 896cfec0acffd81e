"""Readers: how one member is made of a message, from constants, paths, templates and a file's definitions.

A reader returns None to leave its member out and raises `UnreadableValueError` for a value that it cannot read. `find`,
which a front gives, is its language of paths: it compiles the text of a path into the reader of what stands there.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from services.ingest.forms.mapping.definitions import ValueSpec
from services.ingest.forms.mapping.faults import MappingRuleError, UnreadableValueError
from services.ingest.forms.mapping.members import NUMBERS, TIMES, takes_members
from services.ingest.forms.mapping.readings import (
    TIME_FORMS,
    as_text,
    plain_text,
    read_moment,
    read_number,
    read_total,
    time_text,
    zone_named,
)

Context = TypeVar("Context")
"""What a front's readers read from: a delivery's event, a call, a CloudEvent, a row."""

Reader = Callable[[Context], Any]
PathCompiler = Callable[[str], Reader[Context]]
ValueStep = Callable[[Any, Context], Any]

TEXT_LENGTH = 8192
"""Characters of `text`; the sender cannot write shorter, so the rest is cut off."""

FINDS = frozenset({"path", "template"})

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_OPTION = "@option."


def compile_value(spec: Any, name: str, find: PathCompiler[Context]) -> Reader[Context]:
    """Return the reader that a file defines for the member `name` (`customer.phone`, `wait_s`, `attributes.x`).

    Raises:
        MappingRuleError: the definition cannot be used.
    """
    if isinstance(spec, dict) and spec.keys() & FINDS:
        return _found(_converted(spec), name, find)
    if isinstance(spec, dict) and takes_members(name):
        return object_of({str(member): compile_value(said, f"{name}.{member}", find) for member, said in spec.items()})
    if isinstance(spec, dict | list):
        raise MappingRuleError("say `path` or `template`, or a constant")
    if isinstance(spec, str) and "{" in spec:
        return _found(ValueSpec(template=spec), name, find)
    return constant(spec)


def constant(value: Any) -> Reader[Any]:
    """Return the reader that finds the same value in everything."""
    return lambda _: value


def object_of(members: Mapping[str, Reader[Context]], needs: Collection[str] = ()) -> Reader[Context]:
    """Return the reader of an object without its absent members; None when all are absent, or all that it `needs`."""

    def read(context: Context) -> dict[str, Any] | None:
        made = {member: value for member, read in members.items() if (value := read(context)) is not None}
        return made if made and (not needs or any(name in made for name in needs)) else None

    return read


def first_of(finds: Sequence[Reader[Context]], steps: Sequence[ValueStep[Context]] = ()) -> Reader[Context]:
    """Return the reader of the first value that `steps` can work on; null and empty text are absent."""

    def read(context: Context) -> Any:
        problem: UnreadableValueError | None = None
        for find in finds:
            try:
                made = _worked_on(find(context), steps, context)
            except UnreadableValueError as error:
                problem = problem or error
                continue
            if made is not None:
                return made
        if problem is not None:
            raise problem
        return None

    return read


def _worked_on(found: Any, steps: Sequence[ValueStep[Context]], context: Context) -> Any:
    for step in steps:
        if found is None or found == "":
            return None
        found = step(found, context)
    return None if found == "" else found


def compile_template(text: str, find: PathCompiler[Context], *, needs_all: bool = True) -> Reader[Context]:
    """Return what fills in each `{path}` of a template; `{{` is a brace.

    The text is absent when a value in it is, or, where it does not need all of them, when all of its values are.

    Raises:
        MappingRuleError: a brace has no partner, or a path cannot be read.
    """
    pieces: list[str | Reader[Context]] = []
    end = 0
    for found in _PLACEHOLDER.finditer(text):
        pieces.append(text[end : found.start()])
        end = found.end()
        if found[0] in "{}":
            raise MappingRuleError(f"a brace without its partner in {text!r}; write {{{{ for a brace")
        pieces.append(find(found[1]) if found[1] else found[0][0])
    pieces.append(text[end:])
    return _filled([piece for piece in pieces if piece != ""], needs_all)


def _filled(pieces: Sequence[str | Reader[Context]], needs_all: bool) -> Reader[Context]:
    readers = sum(not isinstance(piece, str) for piece in pieces)

    def fill(context: Context) -> str | None:
        made, empty = [], 0
        for piece in pieces:
            text = piece if isinstance(piece, str) else as_text(piece(context))
            if not text:
                if needs_all:
                    return None
                empty += 1
            made.append(text)
        return None if readers and empty == readers else "".join(made)

    return fill


def many(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return what a file says once or as a list, as a tuple."""
    return (given,) if isinstance(given, str) else given


def _converted(spec: Mapping[str, Any]) -> ValueSpec:
    try:
        value = msgspec.convert(spec, ValueSpec)
    except msgspec.ValidationError as error:
        raise MappingRuleError(str(error)) from None
    if bool(value.path) == bool(value.template):
        raise MappingRuleError("say either `path` or `template`")
    return value


def _found(value: ValueSpec, name: str, find: PathCompiler[Context]) -> Reader[Context]:
    finds = [compile_template(text, find) for text in many(value.template)] or [*map(find, many(value.path))]
    return first_of(finds, _steps(value, name, find))


def _steps(value: ValueSpec, name: str, find: PathCompiler[Context]) -> list[ValueStep[Context]]:
    steps: list[ValueStep[Context]] = []
    if value.sum:
        steps.append(lambda found, _: read_total(found))
    if value.html:
        steps.append(lambda found, _: plain_text(found))
    if value.pattern is not None:
        steps.append(_pattern(value.pattern))
    if value.map is not None:
        steps.append(_lookup(value, value.map))
    return [*steps, _reading(value, name, find)]


def _reading(value: ValueSpec, name: str, find: PathCompiler[Context]) -> ValueStep[Context]:
    """The last step, which gives a value the type of its member; attributes keep what they have."""
    if value.since is not None:
        return _since(_moment(value, find), first_of([find(path) for path in many(value.since)]))
    if value.time is not None or name in TIMES:
        return _time(value, _moment(value, find))
    if value.number or value.times != 1.0 or name in NUMBERS:
        return lambda found, _: read_number(found, value.times)
    if name == "text":
        return lambda found, _: as_text(found)[:TEXT_LENGTH]
    return (lambda found, _: found) if name.startswith("attributes.") else lambda found, _: as_text(found)


def _time(value: ValueSpec, moment: Callable[[Any, Context], datetime]) -> ValueStep[Context]:
    form = value.time or "iso"
    if form not in TIME_FORMS and "%" not in form:
        raise MappingRuleError("`time` is iso, s, ms, rfc2822, or a format such as %Y%m%d%H%M%S")
    if not value.zone.startswith(_OPTION):
        zone_named(value.zone)

    def step(found: Any, context: Context) -> str:
        try:
            return time_text(moment(found, context))
        except OverflowError:  # the first and the last hours of all years, in another zone
            raise UnreadableValueError(f"no time of the form {form}") from None

    return step


def _pattern(text: str) -> ValueStep[Any]:
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise MappingRuleError(f"`pattern` is no regular expression: {error}") from None
    if compiled.groups != 1:
        raise MappingRuleError("`pattern` wants one group: what it holds is the value")

    def step(found: Any, _: Any) -> str | None:
        matched = compiled.search(as_text(found))
        return matched[1] if matched is not None else None

    return step


def _lookup(value: ValueSpec, meanings: Mapping[str, Any]) -> ValueStep[Any]:
    known = {key.casefold(): meaning for key, meaning in meanings.items()}

    def step(found: Any, _: Any) -> Any:
        key = as_text(found).casefold()
        if key in known:
            return known[key]
        if value.otherwise is msgspec.UNSET:
            raise UnreadableValueError("a value that `map` does not know (or say `otherwise`)")
        return value.otherwise

    return step


def _since(moment: Callable[[Any, Context], datetime], start: Reader[Context]) -> ValueStep[Context]:
    def step(found: Any, context: Context) -> float | None:
        begun = start(context)
        if begun is None:
            return None
        seconds = (moment(found, context) - moment(begun, context)).total_seconds()
        return round(seconds, 3) if seconds >= 0 else None

    return step


def _moment(value: ValueSpec, find: PathCompiler[Context]) -> Callable[[Any, Context], datetime]:
    is_option = value.zone.startswith(_OPTION)
    zone = find(value.zone) if is_option else constant(value.zone)
    called = f"the option {value.zone.removeprefix(_OPTION)}" if is_option else value.zone

    def step(found: Any, context: Context) -> datetime:
        moment = read_moment(found, value.time or "iso")
        if moment.tzinfo is not None:
            return moment
        try:
            return moment.replace(tzinfo=zone_named(zone(context) or ""))
        except MappingRuleError:
            raise UnreadableValueError(f"no time without a zone: {called} names none") from None

    return step
