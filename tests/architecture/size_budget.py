"""The size budget: a module fits on a few screens, a function on one, a package in a table of contents.

`python -m tests.architecture.size_budget` prints what is over and exits 1; `make check` runs it. Docstrings do not
count towards a function's length: a contract that is argued at length is no reason to write less of it.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import CODE, PACKAGES, ROOT, modules, parsed

MODULE_LINES = 400
FUNCTION_LINES = 50
STORY_LINES = 100  # a story in tests/stories is told in one go, from the first call to what came of it
PACKAGE_MODULES = 12


def over_budget(root: Path = ROOT) -> Iterator[str]:
    """Yield one line for each module, function and package that is too large."""
    for path in modules(*CODE, root=root):
        yield from _module(path, path.relative_to(root))
    sizes = Counter(path.parent for path in modules(*PACKAGES, root=root) if path.name != "__init__.py")
    for package, count in sorted(sizes.items()):
        if count > PACKAGE_MODULES:
            yield f"{package.relative_to(root)}: {count} modules, {PACKAGE_MODULES} allowed"


def _module(path: Path, shown: Path) -> Iterator[str]:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > MODULE_LINES:
        yield f"{shown}: {lines} lines, {MODULE_LINES} allowed"
    allowed = STORY_LINES if shown.parts[:2] == ("tests", "stories") else FUNCTION_LINES
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := _length(node)) > allowed:
            yield f"{shown}:{node.lineno}: {node.name} has {length} lines, {allowed} allowed"


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    whole = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)
    return whole


def main() -> int:
    """Print the findings; return the exit status."""
    findings = list(over_budget())
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    sys.stdout.write("size budget: kept\n" if not findings else f"size budget: {len(findings)} over\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
