"""What must not stand in the project: machine paths, registry hosts, promises for later, silence without a reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import CODE, ROOT, modules, parsed, texts

# Written with character classes, so that this file holds none of the words itself.
_FORBIDDEN = {
    "a promise to do it later": re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b"),
    "a path of somebody's machine": re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|home/\w+|Users/\w+)/"),
    "the host of a registry": re.compile(
        r"pypi[.]or[g]|files[.]pythonhoste[d]|repo1?[.]maven|maven[.]or[g]|registry[.]npmj[s]|proxy[.]golan[g]|deb[.]debia[n]"
    ),
}
_VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "managers", "data", "info"}
_SILENCED = re.compile(
    r"#\s*(?:noqa|type:\s*ignore)\b(?P<codes>:?\s*(?:\[[\w, -]+\]|[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?)(?P<reason>.*)"
)


def found(text: str) -> Iterator[str]:
    """Yield what is forbidden in `text`, with its line."""
    for what, pattern in _FORBIDDEN.items():
        for match in pattern.finditer(text):
            yield f"{text.count(chr(10), 0, match.start()) + 1}: {what}: {match[0]!r}"


def unexplained(text: str) -> Iterator[str]:
    """Yield the lines that silence a check without a code or without a reason after it."""
    for number, line in enumerate(text.splitlines(), start=1):
        silenced = _SILENCED.search(line)
        if silenced and (not silenced["codes"].strip(": ") or not re.search(r"\w{2,}", silenced["reason"])):
            yield f"{number}: {silenced[0]}"


def test_no_file_holds_a_forbidden_word() -> None:
    here = Path(__file__)
    findings = [
        f"{path.relative_to(ROOT)}:{hit}" for path in texts() if path != here for hit in found(path.read_text("utf-8"))
    ]

    assert findings == []


@pytest.mark.parametrize("text", ["# TO~DO later", "open('/wor~k/x/y')", "index = https://pypi.or~g/simple"])
def test_the_word_guard_bites(text: str) -> None:
    assert list(found(text.replace("~", "")))


def test_every_silenced_check_names_its_code_and_its_reason() -> None:
    findings = [
        f"{path.relative_to(ROOT)}:{hit}" for path in modules(*CODE) for hit in unexplained(path.read_text("utf-8"))
    ]

    assert findings == []


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ("x = 1  # no~qa", False),
        ("x = 1  # no~qa: S603", False),
        ("x = 1  # no~qa: S603, S607  the operator's own command", True),
        ("x = 1  # type: ig~nore", False),
        ("x = 1  # type: ig~nore[arg-type]", False),
        ("x = 1  # type: ig~nore[arg-type]  # the stub is wrong about None", True),
    ],
)
def test_the_guard_of_silenced_checks_bites(line: str, explained: bool) -> None:
    text = line.replace("~", "")

    assert list(unexplained(text)) == ([] if explained else [f"1: {text[7:]}"])


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = [str(path.relative_to(ROOT)) for path in modules(*CODE) if path.stem.strip("_") in _VAGUE]

    assert vague == []


def test_every_module_of_the_packages_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules("schemas", "services", "waymark")
        if path.name != "__init__.py" and not ast.get_docstring(parsed(path))
    ]

    assert silent == []
