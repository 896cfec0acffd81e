"""Compiles the definition of a channel system into rules, and lists every problem with its place in the file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from services.ingest.forms.mapping.conditions import ConditionTest, compile_condition
from services.ingest.forms.mapping.definitions import When
from services.ingest.forms.mapping.faults import MappingRuleError
from services.ingest.forms.mapping.members import flattened
from services.ingest.forms.mapping.rules import MappingRule
from services.ingest.forms.mapping.values import (
    Reader,
    compile_template,
    compile_value,
    constant,
)
from services.ingest.forms.webhooks.mapping.event_paths import EventContext, compile_event_path
from services.ingest.forms.webhooks.mapping.system_schema import (
    AnswerSpec,
    ChannelSystem,
    HandshakeSpec,
    TouchpointSpec,
)

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemProblem:
    """A problem in a system's file: its place (`touchpoints[0].fields.wait_s`) and what is wrong."""

    place: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorAnswer:
    """The response that the vendor expects."""

    status: int = 200
    content_type: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledEntry:
    """One compiled entry of the file."""

    rule: MappingRule[EventContext]
    native: Reader[EventContext] | None = None
    each: Sequence[str] | None = None
    has_no_time: bool = False
    """Whether a touchpoint without `occurred_at` gets the time of its receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledHandshake:
    """One compiled handshake of the file."""

    method: str
    signed: bool
    test: ConditionTest[EventContext]
    answer: Callable[[EventContext], VendorAnswer]


class SystemCompiler:
    """Compiles the parts of one system and collects what is wrong in `problems`."""

    def __init__(self, system: ChannelSystem) -> None:
        self._system = system
        self.problems: list[SystemProblem] = []

    def step(self, number: int, entry: TouchpointSpec) -> CompiledEntry:
        """Return the compiled form of an entry."""
        place = f"touchpoints[{number}]"
        members: dict[str, Reader[EventContext]] = {}
        fields = self._made(f"{place}.fields", _over, self._system.defaults, entry.fields) or {}
        for name, spec in fields.items():
            made = self._made(f"{place}.fields.{name}", compile_member, spec, name)
            if made is not None:
                members[name] = made
        native = self._made(f"{place}.native", _native, entry.native) if entry.native is not None else None
        return CompiledEntry(
            rule=MappingRule(members=members, test=self._test(f"{place}.when", entry.when)),
            native=native,
            each=[name for name in entry.each.split(".") if name] if entry.each is not None else None,
            has_no_time=has_no_time(fields.get("occurred_at")),
        )

    def handshake(self, number: int, shake: HandshakeSpec) -> CompiledHandshake:
        """Return the compiled form of a handshake."""
        place = f"handshakes[{number}]"
        return CompiledHandshake(
            method=shake.method,
            signed=shake.signed,
            test=self._test(f"{place}.when", shake.when),
            answer=self.answer(f"{place}.answer", shake.answer),
        )

    def answer(self, place: str, answer: AnswerSpec) -> Callable[[EventContext], VendorAnswer]:
        """Return the function that makes the answer."""
        fill = self._made(f"{place}.body", _filler, answer.body) or constant(None)
        if isinstance(answer.body, str):
            kind = answer.content_type or "text/plain; charset=utf-8"
            return lambda view: VendorAnswer(status=answer.status, content_type=kind, body=(fill(view) or "").encode())
        if answer.body is None:
            return lambda _: VendorAnswer(status=answer.status, content_type=answer.content_type)
        kind = answer.content_type or "application/json"
        return lambda view: VendorAnswer(status=answer.status, content_type=kind, body=msgspec.json.encode(fill(view)))

    def _test(self, place: str, when: When | list[When]) -> ConditionTest[EventContext]:
        return self._made(place, compile_condition, when, compile_event_path) or constant(False)

    def _made(self, place: str, make: Callable[..., Part], *arguments: Any) -> Part | None:
        try:
            return make(*arguments)
        except MappingRuleError as problem:
            self.problems.append(SystemProblem(place=place, message=str(problem)))
            return None


def _over(defaults: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields over the defaults, member by member; null takes a default away."""
    return {name: spec for name, spec in {**flattened(defaults), **flattened(fields)}.items() if spec is not None}


def compile_member(spec: Any, name: str) -> Reader[EventContext]:
    """Return the reader of a member; raises `MappingRuleError`.

    The receipt is no time of an event: a touchpoint that says it would be another when it comes again. It says none
    instead, and its receipt stands in later.
    """
    find = _without_receipt if name == "occurred_at" else compile_event_path
    return compile_value(spec, name, find)


def _without_receipt(path: str) -> Reader[EventContext]:
    return constant(None) if path == _RECEIPT else compile_event_path(path)


_RECEIPT = "@received_at"


def has_no_time(spec: Any) -> bool:
    """Whether a file says of `occurred_at` that the event has no time of its own, or may have none."""
    found = (spec.get("path") or spec.get("template")) if isinstance(spec, dict) else spec
    listed = found if isinstance(found, list | tuple) else [found]
    return any(said in (_RECEIPT, f"{{{_RECEIPT}}}") for said in listed)


def _native(text: str) -> Reader[EventContext]:
    return (lambda view: view.event) if text == "." else compile_event_path(text)


def _filler(node: Any) -> Reader[EventContext]:
    if isinstance(node, dict):
        members = {str(name): _filler(child) for name, child in node.items()}
        return lambda view: {name: fill(view) for name, fill in members.items()}
    if isinstance(node, list):
        parts = [_filler(child) for child in node]
        return lambda view: [fill(view) for fill in parts]
    if isinstance(node, str) and "{" in node:
        return compile_template(node, compile_event_path)
    return constant(node)
