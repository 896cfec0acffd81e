"""The documents hold together: links lead somewhere, both READMEs have one shape, the glossary's types exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT, modules, parsed, texts

_LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<target>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_NAMED_PATH = re.compile(r"(?<=`)(?:services|schemas|waymark|deploy|tests|benchmarks)/[\w./*-]*(?=`)")
_PARTS = ("## Context", "## Decision", "## Consequences", "## Rejected")
DOCUMENTS = [path for path in texts() if path.suffix == ".md"]


def _headings(path: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"^#+ .*$", text, re.MULTILINE)


def _anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()) for heading in _headings(path))
    return {heading.strip().replace(" ", "-") for heading in plain}


def broken_links(path: Path) -> Iterator[str]:
    """Yield the links of a document that lead nowhere inside the repository."""
    for link in _LINK.finditer(_CODE.sub("", path.read_text(encoding="utf-8"))):
        target = (path.parent / link["target"]).resolve() if link["target"] else path
        if not target.exists() or (
            link["anchor"] and target.suffix == ".md" and link["anchor"] not in _anchors(target)
        ):
            yield link[0]


_MADE_LATER = {"benchmarks/results/", "deploy/compose.env"}
_OF_OTHERS = ROOT / "docs" / "public-files.md"  # names paths in other repositories


def named_paths_without_file(text: str) -> Iterator[str]:
    """Yield the paths of the repository that a document names in code type and that do not exist."""
    for named in _NAMED_PATH.findall(text):
        if named not in _MADE_LATER and not any(ROOT.glob(named.rstrip("/"))):
            yield named


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if path != _OF_OTHERS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_named_path_exists(path: Path) -> None:
    assert list(named_paths_without_file(path.read_text(encoding="utf-8"))) == []


def test_a_named_path_that_is_gone_is_found() -> None:
    text = "see `services/gone.py`, `services/journey/` and `tests/unit/*/test_a*.py`"
    assert list(named_paths_without_file(text)) == ["services/gone.py"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    assert list(broken_links(path)) == []


def test_the_guard_of_links_bites(tmp_path: Path) -> None:
    document = tmp_path / "here.md"
    document.write_text("# One heading\n\n[good](#one-heading) [gone](gone.md) [lost](#another) `[code](gone.md)`\n")

    assert list(broken_links(document)) == ["](gone.md)", "](#another)"]


def test_both_readmes_have_the_same_shape() -> None:
    english, korean = (
        [heading.split(" ")[0] for heading in _headings(ROOT / name)] for name in ("README.md", "README.ko.md")
    )

    assert english == korean


def test_both_readmes_show_the_same_commands() -> None:
    english, korean = (
        re.findall(r"^```sh\n(.*?)^```", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        for name in ("README.md", "README.ko.md")
    )
    commands = [[re.sub(r"\s*#.*", "", block) for block in blocks] for blocks in (english, korean)]

    assert commands[0] == commands[1]


def _glossary_types() -> list[str]:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    last_cells = re.findall(r"^\| \*\*.*\| ([^|]*) \|$", text, re.MULTILINE)
    return sorted({name for cell in last_cells for name in re.findall(r"`(\w+)`", cell)})


def _declared_types() -> set[str]:
    names: set[str] = set()
    for path in modules(*PACKAGES):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names.add(node.targets[0].id)
    return names


def test_the_types_that_the_glossary_names_exist() -> None:
    named = _glossary_types()

    assert len(named) > 10
    assert sorted(set(named) - _declared_types()) == []


def test_every_decision_stands_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    missing = [path.name for path in sorted(folder.glob("[0-9]*.md")) if f"({path.name})" not in index]

    assert missing == []


def test_every_decision_has_its_parts() -> None:
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        headings = _headings(path)

        assert headings[0].startswith(f"# {path.name[:4]}: "), path.name
        assert [part for part in _PARTS if not any(given.startswith(part) for given in headings)] == [], path.name
        assert re.search(r"^\* Status: (proposed|accepted|superseded by .*)$", path.read_text("utf-8"), re.MULTILINE), (
            path.name
        )
