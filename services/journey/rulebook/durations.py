"""Durations as people write them, `1h 30m`: which members of a type take one, and what they come to."""

import re
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

from msgspec import inspect

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d+)([smhd])")


def members_of(type_: Any) -> frozenset[str]:
    """Return the name of each member of `type_`, at any depth, that takes a duration."""
    return frozenset(_members(inspect.type_info(type_)))


def parsed(node: Any, members: Collection[str]) -> Any:
    """Return the same tree with the durations of these `members` parsed, also those in a table by service level."""
    if isinstance(node, dict):
        return {key: _value(key, value, members) for key, value in node.items()}
    return [parsed(value, members) for value in node] if isinstance(node, list) else node


def _value(key: str, value: Any, members: Collection[str]) -> Any:
    if key in members and isinstance(value, str):
        return _duration(value)
    if key in members and isinstance(value, dict):
        return {name: _duration(one) if isinstance(one, str) else one for name, one in value.items()}
    return parsed(value, members)


def _duration(text: str) -> timedelta:
    return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)))


def _members(node: inspect.Type) -> Iterator[str]:
    match node:
        case inspect.StructType(fields=fields):
            for field in fields:
                alternatives = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
                if any(_takes_duration(one) for one in alternatives):
                    yield field.encode_name
                yield from _members(field.type)
        case inspect.UnionType(types=types):
            for one in types:
                yield from _members(one)
        case inspect.VarTupleType(item_type=item):
            yield from _members(item)


def _takes_duration(type_: inspect.Type) -> bool:
    if isinstance(type_, inspect.DictType):
        return isinstance(type_.value_type, inspect.TimeDeltaType)
    return isinstance(type_, inspect.TimeDeltaType)
