from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.ingest.forms.mapping.faults import MappingFileError
from waymark.imports.mapping.mapping_file import load, parse
from waymark.imports.mapping.recipe import RowRecipe
from waymark.imports.run import ImportFile, make

EXAMPLES = Path(__file__).parents[3] / "examples"
MINIMAL: dict[str, Any] = {
    "id": "{case}",
    "occurred_at": "{at}",
    "channel": "phone",
    "kind": "case_opened",
    "customer": {"customer_id": "{who}"},
}
ROW = {"case": "T-1", "at": "2026-11-22 09:15:00", "who": "C-9", "state": "open", "wait": "1,412", "n": "3", "note": ""}


def made(fields: Mapping[str, Any], row: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """The one touchpoint that a row becomes by these fields."""
    recipe = RowRecipe(parse({"touchpoints": [{"fields": {**MINIMAL, **fields}}], **more}))
    documents, problems = recipe.touchpoints(2, {**ROW, **(row or {})})
    assert problems == []
    return documents[0]


def complaint(fields: Mapping[str, Any], row: Mapping[str, str] | None = None) -> str:
    """What is wrong with the row by these fields."""
    recipe = RowRecipe(parse({"touchpoints": [{"fields": {**MINIMAL, **fields}}]}))
    documents, problems = recipe.touchpoints(7, {**ROW, **(row or {})})
    assert documents == []
    assert [problem.line for problem in problems] == [7]
    return f"{problems[0].field}: {problems[0].message}"


def refusal(document: Any) -> list[str]:
    """What is wrong with the mapping itself."""
    with pytest.raises(MappingFileError) as caught:
        RowRecipe(parse(document))
    return caught.value.problems


def test_a_time_without_an_offset_is_in_the_mapping_s_zone() -> None:
    assert made({})["occurred_at"] == "2026-11-22T00:15:00Z"
    assert made({}, timezone="Europe/Rome")["occurred_at"] == "2026-11-22T08:15:00Z"
    assert made({}, {"at": "2026-11-22T09:15:00+01:00"})["occurred_at"] == "2026-11-22T08:15:00Z"


@pytest.mark.parametrize(
    ("form", "text"),
    [("%d.%m.%Y %H:%M", "22.11.2026 09:15"), ("epoch_s", "1795306500"), ("epoch_ms", "1795306500000")],
)
def test_times_are_read_in_the_format_that_the_mapping_names(form: str, text: str) -> None:
    spec = {"occurred_at": {"column": "at", "format": form, "zone": "Asia/Seoul"}}
    assert made(spec, {"at": text})["occurred_at"] == "2026-11-22T00:15:00Z"


def test_a_template_joins_columns_and_an_empty_column_leaves_the_field_out() -> None:
    document = made({"id": "{case}-{n}", "text": "{note}", "refs": {"case_id": "{case}", "order_id": "{note}"}})
    assert document["id"] == "T-1-3"
    assert document["refs"] == {"case_id": "T-1"}
    assert "text" not in document


def test_doubled_braces_stand_for_themselves() -> None:
    assert made({"reason": "{{{state}}}"})["reason"] == "{open}"


def test_numbers_are_numbers_where_the_contract_wants_them() -> None:
    document = made({"wait_s": "{wait}", "sequence": {"column": "n", "add": 1}, "queue": "{n}"})
    assert (document["wait_s"], document["sequence"], document["queue"]) == (1412, 4, "3")


def test_a_value_map_translates_and_may_say_what_happens_otherwise() -> None:
    spec = {"column": "state", "map": {"open": "case_opened"}, "otherwise": "case_noted"}
    assert made({"kind": spec})["kind"] == "case_opened"
    assert made({"kind": spec}, {"state": "odd"})["kind"] == "case_noted"


def test_every_touchpoint_of_an_import_is_a_replay() -> None:
    assert made({})["replay"] is True


def test_members_of_the_defaults_stay_unless_they_are_replaced() -> None:
    document = made({"refs": {"order_id": "A-1"}}, defaults={"refs": {"case_id": "{case}"}, "agent": "a-1"})
    assert document["refs"] == {"case_id": "T-1", "order_id": "A-1"}
    assert document["agent"] == "a-1"
    assert "agent" not in made({"agent": None}, defaults={"agent": "a-1"})


def test_a_row_becomes_every_touchpoint_whose_conditions_hold() -> None:
    entries = [
        {"when": {"n": 3}, "fields": MINIMAL},
        {"when": {"n": [3, 4], "state": {"none_of": ["closed"]}}, "fields": {**MINIMAL, "id": "{case}/b"}},
        {"when": {"note": {"empty": True}}, "fields": {**MINIMAL, "id": "{case}/c"}},
        {"when": {"n": 4}, "fields": {**MINIMAL, "id": "{case}/d"}},
        {"when": {"state": {"one_of": ["closed"]}}, "fields": {**MINIMAL, "id": "{case}/e"}},
    ]
    documents, problems = RowRecipe(parse({"touchpoints": entries})).touchpoints(2, ROW)
    assert [document["id"] for document in documents] == ["T-1", "T-1/b", "T-1/c"]
    assert problems == []


@pytest.mark.parametrize(
    ("fields", "row", "told"),
    [
        ({}, {"at": "yesterday"}, "column 'at' is not a time of the format 'iso'"),
        ({"wait_s": "{wait}"}, {"wait": "long"}, "not a number"),
        ({"sequence": "{n}"}, {"n": "1.5"}, "not a whole number"),
        ({"kind": {"column": "state", "map": {"closed": "case_closed"}}}, {}, "`map` does not know"),
        ({}, {"who": ""}, "customer"),
        ({"channel": "{state}"}, {"state": "fax"}, "channel"),
    ],
)
def test_a_bad_row_is_reported_by_line_and_field_and_never_quoted(
    fields: dict[str, Any], row: dict[str, str], told: str
) -> None:
    said = complaint(fields, row)
    assert told in said
    assert not any(value and value in said for value in row.values())


def test_a_mapping_lists_all_that_is_wrong_with_it() -> None:
    fields = {"id": "{case}", "ocurred_at": "{at}", "channel": "phone", "kind": "x", "customer": {"phone": "{p}"}}
    assert refusal({"touchpoints": [{"fields": fields}]}) == [
        "touchpoints[0]: `occurred_at` is missing",
        "touchpoints[0]: there is no field `ocurred_at`; did you mean `occurred_at`?",
    ]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"touchpoints": []}, "empty"),
        ({"touchpoint": []}, "touchpoint"),
        ({"touchpoints": [{"fields": {**MINIMAL, "refs": "{case}"}}]}, "say its members"),
        ({"touchpoints": [{"fields": {**MINIMAL, "id": "{case"}}]}, "brace"),
        ({"touchpoints": [{"fields": {**MINIMAL, "wait_s": "long"}}]}, "wants a number"),
        ({"touchpoints": [{"fields": MINIMAL}], "timezone": "Asia/Seul"}, "no time zone 'Asia/Seul'"),
        ({"touchpoints": [{"fields": {**MINIMAL, "kind": {"column": "a", "mapp": {}}}}]}, "mapp"),
        ("nonsense", "Expected"),
    ],
)
def test_a_mapping_that_means_nothing_is_refused(document: Any, told: str) -> None:
    assert any(told in problem for problem in refusal(document))


def test_a_file_without_the_columns_of_the_mapping_is_refused() -> None:
    recipe = RowRecipe(parse({"touchpoints": [{"when": {"seq": 0}, "fields": MINIMAL}]}))
    with pytest.raises(MappingFileError) as caught:
        recipe.require(["case", "at"])
    assert caught.value.problems == ["the file has no columns 'seq', 'who'; it has: case, at"]


def test_blanks_around_a_value_hide_it_from_no_map_and_no_condition() -> None:
    channel = {"column": "via", "map": {"전화": "phone", " fax ": "mail"}, "otherwise": "web"}
    fields = {**MINIMAL, "channel": channel}
    row = {"case": "1", "at": "2026-11-22T09:15:00Z", "who": "C-1"}

    def channels(text: str, when: Any) -> list[str]:
        recipe = RowRecipe(parse({"touchpoints": [{"when": {"via": when}, "fields": fields}]}))
        return [document["channel"] for document in recipe.touchpoints(2, {**row, "via": text})[0]]

    for text, found in ((" 전화 ", "phone"), ("전화\u3000", "phone"), (" fax ", "mail"), ("대면", "web")):
        assert channels(text, {"none_of": ["문서"]}) == [found]
    for wanted in ("전화", ["전화"], {"one_of": ["전화"]}):
        assert channels(" 전화 ", wanted) == ["phone"]
    assert channels(" 전화 ", {"none_of": ["전화"]}) == []


def test_a_mapping_that_is_not_yaml_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text("touchpoints: [")
    with pytest.raises(MappingFileError, match=r"(?s)mapping\.yaml.*line 1"):
        load(path)


@pytest.mark.parametrize("name", ["helpdesk/mapping.yaml", "helpdesk/mapping-with-reason.yaml"])
def test_the_example_mappings_are_good(name: str) -> None:
    RowRecipe(load(EXAMPLES / name))


def test_the_call_centre_example_becomes_two_touchpoints_a_call_without_a_problem() -> None:
    folder = EXAMPLES / "callcentre"
    lines = list(make(ImportFile(path=folder / "calls.csv", mapping=load(folder / "mapping.yaml"))))
    assert [problems for _, (_, problems) in lines] == [[]] * 6
    first, second = lines[1][1][0]
    assert (first["id"], second["id"]) == ("2026112200031/start", "2026112200031/end")
    assert first["occurred_at"] == "2026-11-20T01:05:02Z"
    assert first["customer"] == {"phone": "010-8765-1234"}
    assert (second["wait_s"], second["transfers"], second["reason"]) == (415, 2, "delivery")
