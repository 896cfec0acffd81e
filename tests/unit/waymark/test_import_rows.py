from collections.abc import Sequence
from pathlib import Path

import pytest

from waymark.console import CommandError
from waymark.imports.account import PlaceholderIdentifiers
from waymark.imports.formats.delimited import CsvLayout
from waymark.imports.formats.rows import format_of, jsonl_rows, read_csv, read_parquet
from waymark.imports.mapping.mapping_file import parse
from waymark.imports.run import ImportFile, make, repeated
from waymark.imports.spool import RepeatedIds, TouchpointSpool


def rows_of(path: Path, encoding: str = "utf-8-sig") -> list[tuple[int, dict[str, str] | None, str]]:
    """Line number, row and problem of each line of a CSV file."""
    lines = read_csv(path, CsvLayout(encoding=encoding), on_columns=lambda _: None)
    return [(line.number, None if line.row is None else dict(line.row), line.problem) for line in lines]


def test_csv_rows_carry_the_line_where_they_begin(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,"two\nlines"\n\n3,4\n')
    assert rows_of(path) == [(2, {"a": "1", "b": "two\nlines"}, ""), (5, {"a": "3", "b": "4"}, "")]


def test_a_csv_line_with_too_many_cells_is_a_problem_and_the_next_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2,3\n4,5\n")
    assert rows_of(path) == [(2, None, "3 cells, the header has 2"), (3, {"a": "4", "b": "5"}, "")]


def test_a_byte_order_mark_and_korean_encodings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("사유\n환불\n".encode("utf-8-sig"))
    assert rows_of(path) == [(2, {"사유": "환불"}, "")]
    path.write_bytes("사유\n환불\n".encode("cp949"))
    assert rows_of(path, "cp949") == [(2, {"사유": "환불"}, "")]


def test_json_members_of_members_are_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 7, "who": {"phone": "010"}, "ok": true, "none": null}\n[]\n{\n')
    lines = list(jsonl_rows(path, frozenset({"id", "note"})))
    assert lines[0].row == {"id": "7", "who.phone": "010", "ok": "true", "none": "", "note": ""}
    assert [(line.number, line.problem) for line in lines[1:]] == [(2, "not a JSON object"), (3, "not JSON in UTF-8")]


def test_parquet_rows_are_text_with_times_in_iso(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    at = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)
    parquet.write_table(pyarrow.table({"id": ["x", "y"], "n": [1, None], "at": [at, at]}), path)
    seen: list[Sequence[str]] = []
    lines = list(read_parquet(path, on_columns=seen.append))
    assert seen == [["id", "n", "at"]]
    assert [line.row for line in lines] == [
        {"id": "x", "n": "1", "at": "2026-11-22T00:15:00+00:00"},
        {"id": "y", "n": "", "at": "2026-11-22T00:15:00+00:00"},
    ]


def test_the_format_is_the_mapping_s_or_the_file_name_s() -> None:
    assert format_of(Path("a.CSV")) == "csv"
    assert format_of(Path("a.txt"), "jsonl") == "jsonl"
    with pytest.raises(CommandError, match=r"a\.docx"):
        format_of(Path("a.docx"))
    assert format_of(Path("a.xlsx")) == "xlsx"


def test_native_lines_need_no_mapping_and_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = '{"id": "1", "occurred_at": "2026-11-22T00:15:00Z", "channel": "web", "kind": "x", "customer": {"sms": "e"}}'
    path.write_text(f'{good}\n{{"id": "2"}}\nnope\n')
    made = list(make(ImportFile(path=path)))
    assert [len(documents) for _, (documents, _) in made] == [1, 0, 0]
    assert made[0][1][0][0]["replay"] is True
    assert {problem.line for _, (_, problems) in made for problem in problems} == {2, 3}


def test_touchpoints_leave_in_event_order_whatever_the_order_of_the_file() -> None:
    times = ["2026-01-02T00:00:00Z", "2026-01-01T10:00:00+09:00", "2026-01-01T02:00:00Z", "2026-01-01T02:00:00Z"]
    with TouchpointSpool() as spool:
        for line, (at, sequence) in enumerate(zip(times, [0, 0, 2, 1], strict=True), start=2):
            spool.add(line, {"occurred_at": at, "sequence": sequence})
        spool.sort()
        assert [item.line for item in spool.read()] == [3, 5, 4, 2]
        assert [item.line for item in spool.read(2)] == [4, 2]


def test_a_parquet_mapping_must_fit_the_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("case\n")
    fields = {"id": "{case}", "occurred_at": "{at}", "channel": "web", "kind": "k", "customer": {"email": "{case}"}}
    with pytest.raises(Exception, match="no column 'at'"):
        list(make(ImportFile(path=path, mapping=parse({"touchpoints": [{"fields": fields}]}))))


def test_ids_that_the_mapping_repeats_are_counted_with_their_lines() -> None:
    with TouchpointSpool() as spool:
        for line, (id_, why) in enumerate([("a", "x"), ("b", "x"), ("a", "x"), ("a", "y"), ("c", "x")], start=2):
            spool.add(line, {"id": id_, "occurred_at": "2026-01-02T00:00:00Z", "reason": why})
        found = spool.repeats()
    assert (found.count, found.differing, found.lines) == (2, 1, (2, 4, 5))


def test_members_of_parquet_s_structures_are_columns_and_whole_numbers_stay_whole(tmp_path: Path) -> None:
    from datetime import datetime, timedelta
    from decimal import Decimal

    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    columns = {
        "who": pyarrow.array([{"phone": "010-0000-8841", "n": 1}, None]),
        "id": pyarrow.array([1009.0, float("nan")]),
        "cost": pyarrow.array([Decimal("12.50"), None]),
        "at": pyarrow.array([1_795_306_500_123_456_789, None], pyarrow.timestamp("ns", "Asia/Seoul")),
        "local": pyarrow.array([datetime(2026, 11, 22, 9, 15), None], pyarrow.timestamp("ns")),  # noqa: DTZ001 - the column has no zone
        "took": pyarrow.array([timedelta(minutes=2, seconds=23), None], pyarrow.duration("ns")),
        "raw": pyarrow.array(["전화".encode(), None]),
    }
    parquet.write_table(pyarrow.table(columns), path)
    seen: list[Sequence[str]] = []
    rows = [line.row for line in read_parquet(path, on_columns=seen.append)]
    assert seen == [["who.phone", "who.n", "id", "cost", "at", "local", "took", "raw"]]
    assert rows[0] == {
        "who.phone": "010-0000-8841",
        "who.n": "1",
        "id": "1009",
        "cost": "12.50",
        "at": "2026-11-22T09:15:00.123456+09:00",
        "local": "2026-11-22T09:15:00",
        "took": "143.0",
        "raw": "전화",
    }
    assert rows[1] is not None
    assert not any(rows[1].values())


def test_a_damaged_parquet_file_is_reported_as_such(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(CommandError, match=r"a\.parquet is no Parquet file"):
        list(read_parquet(path, on_columns=lambda _: None))


def test_a_column_that_no_row_has_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"case": "T-1", "at": "2026-11-22T09:15:00Z"}\n')
    fields = {"id": "{case}", "occurred_at": "{at}", "channel": "web", "kind": "k", "customer": {"email": "{mail}"}}
    told: list[str] = []
    list(make(ImportFile(path=path, mapping=parse({"touchpoints": [{"fields": fields}]})), told.append))
    assert told == ["column 'mail' is empty in every row", "its rows have: at, case"]


@pytest.mark.parametrize(("id_", "told"), [("{case}", 1), ("calls/{case}", 0), ("20261122000{case}", 0)])
def test_ids_that_only_count_are_reported_since_those_of_another_file_are_the_same(
    tmp_path: Path, id_: str, told: int
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("case,at\n1,2026-11-22T09:15:00Z\n2,2026-11-22T09:16:00Z\n")
    fields = {"id": id_, "occurred_at": "{at}", "channel": "web", "kind": "k", "customer": {"cookie": "c-1"}}
    warnings: list[str] = []
    list(make(ImportFile(path=path, mapping=parse({"touchpoints": [{"fields": fields}]})), warnings.append))
    assert len(warnings) == told
    assert all("every id is a small number" in text for text in warnings)


def test_identifiers_that_name_nobody_are_counted_before_anything_is_sent() -> None:
    placeholders = PlaceholderIdentifiers("KR")
    for customer in (
        {"email": "****"},
        {"email": "****", "customer_id": "C-1"},
        {"phone": {"value": "(0565) 23177250", "verified": True}, "customer_id": "C-2"},
        {"phone": "1588-0000"},
        {"phone": "010-2345-6789"},
    ):
        placeholders({"customer": customer})
    assert placeholders.warnings() == [
        "`customer.email` names nobody in 2 of the touchpoints: a placeholder, or masked like 김**",
        "`customer.phone` cannot be read as such in 1 of the touchpoints (without a country code it is one of KR: "
        "WAYMARK_INGEST_PHONE_REGION)",
        "`customer.phone` is a company's number in 1 of the touchpoints, as 1588-0000 is: it names nobody",
        "2 of the touchpoints have no identifier that names anybody: ingest refuses them",
    ]
    assert PlaceholderIdentifiers("KR").warnings() == []


def test_repeats_that_all_say_the_same_lose_nothing() -> None:
    assert repeated(RepeatedIds(count=3, differing=0, lines=(2, 3))).endswith(
        "they all say the same, so nothing is lost"
    )
    assert "2 of them say something else, which is lost" in repeated(RepeatedIds(count=3, differing=2, lines=(2, 3)))
