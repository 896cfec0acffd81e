"""Compiles the definition of a channel system into functions, and lists every problem with its place in the file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from services.ingest.forms.webhooks.mapping.conditions import ConditionTest, compile_condition
from services.ingest.forms.webhooks.mapping.paths import EventContext, EventPathError, Getter, compile_path
from services.ingest.forms.webhooks.mapping.system_schema import (
    AnswerSpec,
    ChannelSystem,
    HandshakeSpec,
    TouchpointSpec,
)
from services.ingest.forms.webhooks.mapping.values import (
    ValueReader,
    ValueSpecError,
    compile_template,
    compile_value,
    has_no_time,
)

NESTED = frozenset({"customer", "refs", "attributes"})
"""Members whose own members are read one by one: a member that cannot be read does not affect the others."""

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


Fill = Callable[[EventContext], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledEntry:
    """One compiled entry of the file. `members` are keyed by dotted names, as `flattened` returns them."""

    test: ConditionTest
    members: Mapping[str, ValueReader]
    native: Getter | None = None
    each: Sequence[str] | None = None
    has_no_time: bool = False
    """Whether a touchpoint without `occurred_at` gets the time of its receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledHandshake:
    """One compiled handshake of the file."""

    method: str
    signed: bool
    test: ConditionTest
    answer: Callable[[EventContext], VendorAnswer]


class SystemCompiler:
    """Compiles the parts of one system and collects what is wrong in `problems`."""

    def __init__(self, system: ChannelSystem) -> None:
        self._system = system
        self.problems: list[SystemProblem] = []

    def step(self, number: int, entry: TouchpointSpec) -> CompiledEntry:
        """Return the compiled form of an entry."""
        place = f"touchpoints[{number}]"
        members: dict[str, ValueReader] = {}
        fields = self._made(f"{place}.fields", _over, self._system.defaults, entry.fields) or {}
        for name, spec in fields.items():
            made = self._made(f"{place}.fields.{name}", compile_value, spec, name)
            if made is not None:
                members[name] = made
        native = self._made(f"{place}.native", _native, entry.native) if entry.native is not None else None
        return CompiledEntry(
            test=self._made(f"{place}.when", compile_condition, entry.when) or _never,
            members=members,
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
            test=self._made(f"{place}.when", compile_condition, shake.when) or _never,
            answer=self.answer(f"{place}.answer", shake.answer),
        )

    def answer(self, place: str, answer: AnswerSpec) -> Callable[[EventContext], VendorAnswer]:
        """Return the function that makes the answer."""
        fill = self._made(f"{place}.body", _filler, answer.body) or _nothing
        if isinstance(answer.body, str):
            kind = answer.content_type or "text/plain; charset=utf-8"
            return lambda view: VendorAnswer(status=answer.status, content_type=kind, body=(fill(view) or "").encode())
        if answer.body is None:
            return lambda _: VendorAnswer(status=answer.status, content_type=answer.content_type)
        kind = answer.content_type or "application/json"
        return lambda view: VendorAnswer(status=answer.status, content_type=kind, body=msgspec.json.encode(fill(view)))

    def _made(self, place: str, make: Callable[..., Part], *arguments: Any) -> Part | None:
        try:
            return make(*arguments)
        except ValueSpecError as problem:
            self.problems.append(SystemProblem(place=place, message=str(problem)))
            return None


def flattened(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with the members of `customer`, `refs` and `attributes` taken out: `customer.phone`.

    Raises:
        ValueSpecError: one of the three has no members.
    """
    found: dict[str, Any] = {}
    for name, spec in fields.items():
        if name not in NESTED:
            found[name] = spec
        elif isinstance(spec, dict):
            found |= {f"{name}.{member}": said for member, said in spec.items()}
        else:
            raise ValueSpecError(f"`{name}` wants its members, like `{name}: {{…}}`")
    return found


def _over(defaults: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields over the defaults, member by member; null takes a default away."""
    return {name: spec for name, spec in {**flattened(defaults), **flattened(fields)}.items() if spec is not None}


def _native(text: str) -> Getter:
    try:
        return _whole_event if text == "." else compile_path(text)
    except EventPathError as error:
        raise ValueSpecError(str(error)) from None


def _whole_event(view: EventContext) -> Any:
    return view.event


def _never(_: EventContext) -> bool:
    return False


def _nothing(_: EventContext) -> None:
    return None


def _filler(node: Any) -> Fill:
    if isinstance(node, dict):
        members = {str(name): _filler(child) for name, child in node.items()}
        return lambda view: {name: fill(view) for name, fill in members.items()}
    if isinstance(node, list):
        parts = [_filler(child) for child in node]
        return lambda view: [fill(view) for fill in parts]
    if isinstance(node, str) and "{" in node:
        return compile_template(node)
    return lambda _: node
