"""Documents made up from a JSON Schema, for tests of laws: what the schema accepts, the accessor must read.

Covers the keywords that our schemas use (`test_schemas_style` keeps that list). Conditions (`oneOf`, `if`) are met by
throwing away the documents that fail them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]
Drawn = st.SearchStrategy[Any]

MOMENTS = st.builds(
    "{}T{:%H:%M:%S}{}{}".format,
    st.dates(date(2001, 1, 1), date(2099, 12, 31)).map(str),
    st.times(),
    st.one_of(st.just(""), st.text("0123456789", min_size=1, max_size=9).map(".{}".format)),
    st.one_of(
        st.just("Z"),
        st.builds("{}{:02}:{:02}".format, st.sampled_from("+-"), st.integers(0, 23), st.integers(0, 59)),
    ),
) | st.sampled_from(
    [
        "2000-01-01T00:00:00Z",
        "2100-12-31T23:59:59.999999Z",
        "2001-01-01T00:00:00+23:59",
        "2099-12-31T23:59:59.9999999-23:59",
    ]
)
"""Every moment that RFC 3339 can write in these years, but for leap seconds; also the edges of the range."""

_FREE_TEXT = {
    "^[^\\u0000]*$": st.characters(exclude_characters="\x00", codec="utf-8"),
    "^[^\\u0000-\\u001f\\u007f]*$": st.characters(
        exclude_characters="".join(map(chr, [*range(32), 127])), codec="utf-8"
    ),
}
"""Patterns that only forbid some characters: drawing letters is far cheaper than drawing from the pattern."""

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["", "0", "\x00", "1970-01-01T00:00:00Z", "2026-11-22T09:15:00", "2026-11-22 09:15:00Z"])
    | MOMENTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
"""Anything that JSON can say, and some things that are nearly right."""


def documents(root: Schema, node: Schema, depth: int = 3) -> Drawn:
    """Documents that `node` of the schema `root` accepts, but for its conditions; `depth` bounds recursion."""
    if "$ref" in node and node["$ref"] != "#":
        return documents(root, root["$defs"][node["$ref"].rpartition("/")[2]], depth)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    kinds = [node["type"]] if isinstance(node["type"], str) else list(node["type"])
    deep = {"array", "object"} if depth == 0 else set()
    return st.one_of([_of_kind(root, node, kind, depth) for kind in kinds if kind not in deep or len(kinds) == 1])


def _of_kind(root: Schema, node: Schema, kind: str, depth: int) -> Drawn:
    match kind:
        case "string":
            return _strings(node)
        case "integer" | "number":
            return _numbers(node, whole=kind == "integer")
        case "array":
            least, most = node.get("minItems", 0), min(node["maxItems"], 3)
            return st.lists(documents(root, node["items"], depth - 1), min_size=least, max_size=most)
        case "object":
            return _objects(root, node, depth)
    return st.booleans() if kind == "boolean" else st.none()


def _numbers(node: Schema, *, whole: bool) -> Drawn:
    integers = st.integers(node["minimum"], node["maximum"])
    if whole:
        return integers | integers.filter(lambda number: abs(number) < 2**53).map(float)  # 2.0 is whole in JSON
    return integers | st.floats(node["minimum"], node["maximum"])


def _strings(node: Schema) -> Drawn:
    match node.get("format"):
        case "date-time":
            return MOMENTS
        case "uuid":
            return st.uuids().map(str)
    if node.get("contentEncoding") == "base64":
        return st.from_regex(node["pattern"], fullmatch=True).map(lambda text: text[: len(text) // 4 * 4])
    least, most = node.get("minLength", 0), node["maxLength"]
    if node["pattern"] in _FREE_TEXT:
        return st.text(_FREE_TEXT[node["pattern"]], min_size=least, max_size=min(most, 12)) | st.just("가" * most)
    return st.from_regex(node["pattern"], fullmatch=True).filter(lambda text: least <= len(text) <= most)


def _objects(root: Schema, node: Schema, depth: int) -> Drawn:
    if "properties" not in node:
        names = documents(root, node["propertyNames"], depth)
        inner = documents(root, node["additionalProperties"], depth - 1)
        least = node.get("minProperties", 0)
        return st.dictionaries(names, inner, min_size=least, max_size=max(least, 3))
    members = {name: documents(root, inner, depth) for name, inner in node["properties"].items()}
    required = {name: members[name] for name in node.get("required", [])}
    return st.fixed_dictionaries(required, optional={n: m for n, m in members.items() if n not in required})
