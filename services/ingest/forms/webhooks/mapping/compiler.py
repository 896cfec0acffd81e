"""From a system's file to what carries it out, with everything in it that cannot be followed, each with its place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from services.ingest.forms.webhooks.mapping.conditions import Test, test_of
from services.ingest.forms.webhooks.mapping.paths import Getter, PathError, View, compile_path
from services.ingest.forms.webhooks.mapping.system_schema import Answer, Entry, Handshake, System
from services.ingest.forms.webhooks.mapping.values import Maker, SpecProblem, has_no_time, maker, template

NESTED = frozenset({"customer", "refs", "attributes"})
"""Members whose own members stand each for itself: one that cannot be read leaves the others alone."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemProblem:
    """Something in a file that cannot be followed: where (`touchpoints[0].fields.wait_s`), and why."""

    place: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the vendor is answered."""

    status: int = 200
    content_type: str = ""
    body: bytes = b""


Fill = Callable[[View], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of the file, ready. `members` by their dotted names, as `flat` gives them."""

    test: Test
    members: Mapping[str, Maker]
    native: Getter | None = None
    each: Sequence[str] | None = None
    has_no_time: bool = False
    """Whether a touchpoint without `occurred_at` happened when it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """One handshake, ready."""

    method: str
    signed: bool
    test: Test
    answer: Callable[[View], Given]


class Assembler:
    """Makes the parts of one system and collects what is wrong in `problems`."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.problems: list[SystemProblem] = []

    def step(self, number: int, entry: Entry) -> Step:
        """Return an entry, ready."""
        place = f"touchpoints[{number}]"
        members: dict[str, Maker] = {}
        fields = self._made(f"{place}.fields", _over, self._system.defaults, entry.fields) or {}
        for name, spec in fields.items():
            made = self._made(f"{place}.fields.{name}", maker, spec, name)
            if made is not None:
                members[name] = made
        native = self._made(f"{place}.native", _native, entry.native) if entry.native is not None else None
        return Step(
            test=self._made(f"{place}.when", test_of, entry.when) or _never,
            members=members,
            native=native,
            each=[name for name in entry.each.split(".") if name] if entry.each is not None else None,
            has_no_time=has_no_time(fields.get("occurred_at")),
        )

    def greeting(self, number: int, shake: Handshake) -> Greeting:
        """Return a handshake, ready."""
        place = f"handshakes[{number}]"
        return Greeting(
            method=shake.method,
            signed=shake.signed,
            test=self._made(f"{place}.when", test_of, shake.when) or _never,
            answer=self.answer(f"{place}.answer", shake.answer),
        )

    def answer(self, place: str, answer: Answer) -> Callable[[View], Given]:
        """Return what makes the answer."""
        fill = self._made(f"{place}.body", _filler, answer.body) or _nothing
        if isinstance(answer.body, str):
            kind = answer.content_type or "text/plain; charset=utf-8"
            return lambda view: Given(status=answer.status, content_type=kind, body=(fill(view) or "").encode())
        if answer.body is None:
            return lambda _: Given(status=answer.status, content_type=answer.content_type)
        kind = answer.content_type or "application/json"
        return lambda view: Given(status=answer.status, content_type=kind, body=msgspec.json.encode(fill(view)))

    def _made(self, place: str, make: Callable[..., Made], *arguments: Any) -> Made | None:
        try:
            return make(*arguments)
        except SpecProblem as problem:
            self.problems.append(SystemProblem(place=place, message=str(problem)))
            return None


def flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with the members of `customer`, `refs` and `attributes` taken out: `customer.phone`.

    Raises:
        SpecProblem: one of the three has no members.
    """
    found: dict[str, Any] = {}
    for name, spec in fields.items():
        if name not in NESTED:
            found[name] = spec
        elif isinstance(spec, dict):
            found |= {f"{name}.{member}": said for member, said in spec.items()}
        else:
            raise SpecProblem(f"`{name}` wants its members, like `{name}: {{…}}`")
    return found


def _over(defaults: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields over the defaults, member by member; null takes a default away."""
    return {name: spec for name, spec in {**flat(defaults), **flat(fields)}.items() if spec is not None}


def _native(text: str) -> Getter:
    try:
        return _whole_event if text == "." else compile_path(text)
    except PathError as error:
        raise SpecProblem(str(error)) from None


def _whole_event(view: View) -> Any:
    return view.event


def _never(_: View) -> bool:
    return False


def _nothing(_: View) -> None:
    return None


def _filler(node: Any) -> Fill:
    if isinstance(node, dict):
        members = {str(name): _filler(child) for name, child in node.items()}
        return lambda view: {name: fill(view) for name, fill in members.items()}
    if isinstance(node, list):
        parts = [_filler(child) for child in node]
        return lambda view: [fill(view) for fill in parts]
    if isinstance(node, str) and "{" in node:
        return template(node)
    return lambda _: node
