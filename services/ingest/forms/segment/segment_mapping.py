"""The mapping of one source's calls: what its operator wrote, over defaults that suit most sources.

    {"channel": "web",
     "identifiers": {"userId": {"type": "customer_id", "verified": true}, "context.traits.line": "line_id"},
     "calls": {"group": {"kind": "acme.company_joined"}, "page": null},
     "events": {"Support Call Ended": {"kind": "call_ended", "channel": "phone", "direction": "inbound",
                                       "fields": {"reason": ["$.properties.topic", "other"],
                                                  "refs.case_id": "$.properties.ticket"}},
                "Button Hovered": null},
     "other_events": null}

`null` leaves a call out. A text that begins with `$.` is a path into the message, another value stands for itself, a
list means the first of them that there is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import msgspec

from schemas import validation
from schemas.strict_yaml.shapes import shape_problems
from schemas.strict_yaml.yaml_text import path_text
from schemas.vocabulary import Channel, Direction
from services.ingest.forms.mapping.faults import MappingFileError
from services.ingest.forms.mapping.members import is_member
from services.ingest.forms.mapping.paths import walk
from services.ingest.forms.mapping.rules import MappingRule
from services.ingest.forms.mapping.values import Reader, constant, first_of
from services.ingest.forms.segment.fields import Message, converted

_PATH: Final = "$."

Scalar = str | int | float | bool
Expression = Scalar | list[Scalar]


class CallType(StrEnum):
    """The calls of Segment's specification."""

    TRACK = "track"
    IDENTIFY = "identify"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"


class IdentifierTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The type of an identifier, and whether the source verifies it."""

    type: str
    verified: bool = False


class CallTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """What a call becomes. `fields` are other members of a touchpoint; `attributes`: whether properties are kept."""

    kind: str | None = None
    channel: Channel | None = None
    direction: Direction | None = None
    fields: dict[str, Expression] = {}
    attributes: bool = True

    @cached_property
    def rule(self) -> MappingRule[Message]:
        """The rule that `fields` and `direction` mean."""
        members = {name: _reader(name, expression) for name, expression in self.fields.items()}
        fixed = {} if self.direction is None else {"direction": constant(self.direction)}
        return MappingRule(members={**fixed, **members})


IDENTIFIERS: Final[Mapping[str, str]] = {
    "userId": "customer_id",
    "anonymousId": "anonymous_id",
    "traits.email": "email",
    "context.traits.email": "email",
    "traits.phone": "phone",
    "context.traits.phone": "phone",
    "context.device.id": "device_id",
    "context.device.advertisingId": "advertising_id",
    "context.device.token": "push_token",
}
"""Where a message names the customer, and by which type; of one type the first that is there counts."""

KINDS: Final[Mapping[CallType, str]] = {
    CallType.IDENTIFY: "identified",
    CallType.ALIAS: "identified",
    CallType.PAGE: "page_viewed",
    CallType.SCREEN: "page_viewed",
}
"""The kind of each call that has one. A track call's comes from its event; group names a company, not a person."""

_FIXED: Final = frozenset({"id", "kind", "channel", "direction"})
"""Members that a call has from elsewhere, or that have a word of their own."""

_KIND: Final = re.compile(validation.schema("touchpoint.v1")["$defs"]["kind"]["pattern"])
_NAME: Final = re.compile(validation.schema("touchpoint.v1")["$defs"]["name"]["pattern"])
_LONGEST_NAME: Final = 64


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    channel: Channel | None = None
    identifiers: dict[str, str | IdentifierTarget | None] = {}
    previous_id: tuple[str, ...] = ("anonymous_id",)
    calls: dict[CallType, CallTarget | None] = {}
    events: dict[str, CallTarget | None] = {}
    other_events: CallTarget | msgspec.UnsetType | None = msgspec.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentMapping:
    """A checked mapping. `events` are found by their exact name, else by their slug; None leaves a call out.

    `previous_id` are the types under which the earlier id of an alias may be known.
    """

    channel: Channel | None
    identifiers: tuple[tuple[tuple[str, ...], IdentifierTarget], ...]
    previous_id: tuple[str, ...]
    calls: Mapping[CallType, CallTarget | None]
    events: Mapping[str, CallTarget | None]
    slugs: Mapping[str, CallTarget | None]
    other_events: CallTarget | None

    def target(self, call: CallType, event: str) -> CallTarget | None:
        """Return what a call becomes, None when it is left out."""
        if call is not CallType.TRACK:
            return self.calls[call]
        if event in self.events:
            return self.events[event]
        return self.slugs.get(slug(event), self.other_events)


def slug(event: str) -> str:
    """Return an event's name as a kind would be spelt: `Order Completed` is `order_completed`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", event)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_").lstrip("0123456789_")


def read(document: Any) -> SegmentMapping:
    """Check a mapping, as JSON gave it, and complete it.

    Raises:
        MappingFileError: with every problem in it.
    """
    if misshapen := [f"{path_text(one.at)}: {one.message}" for one in shape_problems(document, _File)]:
        raise MappingFileError(misshapen)
    file = msgspec.convert(document, _File)
    if problems := [*_problems(file)]:
        raise MappingFileError(problems)
    whole = {**IDENTIFIERS, **file.identifiers}
    named = (
        (path, IdentifierTarget(type=to) if isinstance(to, str) else to) for path, to in whole.items() if to is not None
    )
    calls: dict[CallType, CallTarget | None] = {call: CallTarget() if call in KINDS else None for call in CallType}
    calls.update(file.calls)
    return SegmentMapping(
        channel=file.channel,
        identifiers=tuple((tuple(path.removeprefix(_PATH).split(".")), to) for path, to in named),
        previous_id=file.previous_id,
        calls=calls,
        events=file.events,
        slugs={slug(name): target for name, target in file.events.items() if slug(name)},
        other_events=CallTarget() if file.other_events is msgspec.UNSET else file.other_events,
    )


def _reader(name: str, expression: Expression) -> Reader[Message]:
    listed = expression if isinstance(expression, list) else [expression]
    return first_of([_find(alternative) for alternative in listed], [lambda found, _: converted(name, found)])


def _find(alternative: Scalar) -> Reader[Message]:
    if not isinstance(alternative, str) or not alternative.startswith(_PATH):
        return constant(alternative)
    steps = alternative.removeprefix(_PATH).split(".")
    return lambda message: walk(message, steps)


def _problems(file: _File) -> Iterator[str]:
    for path, to in file.identifiers.items():
        if to is not None:
            yield from _wrong_name(f"identifiers.{path}", to if isinstance(to, str) else to.type)
    for type_ in file.previous_id:
        yield from _wrong_name("previous_id", type_)
    for call, target in file.calls.items():
        if call is CallType.TRACK:
            yield "calls.track: track calls are mapped by `events` and `other_events`"
        elif target is not None and target.kind is None and call not in KINDS:
            yield f"calls.{call}: say its kind"
    for place, target in _targets(file):
        yield from _wrong_target(place, target)


def _targets(file: _File) -> Iterator[tuple[str, CallTarget]]:
    listed = {f"calls.{call}": target for call, target in file.calls.items()}
    listed |= {f"events.{name}": target for name, target in file.events.items()}
    if file.other_events is not msgspec.UNSET:
        listed["other_events"] = file.other_events
    yield from ((place, target) for place, target in listed.items() if target is not None)


def _wrong_target(place: str, target: CallTarget) -> Iterator[str]:
    if target.kind is not None and (not _KIND.fullmatch(target.kind) or len(target.kind) > _LONGEST_NAME):
        yield f"{place}.kind: {target.kind!r} is no kind; use lower-case words such as call_ended"
    for name in target.fields:
        if name in _FIXED or not is_member(name):
            yield f"{place}.fields: a touchpoint has no member {name!r} to map to"
        elif name.startswith(("refs.", "customer.")):
            yield from _wrong_name(f"{place}.fields.{name}", name.partition(".")[2])


def _wrong_name(place: str, name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        yield f"{place}: {name!r} is no name; use lower-case letters, digits and underscores"


DEFAULT: Final = read({})
"""The mapping of a source that has none."""
