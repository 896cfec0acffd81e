"""Reports every difference between a document and its declared shape; msgspec itself stops at the first.

Shapes are msgspec types: structs that forbid unknown members, and lists and mappings of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

PathSteps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeProblem:
    """One difference from the shape: the place it belongs to, how to correct it, and where to look.

    `at` leads to a member that should not be there; `place` then leads to what has it.
    """

    place: PathSteps
    message: str
    at: PathSteps


def shape_problems(document: Any, shape: Any) -> list[ShapeProblem]:
    """Return where `document` differs from `shape`, and how to correct it; nothing where msgspec accepts it."""
    return [*_differences(document, shape, ())] or [*_whole(document, shape, ())]


def _differences(document: Any, shape: Any, steps: PathSteps) -> Iterator[ShapeProblem]:
    struct = _struct(document, shape)
    if struct is not None:
        yield from _members(document, struct, steps)
        return
    origin, inner = get_origin(shape), get_args(shape)
    if origin in {list, tuple} and isinstance(document, list) and inner and (origin is list or inner[1:] == (...,)):
        for at, item in enumerate(document):
            yield from _differences(item, inner[0], (*steps, at))
    elif origin is dict and isinstance(document, dict) and all(isinstance(name, str) for name in document):
        for name, value in document.items():
            yield from _whole(name, inner[0], (*steps, name))
            yield from _differences(value, inner[1], (*steps, name))
    else:
        yield from _whole(document, shape, steps)


def _members(document: dict[Any, Any], struct: type[msgspec.Struct], steps: PathSteps) -> Iterator[ShapeProblem]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    tag = struct.__struct_config__.tag_field
    for name, value in document.items():
        if name in fields:
            yield from _differences(value, fields[name].type, (*steps, name))
        elif name != tag:
            close = get_close_matches(str(name), fields, n=1)
            hint = f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(sorted(fields))}"
            yield ShapeProblem(place=steps, message=f"there is no `{name}` here{hint}", at=(*steps, str(name)))
    for name, field in fields.items():
        if field.required and name not in document:
            yield ShapeProblem(place=steps, message=f"`{name}` is missing", at=steps)


def _whole(document: Any, shape: Any, steps: PathSteps) -> Iterator[ShapeProblem]:
    try:
        msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        below = place.strip(".`")
        found = (*steps, *([below] if below else ()))
        yield ShapeProblem(place=found, message=message, at=found)


def _struct(document: Any, shape: Any) -> type[msgspec.Struct] | None:
    """The struct that a mapping is to be, where there is no doubt which."""
    if not isinstance(document, dict):
        return None
    kinds = get_args(shape) if get_origin(shape) in {Union, UnionType} else (shape,)
    structs = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    tagged = [kind for kind in structs if kind.__struct_config__.tag_field is not None]
    if tagged:
        return next((one for one in tagged if document.get(_field(one)) == one.__struct_config__.tag), None)
    return structs[0] if len(structs) == 1 and not any(get_origin(kind) is dict for kind in kinds) else None


def _field(struct: type[msgspec.Struct]) -> str:
    return str(struct.__struct_config__.tag_field)
