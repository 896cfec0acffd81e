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
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from schemas.cloudevents import CloudEventType
from schemas.documents.touchpoint import PostedTouchpoint
from schemas.strict_yaml.yaml_text import path_text
from schemas.vocabulary import Channel

_MEMBERS: Final = frozenset(PostedTouchpoint.__struct_fields__) - {
    *("source", "received_at", "reported_at", "time_quality", "replay")
}
_OF_MANY: Final = frozenset({"customer", "refs", "attributes"})
_PAIRS: Final = {"score": {"metric", "value", "scale"}, "value": {"amount", "currency"}}
_ORIGIN = re.compile(r"data(\.[^.]+)*|[a-z0-9]+")


class EventRulesError(ValueError):
    """The dialect cannot be used; `problems` has a line for each thing to fix."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


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

    @field_validator("fields")
    @classmethod
    def _known_fields(cls, fields: Mapping[str, str]) -> Mapping[str, str]:
        for target, origin in fields.items():
            if not _is_target(target):
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
            EventRulesError: with every problem of it.
        """
        try:
            read = _Dialect.model_validate(dialect if dialect is not None else {})
        except ValidationError as error:
            raise EventRulesError([_problem(one) for one in error.errors()]) from None
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


def _is_target(target: str) -> bool:
    first, _, rest = target.partition(".")
    if first in _OF_MANY:
        return bool(rest) and "." not in rest
    if first in _PAIRS:
        return rest in _PAIRS[first]
    return first in _MEMBERS and not rest
