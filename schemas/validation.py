"""Checks a document against its JSON Schema and says what is wrong, where, and how to fix it, in English and Korean.

Compiled once per schema. The messages never quote a value, because a value may be personal data. Which schemas there
are is the folder's business; what an accepted document means is for the accessors (`schemas.documents.touchpoint` …).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs

from schemas import data_files
from schemas.field_errors import ErrorCode, FieldError, to_field_errors

__all__ = ["MAX_DEPTH", "MAX_ERRORS", "ErrorCode", "FieldError", "UnknownSchemaError", "errors", "names", "schema"]

MAX_ERRORS = 20
"""More would only bury the first ones."""

MAX_DEPTH = 64
"""The validator walks on the machine's stack, which a document nested deeply enough would overflow."""

_MAX_LOOKED_AT = 200
"""One mistake can make several complaints; looking on for ever would be a gift to whoever sends a bad document."""


class UnknownSchemaError(LookupError):
    """There is no such schema; the message lists those there are."""


def errors(name: str, instance: object, *, at: str = "", shallow: bool = False) -> list[FieldError]:
    """Return what is wrong with decoded JSON by the schema `name`, at most 20 errors; empty when it is valid.

    `name` is the file's stem (`touchpoint.v1`), with a definition of it after `#` (`touchpoint.v1#published`). `at` is
    put before every path (`touchpoints[3]`). `shallow` says that the caller knows it to be nested no deeper than
    `MAX_DEPTH`. Raises `UnknownSchemaError`.
    """
    validator = _validator(name)
    if not shallow and _too_deep(instance):
        return [FieldError.of_whole(at)]
    try:
        if validator.is_valid(instance):  # the quick question first: most are
            return []
        found = list(islice(validator.iter_errors(instance), _MAX_LOOKED_AT))
    except ValueError:  # lone surrogates, bytes: nothing that JSON in UTF-8 can say
        return [FieldError.of_whole(at)]
    return list(islice(_distinct(found, schema(name.partition("#")[0]), at), MAX_ERRORS))


def names() -> tuple[str, ...]:
    """Return the name of every schema in the folder."""
    return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in data_files.FOLDER.glob("*" + _SUFFIX)))


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema `name`; raises `UnknownSchemaError`."""
    if name not in names():
        msg = f"There is no schema {name!r}; there are {', '.join(names())}."
        raise UnknownSchemaError(msg)
    document: dict[str, Any] = json.loads((data_files.FOLDER / (name + _SUFFIX)).read_text(encoding="utf-8"))
    return document


_SUFFIX = ".schema.json"


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    stem, _, definition = name.partition("#")
    document = schema(stem)
    if definition not in ("", *document.get("$defs", {})):
        msg = f"{stem} defines no {definition!r}."
        raise UnknownSchemaError(msg)
    registry = jsonschema_rs.Registry([(document["$id"], document)])
    reference = document["$id"] + (f"#/$defs/{definition}" if definition else "")
    return jsonschema_rs.Draft202012Validator(
        {"$ref": reference}, validate_formats=True, registry=registry, offline=True
    )


def _too_deep(instance: Any) -> bool:
    """Whether `instance` nests deeper than `MAX_DEPTH`; looks at one level after the other, so it cannot overflow."""
    level = [instance] if type(instance) in _CONTAINERS else []
    for _ in range(MAX_DEPTH):
        below = []
        for node in level:
            for inner in node.values() if type(node) is dict else node:
                if type(inner) in _CONTAINERS:
                    below.append(inner)  # noqa: PERF401 - as one comprehension nobody could read it
        if not below:
            return False
        level = below
    return True


_CONTAINERS = frozenset({dict, list})


def _distinct(found: list[jsonschema_rs.ValidationError], document: dict[str, Any], at: str) -> Iterator[FieldError]:
    """One error for each place and code: a bad date fails its pattern and its format, and is one mistake."""
    seen = set()
    for error in found:
        for complaint in to_field_errors(error, document, at):
            if (key := (complaint.path, complaint.code)) not in seen:
                seen.add(key)
                yield complaint
