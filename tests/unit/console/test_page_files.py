"""The pages: what browsers may run, what is theirs and what others wrote."""

import base64
import gzip
import hashlib
import json
import posixpath
import re

import pytest

from schemas import kinds
from services.console import catalogue_script
from services.console.http import page_files
from services.console.http.page_files import DOCUMENT, FILES, PAGES
from tests.architecture.tree import ROOT
from tests.unit.console.bench import a_console

FOLDER = ROOT / "services" / "console" / "pages"
VENDORED = json.loads((FOLDER / "vendor" / "vendor.json").read_text(encoding="utf-8"))["packages"]
OURS = {name: file.content.decode() for name, file in FILES.items() if not name.startswith("vendor/")}


async def test_a_page_may_run_our_files_alone() -> None:
    async with a_console() as bench:
        answer = await bench.browser.get("/")
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))

        assert policy["default-src"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        assert policy["trusted-types"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert policy["frame-ancestors"] == "'none'"
        assert policy["style-src"] == policy["connect-src"] == "'self'"
        shown = re.search(r'<script type="importmap">(.*?)</script>', answer.text)
        assert shown is not None
        digest = base64.b64encode(hashlib.sha256(shown[1].encode()).digest()).decode()
        assert policy["script-src"] == f"'self' 'sha256-{digest}'"


@pytest.mark.parametrize(
    ("path", "base"), [("/", "./"), ("/inbox", "./"), ("/issues/a", "../"), ("/customers/phone:%2B82", "../")]
)
async def test_every_page_finds_its_files_from_where_it_is(path: str, base: str) -> None:
    async with a_console() as bench:
        answer = await bench.browser.get(path)

        assert answer.status_code == 200
        assert f'<base href="{base}">' in answer.text


def test_the_document_asks_only_for_what_is_there() -> None:
    asked = set(re.findall(r'(?:href|src)="static/([^"]+)"|"\./static/([^"]+)"', DOCUMENT.decode()))

    assert {one or other for one, other in asked} <= set(FILES)
    assert not re.search(rb'(href|src)="(https?:)?//', DOCUMENT)


def _mapped() -> dict[str, str]:
    found = re.search(rb'<script type="importmap">(.*?)</script>', DOCUMENT)
    assert found is not None
    imports: dict[str, str] = json.loads(found[1])["imports"]
    return {name: path.removeprefix("./static/") for name, path in imports.items()}


def _imported(name: str, pattern: str = r'\bfrom\s?"([^"\s]+)"') -> set[str]:
    """The files that a module imports, by their paths below `/static/`."""
    text = FILES[name].content.decode()
    return {
        _mapped().get(wanted) or posixpath.normpath(posixpath.join(posixpath.dirname(name), wanted))
        for wanted in re.findall(pattern, text)
    }


def test_every_import_of_our_modules_is_a_file_or_in_the_map() -> None:
    for name in OURS:
        if name.endswith(".js"):
            for path in _imported(name) | _imported(name, r'import\("([^"]+)"\)'):
                assert path in FILES, (name, path)


def test_our_modules_make_no_script_of_text_and_ask_nobody_else() -> None:
    for name, text in OURS.items():
        assert not re.search(
            r"innerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|dangerouslySet", text
        ), name
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        assert not re.search(r"""\b(fetch|call)\((["'`]\w+["'`], )?["'`]/""", text), (
            f"{name}: an absolute address fails below a prefix"
        )
        assert len(text.splitlines()) <= 400, name


async def test_a_file_is_sent_again_only_when_it_changed() -> None:
    async with a_console() as bench:
        first = await bench.browser.get("/static/app.js")
        again = await bench.browser.get("/static/app.js", headers={"if-none-match": first.headers["etag"]})

        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        assert first.headers["content-type"].startswith("text/javascript")
        for missing in ("/static/nothing.js", "/static/index.html", "/static/../app.py", "/static/vendor/vendor.json"):
            assert (await bench.browser.get(missing)).status_code == 404


def test_what_others_wrote_is_named_and_unchanged() -> None:
    listed = {one["file"]: one["sha256"] for package in VENDORED for one in package["files"]}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (FOLDER / "vendor").iterdir()}
    there.pop("vendor.json")

    assert there == listed
    for package in VENDORED:
        assert package["licence"] in {"MIT", "Apache-2.0"}
        assert package["integrity"].startswith("sha512-")
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert len(package["licence_text"]) > 500


def test_all_pages_are_known_to_the_script() -> None:
    script = OURS["app.js"]

    for path in PAGES:
        first = path.split("/")[1]
        assert f'"/{first}' in script or first == "", path


def test_the_catalogue_names_every_kind_and_identifier_in_both_languages() -> None:
    said = FILES[catalogue_script.NAME].content.decode()
    exported = dict(re.findall(r"export const (\w+) = (.*);", said))

    assert set(json.loads(exported["kinds"])) == set(kinds.load())
    assert json.loads(exported["identifiers"])["phone"] == {"en": "Phone number", "ko": "전화번호"}


def test_the_first_page_is_light() -> None:
    first = {"app.js"}
    while more := {name for one in first for name in _imported(one)} - first:
        first |= more
    styles = {name for name in FILES if name.endswith(".css")}
    weight = sum(len(gzip.compress(FILES[name].content)) for name in first | styles) + len(gzip.compress(DOCUMENT))

    assert weight < 150_000
    assert "views/customer.js" not in first, "other pages are loaded when somebody goes there"
    assert all(len(gzip.compress(one.content)) < 60_000 for one in FILES.values())
    assert page_files.policy_of(DOCUMENT)
