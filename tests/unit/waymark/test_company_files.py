"""Every file that a company writes itself: all mistakes at once, each with file and line, and never a traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.forms.mapping.faults import MappingFileError
from services.ingest.forms.webhooks.mapping import system_files
from services.ingest.privacy.policy import PrivacyPolicy, PrivacyPolicyError
from services.journey.rulebook import rules_file
from waymark.console import CommandError
from waymark.imports.mapping import recipe
from waymark.sources import source_reading


def of_rules(path: Path) -> list[str]:
    try:
        rules_file.load(path)
    except rules_file.RulesRefusedError as error:
        return [f"{path}: {problem}" for problem in error.problems]
    return []


def of_policy(path: Path) -> list[str]:
    try:
        PrivacyPolicy.read(str(path))
    except PrivacyPolicyError as error:
        return error.problems
    return []


def of_system(path: Path) -> list[str]:
    try:
        system_files.read(path)
    except system_files.SystemFilesError as error:
        return [str(problem) for problem in error.problems]
    return []


def of_mapping(path: Path) -> list[str]:
    try:
        recipe.load(path)
    except MappingFileError as error:
        return error.problems
    return []


def of_cloudevents(path: Path) -> list[str]:
    return of_command(lambda: source_reading.read_rules(path))


def of_segment(path: Path) -> list[str]:
    return of_command(lambda: source_reading.read_mapping(path))


def of_command(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except CommandError as error:
        return str(error).splitlines() if error.exit_code == 2 else ["not exit code 2"]
    return []


READERS: list[Callable[[Path], list[str]]] = [of_rules, of_policy, of_system, of_mapping, of_cloudevents, of_segment]
NO_FILE_OF_OURS = {
    "a list": b"- a\n- b\n",
    "a word": b"word",
    "a number": b"3",
    "a day that is none": b"a: 2026-13-01\n",
    "a key that is a list": b"{[a]: b}\n",
    "a key that is a number": b"1: 2\n",
    "a key that is nothing": b"null: 3\n",
    "a circle": b"&a [*a]",
    "an alias of nothing": b"a: *b\n",
    "a tag": b"a: !!python/name:os.system\n",
    "a zero byte": b"a: \x00\n",
    "another encoding": "설정: 값\n".encode("cp949"),
    "UTF-16": "a: b\n".encode("utf-16"),
    "an open bracket": b"a: [\n",
    "two documents": b"a: 1\n---\nb: 2\n",
    "a tab": b"a:\n\tb: c\n",
}


@pytest.mark.parametrize("what", NO_FILE_OF_OURS)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_of_ours_is_refused_with_its_name(
    reader: Callable[[Path], list[str]], what: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(NO_FILE_OF_OURS[what])
    told = reader(path)

    assert told
    assert all(problem.startswith(str(path)) for problem in told)


MISTAKES: dict[Callable[[Path], list[str]], tuple[str, list[str]]] = {
    of_rules: (
        "extends: default\nchange:\n  long_wait: {severity: loud}\n  no_such: {enabled: false}\nextends: default\n",
        ["long_wait.severity|(line 3)", "change.no_such|(line 4)", "extends is given twice|line 5"],
    ),
    of_policy: (
        "default:\n  text: encript\n  attributes:\n    a..b: drop\n  agent: hide\n  agent: keep\nsorces: {}\n",
        ["default.text: use one of|(line 2)", "a..b|(line 3)", "agent is given twice|line 6", "sorces|(line 7)"],
    ),
    of_system: (
        "name: file\ntitle: {en: A}\nsignature: {scheme: hmac, heder: X}\ntouchpoints:\n  - wen: {}\n",
        [
            ":2: title: `ko` is missing|",
            ":3: signature: there is no `heder`|",
            ":5: touchpoints[0]: there is no `wen`|",
        ],
    ),
    of_mapping: (
        'timezone: Asia/Seul\nencoding: cp9499\ndecimal: ";"\ntouchpoints:\n  - fields:\n      id: "{case"\n'
        '      occurred_at: "{at}"\n      channel: phone\n      kind: call_ended\n      customer: {phone: "{p}"}\n'
        '  - fields: 3\n    wen: {}\n  - fields: {id: "{a}"}\n',
        [
            "no time zone 'Asia/Seul'|(line 7)",
            "no encoding 'cp9499'|(line 2)",
            "`decimal`|(line 3)",
            "touchpoints[0].fields.id: a brace|(line 6)",
            "touchpoints[1].fields: Expected|(line 11)",
            "touchpoints[1]: there is no `wen`|(line 12)",
            "touchpoints[2]: `customer` is missing|(line 13)",
        ],
    ),
    of_cloudevents: (
        "native_type: []\ntypes:\n  com.acme.order.*:\n    channel: fax\n    fields: {customer: data.id}\n",
        ["native_type|(line 1)", "com.acme.order.*.channel|(line 4)", "com.acme.order.*.fields|(line 5)"],
    ),
    of_segment: (
        "channel: fax\ncalls:\n  trak: {}\nevents:\n  A. B: {kind: call_ended, chanel: web}\n  C: {fields: [1]}\n",
        ["channel: Invalid|(line 1)", "calls.trak|(line 3)", "events.A. B.chanel|(line 5)", "events.C.fields|(line 6)"],
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_mistake_is_named_at_once_with_file_and_line(reader: Callable[[Path], list[str]], tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    text, wanted = MISTAKES[reader]
    path.write_text(text, encoding="utf-8")
    told = reader(path)

    for want in wanted:
        words, _, line = want.partition("|")
        assert any(words in problem and line in problem for problem in told), (want, told)
    assert all(problem.startswith(str(path)) for problem in told)


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes("\ufeffdefault:\r\n  text: drop\r\n".encode())

    assert of_policy(path) == []
