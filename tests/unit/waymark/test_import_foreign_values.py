"""Times, durations, numbers, and yes or no, as other systems write them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.ingest.forms.mapping.faults import MappingFileError
from waymark.imports.account import ProblemGroups
from waymark.imports.mapping.mapping_file import parse
from waymark.imports.mapping.recipe import LineProblem, RowRecipe
from waymark.imports.run import ImportFile, make

MINIMAL: dict[str, Any] = {
    "id": "{case}",
    "occurred_at": "{at}",
    "channel": "phone",
    "kind": "call_ended",
    "customer": {"customer_id": "{who}"},
}
ROW = {"case": "T-1", "at": "2026-11-22 09:15:00", "who": "C-9", "x": "", "y": ""}


def tried(
    fields: Mapping[str, Any], row: Mapping[str, str], **more: Any
) -> tuple[list[dict[str, Any]], list[LineProblem]]:
    recipe = RowRecipe(parse({"touchpoints": [{"fields": {**MINIMAL, **fields}}], **more}))
    return recipe.touchpoints(7, {**ROW, **row})


def made(fields: Mapping[str, Any], row: Mapping[str, str], **more: Any) -> dict[str, Any]:
    documents, problems = tried(fields, row, **more)
    assert problems == []
    return documents[0]


def complaint(fields: Mapping[str, Any], row: Mapping[str, str], **more: Any) -> LineProblem:
    documents, problems = tried(fields, row, **more)
    assert documents == []
    assert len(problems) == 1
    assert not any(value and value in problems[0].message for value in row.values())
    return problems[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("143", 143),
        ("00:02:23", 143),
        ("2:23", 143),
        ("0:00", 0),
        ("00:00:00", 0),
        ("143:05", 8585),
        ("30:00:00", 108_000),
        ("1 day, 0:02:23", 86_543),
        ("0 days 00:02:23.500000", 143.5),
        ("PT2M23S", 143),
        ("PT0S", 0),
        ("P1DT2H", 93_600),
        ("2 min", 120),
        ("2m 23s", 143),
        ("143 s", 143),
        ("1 h 5 min", 3900),
        ("2분 23초", 143),
        ("1시간 5분", 3900),
        ("1 Std. 5 Min.", 3900),
        ("1,412", 1412),
        ("143.5", 143.5),
    ],
)
@pytest.mark.parametrize("field", ["duration_s", "wait_s", "hold_s"])
def test_a_duration_is_read_in_seconds(field: str, text: str, seconds: float) -> None:
    assert made({field: "{x}"}, {"x": text})[field] == seconds
    assert made({field: {"column": "x"}}, {"x": text})[field] == seconds


@pytest.mark.parametrize(("unit", "seconds"), [("ms", 0.25), ("s", 250), ("min", 15_000), ("h", 900_000)])
def test_a_bare_number_of_a_duration_counts_the_unit_that_the_mapping_names(unit: str, seconds: float) -> None:
    assert made({"wait_s": {"column": "x", "unit": unit}}, {"x": "250"})["wait_s"] == seconds
    assert made({"wait_s": {"column": "x", "unit": unit}}, {"x": "0:02"})["wait_s"] == 2


@pytest.mark.parametrize(
    ("fields", "row", "told"),
    [
        ({"duration_s": "{x}"}, {"x": "long"}, "column 'x' is not a duration: not a number, nor like 00:02:23"),
        ({"duration_s": "{x}"}, {"x": "00:99:23"}, "column 'x' is not a duration"),
        (
            {"wait_s": "{x}"},
            {"x": "12,5"},
            'column \'x\' is not a number with "." before its fraction; say `decimal: ","`',
        ),
        ({"wait_s": "{x}"}, {"x": "nan"}, "column 'x' is not a duration"),
        ({"sentiment": "{x}"}, {"x": "inf"}, "column 'x' is not a number"),
        ({"sequence": "{x}{y}"}, {"x": "four", "y": "five"}, "column 'x, y' is not a number"),
        (
            {"customer": {"phone": {"value": "{who}", "verified": "{x}"}}},
            {"x": "maybe"},
            "column 'x' is neither yes nor no",
        ),
        ({"channel": "{x}"}, {"x": "fax"}, "(column 'x')"),
        ({"sentiment": "{x}"}, {"x": "7"}, "(column 'x')"),
        ({"customer": {"customer_id": "{x}"}}, {}, "column 'x' says nothing"),
    ],
)
def test_every_problem_names_its_column(fields: dict[str, Any], row: dict[str, str], told: str) -> None:
    problem = complaint(fields, row)
    assert told in problem.message
    assert problem.column in {"x", "x, y"}


def test_all_that_is_wrong_with_a_row_is_reported_at_once() -> None:
    _, problems = tried({"wait_s": "{x}", "occurred_at": "{y}"}, {"x": "long", "y": "late"})
    assert {problem.column for problem in problems} == {"x", "y"}


def test_what_is_required_and_empty_is_reported_with_the_condition_that_leaves_such_rows_out() -> None:
    problem = complaint({"customer": {"email": "{x}"}}, {"x": ""})
    assert (problem.code, problem.field) == ("missing", "customer")
    assert "column 'x' says nothing here; `when: {x: {empty: false}}` leaves out" in problem.message
    assert "`when" not in complaint({"customer": {"email": "{x}", "phone": "{y}"}}, {"x": "", "y": ""}).message


def test_a_text_that_is_too_long_is_cut_where_the_mapping_says_so_and_an_id_is_not_told_to_be() -> None:
    long = {"x": "가" * 8193}
    assert "`cut` in the mapping does" in complaint({"text": "{x}"}, long).message
    assert made({"text": {"column": "x", "cut": 8192}}, long)["text"] == "가" * 8191 + "…"
    assert made({"text": {"column": "x", "cut": 3}}, {"x": "가나다"})["text"] == "가나다"
    assert "cut" not in complaint({"id": "{x}"}, long).message
    with pytest.raises(MappingFileError, match="at least 1"):
        tried({"text": {"column": "x", "cut": 0}}, long)


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("이용시간(분)", "min"),
        ("talk_minutes", "min"),
        ("Dauer [Min.]", "min"),
        ("Handle time (ms)", "ms"),
        ("Gesprächsdauer (Std.)", "h"),
        ("상담시간(시간)", "h"),
        ("Wait (s)", None),
        ("대기 초", None),
        ("상담 시간", None),
        ("duration", None),
        ("minutes", None),
    ],
)
def test_a_column_that_names_another_unit_than_seconds_is_doubted_until_the_mapping_says_its_unit(
    column: str, unit: str | None
) -> None:
    def doubts(spec: Any) -> list[str]:
        return RowRecipe(parse({"touchpoints": [{"fields": {**MINIMAL, "wait_s": spec}}]})).doubts

    assert [f"say `unit: {unit}` of `wait_s`" in text for text in doubts(f"{{{column}}}")] == [True] * bool(unit)
    assert len(doubts({"column": column})) == bool(unit)
    assert doubts({"column": column, "unit": "s"}) == []


def test_date_and_time_in_two_columns_are_a_template_with_a_format() -> None:
    apart = {"x": "22.11.2026", "y": "09:15"}
    spec = {"template": "{x} {y}", "format": "%d.%m.%Y %H:%M"}
    assert made({"occurred_at": spec}, apart)["occurred_at"] == "2026-11-22T00:15:00Z"
    assert (
        made({"occurred_at": "{x} {y}"}, {"x": "2026-11-22", "y": "09:15:00"})["occurred_at"] == "2026-11-22T00:15:00Z"
    )
    assert complaint({"occurred_at": spec}, {"x": "22.11.2026"}).column == "x, y"
    with pytest.raises(MappingFileError, match="`column` or `template`"):
        tried({"occurred_at": {"format": "iso", "column": "x", "template": "{y}"}}, {})


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2026-11-22T09:15:00", "iso"),
        ("2026. 11. 22. 오전 9:15", "iso"),
        ("2026년 11월 22일 9시 15분", "iso"),
        ("2026/11/22 9:15", "iso"),
        ("20261122091500", "iso"),
        ("2026-11-22 00:15:00 UTC", "iso"),
        ("2026-11-22 01:15:00 +0100", "iso"),
        ("22.11.2026 09:15", "%d.%m.%Y %H:%M"),
        ("11/22/2026 9:15 AM", "%m/%d/%Y %I:%M %p"),
        ("22/11/2026 오전 9:15", "%d/%m/%Y %p %I:%M"),
        ("Nov 22, 2026 09:15", "%b %d, %Y %H:%M"),
        ("1795306500", "epoch_s"),
        ("1795306500000", "epoch_ms"),
        ("46348.385416667", "excel"),
    ],
)
def test_times_are_read_as_they_are_written_here_and_there(text: str, form: str) -> None:
    spec = {"occurred_at": {"column": "x", "format": form}}
    assert made(spec, {"x": text})["occurred_at"] == "2026-11-22T00:15:00Z"
    if form != "iso":
        assert f'`format: "{form}"`' in complaint({"occurred_at": "{x}"}, {"x": text}).message


def test_a_noon_and_a_midnight_are_told_apart() -> None:
    for text, hour in (("2026. 11. 22. 오후 12:05", 3), ("2026. 11. 22. 오후 2:05", 5), ("2026-11-23 오전 12:05", 15)):
        assert made({"occurred_at": "{x}"}, {"x": text})["occurred_at"] == f"2026-11-22T{hour:02}:05:00Z"


def test_a_day_and_a_month_that_may_change_places_are_both_offered() -> None:
    message = complaint({"occurred_at": "{x}"}, {"x": "05/06/2026"}).message
    assert '`format: "%d/%m/%Y"` or `format: "%m/%d/%Y"`' in message


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2026-11", "%Y-%m"),
        ("2026/7", "%Y/%m"),
        ("202611", "%Y%m"),
        ("2026년 7월", "%Y년 %m월"),
        ("2026年11月", "%Y年%m月"),
    ],
)
def test_a_month_without_a_day_is_reported_with_its_format(text: str, form: str) -> None:
    assert f'`format: "{form}"`' in complaint({"occurred_at": "{x}"}, {"x": text}).message
    assert made({"occurred_at": {"column": "x", "format": form}}, {"x": text})["occurred_at"].startswith("2026-")


def test_day_and_month_may_not_change_places_within_a_column() -> None:
    spec = {"occurred_at": {"column": "x", "format": ["%d/%m/%Y", "%m/%d/%Y"]}}
    with pytest.raises(MappingFileError, match="reads 05/06 as two days: keep '%d/%m/%Y' or '%m/%d/%Y'"):
        tried(spec, {"x": "05/06/2026"})


def test_one_column_may_have_several_formats() -> None:
    spec = {"occurred_at": {"column": "x", "format": ["%d.%m.%Y %H:%M", "%d.%m.%Y"]}}
    assert made(spec, {"x": "22.11.2026"})["occurred_at"] == "2026-11-21T15:00:00Z"
    assert made(spec, {"x": "22.11.2026 09:15"})["occurred_at"] == "2026-11-22T00:15:00Z"


@pytest.mark.parametrize(
    ("text", "decimal", "amount"),
    [
        ("129,000원", ".", 129_000),
        ("₩129,000", ".", 129_000),
        ("$1,234.50", ".", 1234.5),
        ("1.234,56 €", ",", 1234.56),
        ("1 234 567,5", ",", 1_234_567.5),
        ("-12,5", ",", -12.5),
        ("9007199254740991", ".", 9007199254740991),
        ("１２", ".", 12),
    ],
)
def test_numbers_are_read_with_their_groups_fractions_and_currencies(text: str, decimal: str, amount: float) -> None:
    fields = {"value": {"amount": "{x}", "currency": "KRW"}}
    if abs(amount) < 1e12:
        assert made(fields, {"x": text}, decimal=decimal)["value"]["amount"] == amount
    spec = {"attributes": {"n": {"column": "x", "number": True, "decimal": decimal}}}
    assert made(spec, {"x": text})["attributes"]["n"] == amount


def test_a_score_an_amount_or_an_identifier_that_the_row_does_not_give_is_left_out() -> None:
    fields = {
        "score": {"metric": "ces", "value": "{x}", "scale": 7},
        "value": {"amount": "{x}", "currency": "KRW"},
        "customer": {"customer_id": "{who}", "phone": {"value": "{x}", "verified": True}},
    }
    document = made(fields, {})
    assert document["customer"] == {"customer_id": "C-9"}
    assert not document.keys() & {"score", "value"}


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("예", True),
        ("아니오", False),
        ("O", True),
        ("X", False),
        ("ja", True),
        ("Nein", False),
        ("WAHR", True),
        ("0", False),
    ],
)
def test_yes_and_no_are_read_in_korean_and_german(text: str, truth: bool) -> None:
    fields = {
        "customer": {"phone": {"value": "010-0000-8841", "verified": "{x}"}},
        "attributes": {"vip": {"column": "x", "boolean": True}},
    }
    document = made(fields, {"x": text})
    assert document["customer"]["phone"]["verified"] is truth
    assert document["attributes"] == {"vip": truth}
    recipe = RowRecipe(parse({"touchpoints": [{"when": {"x": truth}, "fields": MINIMAL}]}))
    assert len(recipe.touchpoints(2, {**ROW, "x": text})[0]) == 1


def grouped(path: Path, **mapping: Any) -> tuple[list[str], ProblemGroups]:
    """When touchpoints occurred, and what is wrong with the others."""
    times, groups = [], ProblemGroups()
    for _, (documents, problems) in make(
        ImportFile(path=path, mapping=parse({"touchpoints": [{"fields": MINIMAL}], **mapping}))
    ):
        times += [document["occurred_at"] for document in documents]
        for problem in problems:
            groups(problem)
    return times, groups


def test_a_year_that_is_not_taken_is_reported_as_such_once_with_a_count_and_a_shift_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "moved.csv"
    path.write_text("case,at,who\na,1980-01-05T09:15:00Z,C\nb,1980-02-28T09:15:00Z,C\nc,1981-03-01T10:15:00Z,C\n")
    _, groups = grouped(path)
    assert [(group.first.code, group.count, group.message) for group in groups.worst()] == [
        ("year_out_of_range", 3, "the year is 1980–1981; Waymark takes 2000 to 2100")
    ]
    assert groups.worst()[0].first.column == "at"
    assert grouped(path, shift="46y")[0][:2] == ["2026-01-05T09:15:00Z", "2026-02-28T09:15:00Z"]


def test_a_shift_keeps_every_interval_and_every_hour(tmp_path: Path) -> None:
    from datetime import datetime, timedelta

    path = tmp_path / "moved.csv"
    path.write_text("case,at,who\na,1980-02-28T23:00:00Z,C\nb,1980-02-29T23:00:00Z,C\nc,1980-03-01T01:00:00Z,C\n")
    for shift in ("46y", "16801d", "to 2026-11-22", "2400w 1d"):
        first, second, third = (datetime.fromisoformat(text) for text in grouped(path, shift=shift)[0])
        assert (second - first, third - second) == (timedelta(hours=24), timedelta(hours=2))
        assert first.hour == 23
    assert grouped(path, shift="to 2026-11-22")[0][-1] == "2026-11-22T01:00:00Z"
    with pytest.raises(MappingFileError, match="`shift` is a span like 46y"):
        grouped(path, shift="later")


@pytest.mark.parametrize("value", [7, "soon"])
def test_a_time_from_a_table_that_is_none_is_a_problem_of_its_row_also_with_a_shift(value: object) -> None:
    fields = {**MINIMAL, "occurred_at": {"column": "x", "map": {"a": value}}}
    recipe = RowRecipe(parse({"shift": "to 2026-11-22", "touchpoints": [{"fields": fields}]}))
    assert recipe.times({**ROW, "x": "a"}) == []


def test_a_native_touchpoint_of_another_age_is_reported_by_its_year(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"id":"1","occurred_at":"1970-01-05T09:15:00Z","channel":"web","kind":"k","customer":{"cookie":"c"}}\n'
    )
    [(_, (_, [problem]))] = make(ImportFile(path=path))
    assert (problem.code, problem.field, problem.year) == ("year_out_of_range", "occurred_at", 1970)
