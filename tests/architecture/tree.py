"""The files that the house rules look at, and what every rule has to read: modules, texts, the words in them."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "services", "waymark")
CODE = (*PACKAGES, "tests", "benchmarks")
_SKIPPED = {"__pycache__", "mutants", "node_modules", "vendor"}
_MEASURED = ("benchmarks", "results")
_TEXT = {".cfg", ".css", ".html", ".ini", ".js", ".json", ".md", ".py", ".sh", ".sql", ".toml", ".xml", ".yaml", ".yml"}
_TEXT_NAMES = {"Makefile", "Dockerfile", "run", "setup", ".env.example", ".importlinter", ".dockerignore", ".gitignore"}


def modules(*folders: str, root: Path = ROOT) -> Iterator[Path]:
    """Yield every Python file below `folders`, in order."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            if not _is_skipped(path.relative_to(root).parts):
                yield path


def texts(root: Path = ROOT) -> Iterator[Path]:
    """Yield every file that a person reads: code, documents, configuration; not the lock, not vendored assets."""
    found = []
    for folder, below, names in os.walk(root):
        # What is skipped is not entered: an environment has more files than the repository.
        below[:] = [name for name in below if _is_read((Path(folder) / name).relative_to(root).parts)]
        found += [Path(folder) / name for name in names]
    for path in sorted(found):
        if path.suffix in _TEXT or path.name in _TEXT_NAMES or path.suffix == ".Dockerfile":
            yield path


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def dotted(path: Path, root: Path = ROOT) -> str:
    """Return a module's import name."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_skipped(parts: tuple[str, ...]) -> bool:
    return bool(_SKIPPED & set(parts)) or parts[:2] == _MEASURED


def _is_read(parts: tuple[str, ...]) -> bool:
    """Whether people read what is in a folder."""
    hidden = parts[-1].startswith(".") and parts[-1] != ".ci"
    made = parts[0] in {"var", "build", "dist"} or parts[-1].endswith(".egg-info")
    return not (hidden or made or _is_skipped(parts))
