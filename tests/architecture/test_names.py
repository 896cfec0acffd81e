"""Names that a stranger finds his way by: each once, none of them a riddle, each with a sentence.

A service is `services/<name>`; `services/runtime`, `schemas` and `waymark` count as one each.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT, modules, parsed

SHORTEST_DOCSTRING = 4
"""Words."""

_IRREGULAR = {"Built", "Due", "Found", "Given", "Gone", "Held", "Kept", "Known", "Lost", "Made", "Put", "Read", "Said"}
_IRREGULAR |= {"Seen", "Sent", "Set", "Shown", "Spent", "Taken", "Told", "Written"}
_PARTICIPLE = re.compile(r"[A-Z][a-z]+(?:ed|ing)")


@dataclass(frozen=True)
class Named:
    """Something public: a class, a function or a method."""

    service: str
    path: str
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    top: bool

    @property
    def name(self) -> str:
        return self.node.name

    def __str__(self) -> str:
        return f"{self.path}:{self.node.lineno} {self.name}"


def service_of(path: Path, root: Path = ROOT) -> str:
    """Return the service that a module belongs to."""
    parts = path.relative_to(root).parts
    return "/".join(parts[:2]) if parts[0] == "services" else parts[0]


def product(root: Path = ROOT) -> Iterator[Path]:
    """Yield the modules of the product; migrations have numbers for names."""
    return (path for path in modules(*PACKAGES, root=root) if "migrations" not in path.parts)


def public(root: Path = ROOT) -> Iterator[Named]:
    """Yield what is public in the product."""
    for path in product(root):
        tree = parsed(path)
        for node in ast.walk(tree):
            kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            if isinstance(node, kinds) and not node.name.startswith("_"):
                yield Named(service_of(path, root), str(path.relative_to(root)), node, node in tree.body)


def is_participle(name: str) -> bool:
    """Whether a class is called by what happened to it and not by what it is."""
    return name in _IRREGULAR or _PARTICIPLE.fullmatch(name) is not None


@pytest.mark.parametrize(
    ("name", "bare"),
    [("Told", True), ("Landed", True), ("Settling", True), ("LandedDelivery", False), ("Seal", False)],
)
def test_a_bare_participle_is_seen(name: str, bare: bool) -> None:
    assert is_participle(name) is bare


def test_no_class_name_stands_twice_in_a_service() -> None:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for named in public():
        if named.top and isinstance(named.node, ast.ClassDef):
            places[named.service, named.name].append(str(named))
    assert [found for found in places.values() if len(found) > 1] == []


def test_no_module_name_stands_twice_in_a_service() -> None:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in product():
        if path.stem != "__init__":
            places[service_of(path), path.stem].append(str(path.relative_to(ROOT)))
    assert [found for found in places.values() if len(found) > 1] == []


def test_no_public_class_is_a_bare_participle() -> None:
    classes = (named for named in public() if named.top and isinstance(named.node, ast.ClassDef))
    assert [str(named) for named in classes if is_participle(named.name)] == []


def test_every_public_docstring_is_a_sentence() -> None:
    short = [
        f"{named}: {said}"
        for named in public()
        if (said := ast.get_docstring(named.node)) and len(said.split()) < SHORTEST_DOCSTRING
    ]
    assert short == []
