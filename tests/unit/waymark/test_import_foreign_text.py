"""CSV and JSON Lines as other systems write them: what is broken costs its own row, and encodings are told by name."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from services.ingest.forms.mapping.faults import MappingFileError
from waymark.console import CommandError
from waymark.imports.formats.delimited import CsvLayout, read_csv
from waymark.imports.formats.encodings import EncodingError
from waymark.imports.formats.objects import read_jsonl
from waymark.imports.mapping.mapping_file import parse
from waymark.imports.mapping.values import NumberedRow
from waymark.imports.run import ImportFile, make

FIELDS: dict[str, Any] = {
    "id": "{id}",
    "occurred_at": "{at}",
    "channel": "phone",
    "kind": "call_ended",
    "customer": {"customer_id": "{who}"},
    "text": "{why}",
}
HEADER = "id,at,who,why"


def row(number: int, why: str = "요금") -> str:
    return f"c-{number},2026-11-22T09:15:00+09:00,C-{number},{why}"


def written(folder: Path, content: str | bytes, name: str = "calls.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def imported(path: Path, **mapping: Any) -> tuple[list[str], list[tuple[int, str]]]:
    """The ids made, and the problems: line and text."""
    source = ImportFile(path=path, mapping=parse({"touchpoints": [{"fields": FIELDS}], **mapping}))
    ids, problems = [], []
    for _, (documents, found) in make(source):
        ids += [document["id"] for document in documents]
        problems += [(problem.line, problem.message) for problem in found]
    return ids, problems


def lines_of(path: Path, layout: CsvLayout | None = None) -> list[NumberedRow]:
    return list(read_csv(path, layout or CsvLayout(), on_columns=lambda _: None))


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("c-3,2026-11-22T09:15:00Z,C-3,caf\xe9".encode("latin-1"), "column 'why': the byte 0xE9 is not UTF-8"),
        (b"c-3,2026-11-22T09:15:00Z,C-3,a\0b", "column 'why': there is a NUL byte in it"),
        (b'c-3,2026-11-22T09:15:00Z,C-3,"open', "a quote is opened and not closed in its cell"),
        (b'c-3,2026-11-22T09:15:00Z,C-3,"a"b', "not readable: ',' expected after '\"'"),
        (b"c-3,2026-11-22T09:15:00Z,C-3", "3 cells, the header has 4"),
        (b"c-3,2026-11-22T09:15:00Z,C-3,a,b", "5 cells, the header has 4"),
        (b"c-3," + b"x" * 2_000_000, "longer than 1,048,576 characters"),
        (b"c-3,2026-11-22T09:15:00Z,C-3," + b"x" * 200_000, "not readable: field larger than field limit (131072)"),
    ],
)
def test_a_row_that_cannot_be_read_is_one_problem_with_its_line_and_the_others_go_in(
    tmp_path: Path, bad: bytes, told: str
) -> None:
    rows = [row(n).encode() for n in range(1, 7)]
    rows[2] = bad
    ids, problems = imported(written(tmp_path, b"\n".join([HEADER.encode(), *rows]) + b"\n"))
    assert ids == ["c-1", "c-2", "c-4", "c-5", "c-6"]
    assert problems == [(4, told)]


def test_two_lone_quotes_that_find_each_other_cost_their_own_rows(tmp_path: Path) -> None:
    rows = [row(1), row(2, '"open'), row(3), row(4, '"open'), row(5)]
    ids, problems = imported(written(tmp_path, "\n".join([HEADER, *rows])))
    assert ids == ["c-1", "c-3", "c-5"]
    assert [line for line, _ in problems] == [3, 5]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_numbers_are_right_whatever_ends_a_line_and_whatever_is_quoted(tmp_path: Path, end: str) -> None:
    rows = [row(1, f'"two{end}lines"'), row(2), "", "short", row(3)]
    ids, problems = imported(written(tmp_path, end.join([HEADER, *rows]) + end))
    assert ids == ["c-1", "c-2", "c-3"]
    assert [line for line, _ in problems] == [6]


def test_mixed_line_ends_are_read(tmp_path: Path) -> None:
    ids, problems = imported(written(tmp_path, f"{HEADER}\r\n{row(1)}\n{row(2)}\r{row(3)}"))
    assert (ids, problems) == (["c-1", "c-2", "c-3"], [])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    ids, problems = imported(written(tmp_path, f"{HEADER}\n{row(1)}\n".encode(encoding)))
    assert (ids, problems) == (["c-1"], [])


def test_a_broken_character_of_utf_16_costs_its_row(tmp_path: Path) -> None:
    content = f"{HEADER}\n{row(1)}\n{row(2, 'X')}\n{row(3)}\n".encode("utf-16").replace(b"X\0", b"\0\xd8")
    ids, problems = imported(written(tmp_path, content))
    assert ids == ["c-1", "c-3"]
    assert [line for line, _ in problems] == [3]


@pytest.mark.parametrize(
    ("why", "encoding", "named"),
    [
        ("배송이 늦어요", "cp949", "cp949"),
        ("환불", "euc-kr", "cp949"),
        ("返品したいのですが、届きません", "shift_jis", "cp932"),
        ("返品したいのですが、届きません", "euc_jp", "euc_jp"),
        ("物流太慢了我要投诉这个问题", "gbk", "gb18030"),
        ("Rückgabe wegen Störung der Geräte", "cp1252", "cp1252"),
        ("Reclamação não atendida e devolução do produto à loja", "cp1252", "cp1252"),
        ("Reclamación: señor Núñez llamó", "latin-1", "cp1252"),
        ("Þetta er íslenskur texti með ýmsum stöfum", "cp1252", "cp1252"),
        ("Zażółć gęślą jaźń i reklamacja przesyłki", "cp1250", "cp1250"),
        ("Kézbesítési késedelem és őszinte köszönet", "cp1250", "cp1250"),
        ("Müşteri şikayeti: sipariş ulaşmadı ve İade", "cp1254", "cp1254"),
        ("배송", "utf-16-le", "utf-16-le"),
        ("배송", "utf-16-be", "utf-16-be"),
    ],
)
def test_a_file_in_another_encoding_is_refused_with_the_line_that_mends_it(
    tmp_path: Path, why: str, encoding: str, named: str
) -> None:
    path = written(tmp_path, "\n".join([HEADER, *[row(n, why) for n in range(1, 5)]]).encode(encoding))
    with pytest.raises(EncodingError, match=rf"calls\.csv is not in UTF-8; it looks like {named}") as caught:
        imported(path)
    assert str(caught.value).endswith(f"\n  encoding: {named}")
    ids, problems = imported(path, encoding=named)
    assert (len(ids), problems) == (4, [])


def test_a_korean_header_alone_tells_the_encoding(tmp_path: Path) -> None:
    path = written(tmp_path, "번호,사유\n1,a\n".encode("cp949"))
    with pytest.raises(EncodingError, match="looks like cp949"):
        lines_of(path)


def test_a_declared_encoding_that_is_wrong_is_reported_with_the_right_one(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join([HEADER, *[row(n, "배송이 늦어요") for n in range(1, 5)]]))
    with pytest.raises(EncodingError, match=r"not in ascii; it looks like utf-8"):
        imported(path, encoding="ascii")
    with pytest.raises(EncodingError, match=r"not in utf-16; it looks like utf-8"):
        imported(path, encoding="utf-16")
    with pytest.raises(MappingFileError, match="no encoding 'cp9499'"):
        imported(path, encoding="cp9499")


def test_json_lines_of_korean_systems_are_reported_and_read_too(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": "1", "사유": "배송이 늦어요"}\n{"id": "2", "사유": "환불"}\n'.encode("cp949"))
    with pytest.raises(EncodingError, match="looks like cp949"):
        list(read_jsonl(path))
    assert [problem for *_, problem in read_jsonl(path, "cp949")] == ["", ""]


def test_a_json_object_with_two_members_of_one_name_is_a_problem(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": "1", "id": "2"}\n{"id": "3"}\n')
    assert [problem for *_, problem in read_jsonl(path)] == ["two members are called 'id'", ""]


def test_a_compressed_file_that_ends_early_gives_its_whole_lines_and_says_so(tmp_path: Path) -> None:
    content = "\n".join([HEADER, *[row(n) for n in range(1, 2000)]]) + "\n"
    packed = gzip.compress(content.encode())
    assert len(imported(written(tmp_path, packed, "calls.csv.gz"))[0]) == 1999
    ids, problems = imported(written(tmp_path, packed[:-2000], "calls.csv.gz"))
    assert 0 < len(ids) < 1999
    assert problems == [(len(ids) + 2, "the compressed file is not whole; it ends here")]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_an_empty_file_is_reported_as_such(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=f"{name} is empty"):
        imported(written(tmp_path, "", name))


def test_columns_of_one_name_are_refused_by_name_and_both_can_be_reached(tmp_path: Path) -> None:
    path = written(tmp_path, "id,at,who,why,why\n1,2026-11-22T09:15:00Z,C-1,a,b\n")
    with pytest.raises(MappingFileError) as caught:
        imported(path)
    assert caught.value.problems == ["the file has 2 columns called 'why': say 'why (1)' or 'why (2)'"]
    assert lines_of(path)[0].row == {
        "id": "1",
        "at": "2026-11-22T09:15:00Z",
        "who": "C-1",
        "why (1)": "a",
        "why (2)": "b",
    }


def test_a_file_without_a_header_line_has_the_columns_of_the_mapping(tmp_path: Path) -> None:
    path = written(tmp_path, f"{row(1)}\n{row(2)}\n")
    assert imported(path, columns=["id", "at", "who", "why"]) == (["c-1", "c-2"], [])
    with pytest.raises(MappingFileError, match="`columns` has 'id' twice"):
        imported(path, columns=["id", "at", "id"])


@pytest.mark.parametrize(
    "first",
    [
        "15.10.2026;C-1;anna@mail.example;20,38",
        "[2026-10-15 02:09] Anna: the parcel, again",
        "+82 10-1234-5678,C-1",
    ],
)
def test_a_first_line_that_is_a_row_is_reported_as_such_and_not_quoted(tmp_path: Path, first: str) -> None:
    path = written(tmp_path, f"{first}\n{first}\n")
    with pytest.raises(
        MappingFileError, match=r"looks like a row: .* name the columns with `columns: \[\.\.\.\]`"
    ) as caught:
        imported(path)
    assert not any(word in str(caught.value) for word in ("Anna", "anna", "C-1", "20,38", "1234"))


def test_another_delimiter_is_told_where_commas_stand_in_the_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, "c-1;2026-11-22;C-1;20,38\n")
    with pytest.raises(MappingFileError, match='the header is 2 columns; say `delimiter: ";"`'):
        imported(path)
    with pytest.raises(MappingFileError) as caught:
        imported(written(tmp_path, "id,at,what;so\nc-1,2026-11-22,a\n"))
    assert "delimiter" not in str(caught.value)


def test_names_of_columns_are_found_however_they_are_spelled(tmp_path: Path) -> None:
    from unicodedata import normalize

    path = written(tmp_path, normalize("NFD", ' 상담번호 ,"통화\n시간",\n1,2,3\n'))
    assert lines_of(path)[0].row == {"상담번호": "1", "통화 시간": "2", "column 3": "3"}


def test_titles_above_the_header_and_another_delimiter_are_reported(tmp_path: Path) -> None:
    path = written(tmp_path, f"Calls of November\n\n{HEADER}\n{row(1)}\n")
    with pytest.raises(MappingFileError, match="say `skip_rows: 2`"):
        imported(path)
    assert imported(path, skip_rows=2) == (["c-1"], [])
    path = written(tmp_path, f"{HEADER}\n{row(1)}\n".replace(",", ";"))
    with pytest.raises(MappingFileError, match='say `delimiter: ";"`'):
        imported(path)
    assert imported(path, delimiter=";") == (["c-1"], [])


def test_excel_s_first_line_and_the_file_s_name_say_the_delimiter(tmp_path: Path) -> None:
    content = f"{HEADER}\n{row(1)}\n"
    assert imported(written(tmp_path, "sep=;\r\n" + content.replace(",", ";"))) == (["c-1"], [])
    assert imported(written(tmp_path, content.replace(",", "\t"), "calls.tsv")) == (["c-1"], [])


def test_empty_cells_after_the_last_column_are_nothing(tmp_path: Path) -> None:
    assert imported(written(tmp_path, f"{HEADER}\n{row(1)},,\n")) == (["c-1"], [])


def test_every_row_has_its_number_and_its_file_for_an_id(tmp_path: Path) -> None:
    fields = {**FIELDS, "id": "{file}/{row}"}
    source = ImportFile(
        path=written(tmp_path, f"{HEADER}\n{row(1)}\nbad\n{row(1)}\n"),
        mapping=parse({"touchpoints": [{"fields": fields}]}),
    )
    assert [one["id"] for _, (documents, _) in make(source) for one in documents] == ["calls.csv/1", "calls.csv/3"]


def test_texts_that_mean_nothing_are_empty(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEADER}\n{row(1, 'NULL')}\n")
    source = ImportFile(path=path, mapping=parse({"touchpoints": [{"fields": FIELDS}], "empty": ["NULL"]}))
    assert ["text" in one for _, (documents, _) in make(source) for one in documents] == [False]


@pytest.mark.parametrize(("encoding", "named"), [("cp1252", "cp1252"), ("mac_roman", "mac_roman"), ("cp949", "cp949")])
def test_a_few_rows_in_another_encoding_say_which_it_looks_like(tmp_path: Path, encoding: str, named: str) -> None:
    rows = [row(n, "a") for n in range(1, 60)]
    why = "배송이 늦어요" if encoding == "cp949" else "Rückgabe wegen Störung der Geräte"
    rows[30:30] = [row(90, why), row(91, why)]
    path = written(tmp_path, "\r".join([HEADER, *rows]).encode(encoding))
    ids, problems = imported(path)
    assert len(ids) == 59
    assert [line for line, _ in problems] == [32, 33]
    assert all(f"it looks like {named}: say `encoding: {named}` in the mapping" in told for _, told in problems)
    assert len(imported(path, encoding=named)[0]) == 61
