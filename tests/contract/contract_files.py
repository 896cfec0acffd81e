"""The files of the contract as tests see them: schemas, examples, and which accessor reads which document."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import data_files
from schemas.documents import dead_letter, friction, issue, journey, touchpoint

EXAMPLES = data_files.FOLDER / "examples"

NOT_ON_A_TOPIC = frozenset({"rules.v1", "journeys.v1", "identity.v1"})
"""Schemas of files that operators write; their owner tests them beside the code that reads them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accessor:
    """How Python reads and writes the documents of one schema."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


ACCESSORS = {
    "touchpoint.v1": Accessor(decode=touchpoint.decode_posted, encode=touchpoint.encode_posted),
    "touchpoint.v1#published": Accessor(decode=touchpoint.decode, encode=touchpoint.encode),
    "friction.v1": Accessor(decode=friction.decode, encode=friction.encode),
    "issue.v1": Accessor(decode=issue.decode, encode=issue.encode),
    "journey.v1": Accessor(decode=journey.decode, encode=journey.encode),
    "dead_letter.v1": Accessor(decode=dead_letter.decode, encode=dead_letter.encode),
}

FORMS = {"valid": "", "published": "#published"}
"""Folders of examples that must be accepted, and by which definition of the schema."""


def schema_files() -> dict[str, Path]:
    """Every schema on a topic, by name."""
    found = {path.name.removesuffix(".schema.json"): path for path in data_files.FOLDER.glob("*.schema.json")}
    return {name: path for name, path in sorted(found.items()) if name not in NOT_ON_A_TOPIC}


def accepted() -> dict[str, tuple[str, Path]]:
    """Examples that must be accepted: test id to schema (with definition) and file."""
    return {
        f"{folder.name}-{form}-{path.stem}": (folder.name + definition, path)
        for folder in sorted(EXAMPLES.iterdir())
        for form, definition in FORMS.items()
        for path in sorted((folder / form).glob("*.json"))
    }


def refused() -> dict[str, tuple[str, Path]]:
    """Examples that must be refused: test id to schema and file."""
    return {
        f"{folder.name}-{path.stem}": (folder.name, path)
        for folder in sorted(EXAMPLES.iterdir())
        for path in sorted((folder / "invalid").glob("*.json"))
    }


def read(path: Path) -> Any:
    """The JSON in `path`."""
    return json.loads(path.read_text(encoding="utf-8"))


def leaves(node: dict[str, Any], at: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every subschema of `node` that holds a value itself, not only a reference or members, with its place."""
    found: list[tuple[str, dict[str, Any]]] = []
    for step, inner in _inside(node):
        found += leaves(inner, f"{at}/{step}")
    if _is_leaf(node):
        found.append((at, node))
    return found


def _is_leaf(node: dict[str, Any]) -> bool:
    kinds = node.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return bool({"enum", "const"} & node.keys() or set(kinds) - {"object", "array"}) and node.keys() != {"const"}


def _inside(node: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The subschemas right inside `node`."""
    named = [
        (f"{word}/{name}", inner) for word in ("properties", "$defs") for name, inner in node.get(word, {}).items()
    ]
    single = [(word, node[word]) for word in ("items", "additionalProperties", "propertyNames") if word in node]
    return [(step, inner) for step, inner in named + single if isinstance(inner, dict)]
