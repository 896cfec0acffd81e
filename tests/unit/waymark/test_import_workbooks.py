"""Workbooks, which call centres export: what stands in a cell is the text that a person sees."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.ingest.forms.mapping.faults import MappingFileError
from tests.unit.waymark.workbooks import Cell, write_workbook
from waymark.console import CommandError
from waymark.imports.formats.workbook import read_workbook
from waymark.imports.mapping.mapping_file import parse
from waymark.imports.run import ImportFile, make

HEADER: list[Cell] = ["상담번호", "일시", "길이", "회원", "합계"]
AT = datetime(2026, 11, 22, 9, 15)  # noqa: DTZ001 - Excel knows no zones
FIELDS: dict[str, Any] = {
    "id": "{상담번호}",
    "occurred_at": "{일시}",
    "channel": "phone",
    "kind": "call_ended",
    "customer": {"customer_id": "{회원}"},
    "duration_s": "{길이}",
}


def rows_of(path: Path, **said: Any) -> list[tuple[int, dict[str, str] | str]]:
    lines = read_workbook(path, on_columns=lambda _: None, **said)
    return [(line.number, line.problem if line.row is None else dict(line.row)) for line in lines]


def imported(path: Path, **mapping: Any) -> list[dict[str, Any]]:
    source = ImportFile(path=path, mapping=parse({"touchpoints": [{"fields": FIELDS}], **mapping}))
    made = list(make(source))
    assert [problem for _, (_, problems) in made for problem in problems] == []
    return [document for _, (documents, _) in made for document in documents]


def test_numbers_dates_durations_and_formulas_are_what_a_person_sees(tmp_path: Path) -> None:
    call: list[Cell] = [2026112200017, AT, timedelta(minutes=2, seconds=23), "C-1009", "=1+1 -> 2"]
    path = write_workbook(tmp_path / "a.xlsx", {"상담": [HEADER, call, [7.5, AT, timedelta(hours=30), True, 0.1]]})
    assert rows_of(path) == [
        (
            2,
            {
                "상담번호": "2026112200017",
                "일시": "2026-11-22 09:15:00",
                "길이": "0:02:23",
                "회원": "C-1009",
                "합계": "2",
            },
        ),
        (3, {"상담번호": "7.5", "일시": "2026-11-22 09:15:00", "길이": "30:00:00", "회원": "true", "합계": "0.1"}),
    ]
    assert imported(write_workbook(tmp_path / "b.xlsx", {"상담": [HEADER, call]})) == [
        {
            "id": "2026112200017",
            "occurred_at": "2026-11-22T00:15:00Z",
            "channel": "phone",
            "kind": "call_ended",
            "customer": {"customer_id": "C-1009"},
            "duration_s": 143,
            "replay": True,
        }
    ]


def test_empty_rows_are_no_rows_and_the_numbers_are_excel_s(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"a": [["n"], [1], [], [None], [2], [3, "x"]]})
    assert rows_of(path) == [(2, {"n": "1"}), (5, {"n": "2"}), (6, "2 cells, the header has 1")]


def test_a_table_may_begin_anywhere(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"a": [[], [None, "n", "m"], [None, 1, "x"]]})
    assert rows_of(path, skip_rows=1) == [(3, {"n": "1", "m": "x"})]


def test_merged_cells_have_their_value_each(tmp_path: Path) -> None:
    path = write_workbook(
        tmp_path / "a.xlsx", {"a": [["case", "n"], ["T-1", 1], [None, 2], ["T-2", 3]]}, merged="A2:A3"
    )
    assert [row for _, row in rows_of(path)] == [
        {"case": "T-1", "n": "1"},
        {"case": "T-1", "n": "2"},
        {"case": "T-2", "n": "3"},
    ]


def test_of_several_sheets_the_one_with_the_columns_is_read_and_others_by_name(tmp_path: Path) -> None:
    call: list[Cell] = ["1", AT, "143", "C-1009", None]
    calls: list[list[Cell]] = [HEADER, call]
    path = write_workbook(
        tmp_path / "a.xlsx", {"Read me": [["about"]], "Empty": [], "Calls": calls, "Old": calls}, hidden="Old"
    )
    assert [one["id"] for one in imported(path)] == ["1"]
    path = write_workbook(tmp_path / "b.xlsx", {"May": calls, "June": [HEADER, ["2", *call[1:]]]})
    with pytest.raises(
        MappingFileError, match="say `sheet:` in the mapping; these have the columns of the mapping: May, June"
    ):
        imported(path)
    assert [one["id"] for one in imported(path, sheet="June")] == ["2"]
    assert [one["id"] for one in imported(path, sheet=1)] == ["1"]
    with pytest.raises(MappingFileError, match="no sheet 'Juni'; there are: May, June"):
        imported(path, sheet="Juni")


def test_titles_above_the_header_are_reported_and_columns_of_one_name_numbered(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [["November"], [], HEADER, ["1", AT, "143", "C-1009", None]]
    path = write_workbook(tmp_path / "a.xlsx", {"a": rows})
    with pytest.raises(MappingFileError, match="say `skip_rows: 2`"):
        imported(path)
    assert len(imported(path, skip_rows=2)) == 1
    path = write_workbook(tmp_path / "c.xlsx", {"Pivot": [["total"], [1]], "Calls": rows, "Notes": [["n"], ["x"]]})
    with pytest.raises(MappingFileError, match="say `sheet: Calls` and `skip_rows: 2`"):
        imported(path)
    assert len(imported(path, sheet="Calls", skip_rows=2)) == 1
    beside: list[list[Cell]] = [["November"], [], [*HEADER, "회원"], ["1", AT, "143", "C-1009", None, "C-1"]]
    path = write_workbook(tmp_path / "d.xlsx", {"a": beside})
    with pytest.raises(MappingFileError, match="say `skip_rows: 2`"):
        imported(path)
    with pytest.raises(MappingFileError, match="2 columns called '회원'"):
        imported(path, skip_rows=2)
    path = write_workbook(tmp_path / "b.xlsx", {"a": [["n", "n"], [1, 2]]})
    assert rows_of(path) == [(2, {"n (1)": "1", "n (2)": "2"})]
    assert rows_of(path, columns=["x", "y"], skip_rows=1) == [(2, {"x": "1", "y": "2"})]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<html><table><tr><td>1</td></tr></table></html>", "it holds a web page; open it in a spreadsheet"),
        (b"a\tb\n1\t2\n", "if it holds text, say `format: csv`"),
        (b"PK\x03\x04 cut off", "or a damaged one"),
        (b"", "it is empty"),
    ],
)
def test_what_is_only_called_a_workbook_is_reported_with_what_it_is(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "calls.xls"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=rf"calls\.xls is no workbook.*{told}"):
        rows_of(path)
