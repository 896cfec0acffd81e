"""The rules by which the CloudEvents of one source become touchpoints: the member `cloudevents` of its dialects.

    {"native_types": ["acme.contact.v2"],              besides waymark.touchpoint.v1
     "types": {"com.acme.order.*": {                   a type, or a pattern of types; the longest that fits counts
         "kind": "order_placed", "channel": "web",
         "fields": {"customer.customer_id": "data.buyer.number", "refs.order_id": "data.order", "text": "data.note"}}}}

Without a rule an event's type becomes its kind, its data stands under `attributes.data`, and `identity` names the
customer.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from schemas.cloudevents import CloudEventType
from schemas.strict_yaml.yaml_text import path_text
from schemas.vocabulary import Channel
from services.ingest.forms.cloudevents.event import CloudEvent, JsonData
from services.ingest.forms.mapping.faults import MappingFileError
from services.ingest.forms.mapping.members import is_member
from services.ingest.forms.mapping.paths import PathStep, element, walk
from services.ingest.forms.mapping.rules import MappingRule
from services.ingest.forms.mapping.values import Reader

_ORIGIN = re.compile(r"data(\.[^.]+)*|[a-z0-9]+")
_ENVELOPE: Final = frozenset({"id", "source", "subject", "time", "type"})


class IdOrigin(StrEnum):
    """The members of an event with a foreign type that form the id of its touchpoint."""

    ORIGIN_AND_EVENT = "origin_and_event"
    EVENT = "event"


class EventTypeRule(BaseModel):
    """The rule for the events of one type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    native: bool = False
    kind: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=64)
    channel: Channel | None = None
    id: IdOrigin = IdOrigin.ORIGIN_AND_EVENT
    identitytype: str = ""
    fields: Mapping[str, str] = Field(default_factory=dict)
    keep_data: bool = True

    @cached_property
    def members(self) -> MappingRule[CloudEvent]:
        """The members that `fields` say, as the rule that reads them."""
        return MappingRule(members={target: _reader(origin) for target, origin in self.fields.items()})

    @field_validator("fields")
    @classmethod
    def _known_fields(cls, fields: Mapping[str, str]) -> Mapping[str, str]:
        for target, origin in fields.items():
            if not is_member(target) or target.count(".") > 1:
                msg = f"{target!r} is no member of a touchpoint that can be set"
                raise ValueError(msg)
            if not _ORIGIN.fullmatch(origin):
                msg = f"{origin!r} is neither data.… nor the name of an attribute"
                raise ValueError(msg)
        return fields


class _Dialect(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    native_types: tuple[str, ...] = ()
    types: Mapping[str, EventTypeRule] = Field(default_factory=dict)


_NATIVE = EventTypeRule(native=True)
_FOREIGN = EventTypeRule()


class EventRules:
    """The rules for one source."""

    def __init__(self, dialect: Any = None) -> None:
        """Read the rules in `dialect`, None being one that says nothing.

        Raises:
            MappingFileError: with every problem of it.
        """
        try:
            read = _Dialect.model_validate(dialect if dialect is not None else {})
        except ValidationError as error:
            raise MappingFileError([_problem(one) for one in error.errors()]) from None
        self._native = frozenset(read.native_types) | {CloudEventType.TOUCHPOINT.value}
        self._by_type = read.types
        self._patterns = sorted((name for name in read.types if set(name) & set("*?[")), key=len, reverse=True)

    def rule_for(self, type_: str) -> EventTypeRule:
        """Return the rule for events of that type."""
        rule = self._by_type.get(type_)
        if rule is None and type_ in self._native:
            return _NATIVE
        return rule or next((self._by_type[name] for name in self._patterns if fnmatchcase(type_, name)), _FOREIGN)


def _problem(error: Any) -> str:
    place = path_text(error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _reader(origin: str) -> Reader[CloudEvent]:
    """Return what reads `data.…`, `subject`, `source`, `type`, `id`, `time`, or the extension of that name."""
    first, *names = origin.split(".")
    if first == "data":
        steps = [_step(name) for name in names]
        return lambda event: walk(event.data.value, steps) if isinstance(event.data, JsonData) else None
    if first in _ENVELOPE:
        return attrgetter(first)
    return lambda event: event.extensions.get(first)


def _step(name: str) -> PathStep:
    """The step to a member; in a list, to the element of that number."""
    if not name.isdecimal():
        return name
    nth = element(int(name))
    return lambda node: node.get(name) if isinstance(node, dict) else nth(node)
