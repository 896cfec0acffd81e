"""Turns a violation that the validator found into errors that people can act on: a place, a code, and a correction.

Nothing here quotes a value. Of names that the sender chose, only plain ones are shown (an attribute may be named after
a person); our own vocabulary is shown as it is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import jsonschema_rs
import msgspec


class ErrorCode(StrEnum):
    """What is wrong with a member."""

    MISSING = "missing"
    TYPE = "type"
    FORMAT = "format"
    RANGE = "range"
    UNKNOWN_FIELD = "unknown_field"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    TOO_MANY = "too_many"
    TOO_FEW = "too_few"
    NOT_ALLOWED = "not_allowed"
    CONFLICT = "conflict"
    NOT_JSON = "not_json"


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to fix, at `path`: `customer.phone`, `touchpoints[3].occurred_at`; empty is the whole document."""

    path: str
    code: ErrorCode
    message: str
    message_ko: str

    @classmethod
    def of_whole(cls, at: str) -> FieldError:
        """The error for something that no JSON text can say: lone surrogates, bytes, endless nesting."""
        return cls(
            path=at,
            code=ErrorCode.NOT_JSON,
            message="Send plain JSON in UTF-8, not nested too deeply.",
            message_ko="너무 깊게 중첩되지 않은 UTF-8 JSON으로 보내 주세요.",
        )


ErrorMessage = tuple[ErrorCode, str, str]

_Node = Mapping[str, Any]

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")

_TYPES = {
    "string": ("text", "문자열"),
    "number": ("a number", "숫자"),
    "integer": ("a whole number", "정수"),
    "boolean": ("true or false", "true 또는 false"),
    "object": ("an object", "객체"),
    "array": ("a list", "배열"),
    "null": ("null", "null"),
}

_BY_KEYWORD = {
    "maxLength": ErrorCode.TOO_LONG,
    "minLength": ErrorCode.TOO_SHORT,
    "pattern": ErrorCode.FORMAT,
    "format": ErrorCode.FORMAT,
    "maxItems": ErrorCode.TOO_MANY,
    "maxProperties": ErrorCode.TOO_MANY,
    "minItems": ErrorCode.TOO_FEW,
    "minProperties": ErrorCode.TOO_FEW,
    "minimum": ErrorCode.RANGE,
    "maximum": ErrorCode.RANGE,
    "exclusiveMinimum": ErrorCode.RANGE,
    "exclusiveMaximum": ErrorCode.RANGE,
    "enum": ErrorCode.NOT_ALLOWED,
    "const": ErrorCode.NOT_ALLOWED,
    "type": ErrorCode.TYPE,
}


def to_field_errors(error: jsonschema_rs.ValidationError, document: _Node, at: str) -> Iterator[FieldError]:
    """Return the errors for one violation; several where the validator found several unknown members."""
    keyword, node = error.schema_path[-1] if error.schema_path else "", _node(document, error.schema_path[:-1])
    place = _path(at, error.instance_path)
    match error.kind.name:
        case "required":
            yield _missing(place, str(error.kind.as_dict()["property"]))
        case "additionalProperties":
            yield from (_unknown(place, name, node) for name in error.kind.as_dict()["unexpected"])
        case "propertyNames":
            code, english, korean = _message_of(str(keyword), node)
            yield _error(place, code, f"Rename a member of this. {english}", f"하위 이름을 바꿔 주세요. {korean}")
        case "type" if error.instance is None:
            yield _error(
                place,
                ErrorCode.TYPE,
                "Send a value, or leave it out: null is none.",
                "null 대신 값을 넣거나 빼 주세요.",
            )
        case _:
            yield _error(place, *_message_of(str(keyword), node))


def _message_of(keyword: str, node: _Node) -> ErrorMessage:
    """Code and texts for a `keyword` of the schema `node` that the value did not keep."""
    code = _BY_KEYWORD.get(keyword, ErrorCode.CONFLICT)
    if code in _LIMITS:
        return (code, *_LIMITS[code](keyword, node))
    hint = node.get("x-hint", {})
    return code, hint.get("en", "Send it as the schema says."), hint.get("ko", "스키마에 맞게 보내 주세요.")


def _too_long(keyword: str, node: _Node) -> tuple[str, str]:
    return f"Shorten it to at most {node[keyword]} characters.", f"최대 {node[keyword]}자로 줄여 주세요."


def _too_short(keyword: str, node: _Node) -> tuple[str, str]:
    return f"Send at least {node[keyword]} character(s), or leave it out.", f"{node[keyword]}자 이상 보내 주세요."


def _too_many(keyword: str, node: _Node) -> tuple[str, str]:
    return f"Send at most {node[keyword]} entries.", f"최대 {node[keyword]}개까지 보낼 수 있습니다."


def _too_few(keyword: str, node: _Node) -> tuple[str, str]:
    return f"Send at least {node[keyword]}.", f"{node[keyword]}개 이상 보내 주세요."


def _range(_: str, node: _Node) -> tuple[str, str]:
    low = node.get("minimum", node.get("exclusiveMinimum", "-∞"))
    high = node.get("maximum", node.get("exclusiveMaximum", "∞"))
    outside = [str(node[name]) for name in ("exclusiveMinimum", "exclusiveMaximum") if name in node]
    english = f"Send a number from {low} to {high}" + (f", but not {' or '.join(outside)}." if outside else ".")
    korean = f"{low}에서 {high} 사이의 숫자를 보내 주세요" + (f"({', '.join(outside)} 제외)." if outside else ".")
    return english, korean


def _not_allowed(_: str, node: _Node) -> tuple[str, str]:
    allowed = ", ".join(str(option) for option in node.get("enum", [node.get("const")]))
    return f"Use one of: {allowed}.", f"다음 중 하나를 사용해 주세요: {allowed}."


def _type(_: str, node: _Node) -> tuple[str, str]:
    kinds: Sequence[str] = [node["type"]] if isinstance(node["type"], str) else node["type"]
    return (
        f"Send {' or '.join(_TYPES[kind][0] for kind in kinds)}.",
        f"{' 또는 '.join(_TYPES[kind][1] for kind in kinds)} 형식으로 보내 주세요.",
    )


_LIMITS: Mapping[ErrorCode, Callable[[str, _Node], tuple[str, str]]] = {
    ErrorCode.TOO_LONG: _too_long,
    ErrorCode.TOO_SHORT: _too_short,
    ErrorCode.TOO_MANY: _too_many,
    ErrorCode.TOO_FEW: _too_few,
    ErrorCode.RANGE: _range,
    ErrorCode.NOT_ALLOWED: _not_allowed,
    ErrorCode.TYPE: _type,
}


def _missing(place: str, name: str) -> FieldError:
    """`name` is ours: the schema requires it."""
    return _error(_join(place, name), ErrorCode.MISSING, "Add it; it is required.", "필수 항목입니다. 넣어 주세요.")


def _unknown(place: str, name: str, node: _Node) -> FieldError:
    """`name` is the sender's; a near miss of one of ours is worth a suggestion."""
    ours = list(node.get("properties", {}))
    near = difflib.get_close_matches(name[:128], ours, n=1, cutoff=0.75)
    where = _join(place, _shown(name))
    if near:
        return _error(where, ErrorCode.UNKNOWN_FIELD, f"Did you mean {near[0]}?", f"{near[0]}을(를) 뜻하셨나요?")
    if "attributes" in ours:
        return _error(
            where,
            ErrorCode.UNKNOWN_FIELD,
            "Move it into attributes, or leave it out.",
            "attributes 안으로 옮기거나 빼 주세요.",
        )
    return _error(where, ErrorCode.UNKNOWN_FIELD, "Leave it out.", "빼 주세요.")


def _error(path: str, code: ErrorCode, english: str, korean: str) -> FieldError:
    return FieldError(path=path, code=code, message=english, message_ko=korean)


def _node(document: _Node, path: Sequence[str | int]) -> _Node:
    """The subschema at `path`; empty when there is none there."""
    node: Any = document
    for step in path:
        node = node[step]
    return node if isinstance(node, Mapping) else {}


def _path(at: str, steps: Sequence[str | int]) -> str:
    for step in steps:
        at = f"{at}[{step}]" if isinstance(step, int) else _join(at, _shown(step))
    return at


def _join(parent: str, name: str) -> str:
    return f"{parent}.{name}" if parent else name


def _shown(name: str) -> str:
    """A member's name, if it is plain; anything else may be personal data, or a kilobyte long."""
    return name if _PLAIN_NAME.fullmatch(name) else "*"
