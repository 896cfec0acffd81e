"""Paths, templates, lookups, numbers, times and conditions, each by what it makes of an event."""

from dataclasses import replace
from typing import Any

import pytest

from services.ingest.forms.mapping.conditions import compile_condition
from services.ingest.forms.mapping.definitions import EventCondition, Wanted
from services.ingest.forms.mapping.faults import MappingRuleError, UnreadableValueError
from services.ingest.forms.mapping.values import compile_template
from services.ingest.forms.webhooks.delivery import InboundDelivery
from services.ingest.forms.webhooks.mapping.compiler import compile_member
from services.ingest.forms.webhooks.mapping.event_paths import EventContext, compile_event_path
from tests.unit.ingest.webhooks.deliveries import NOW

EVENT: dict[str, Any] = {
    "a": {"b": [{"c": 1}, {"c": 2, "kind": "x"}], "d-e": "dash", "x.y": "dotted"},
    "list": ["first", "last"],
    "empty": "",
    "null": None,
    "no": False,
    "n": 2.0,
    "big": 9007199254740993,
    "html": "<p>안녕하세요 <b>고객</b>님<br/>감사 &amp; 안녕</p>",
}
VIEW = EventContext(
    event=EVENT,
    whole={"event": EVENT, "team": "t-1"},
    delivery=InboundDelivery(headers={"x-id": "h-1"}, body=b"{}", query="q=1&q=2&k=%ED%95%9C"),
    received_at=NOW,
    raw=b"{}",
    at=3,
    options={"greeting": "hi"},
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b[0].c", 1),
        ("a.b[-1].c", 2),
        ("a.b[kind=x].c", 2),
        ("a.b[c=1].c", 1),
        ("a.b[kind=none].c", None),
        ("a.b[9].c", None),
        ("a.d-e", "dash"),
        ('a."x.y"', "dotted"),
        ("list[0]", "first"),
        ("list.x", None),
        ("a[0]", None),
        ("null.x", None),
        ("nothing.at.all", None),
        ("@header.X-Id", "h-1"),
        ("@header.X-Other", ""),
        ("@query.q", "1"),
        ("@query.k", "한"),
        ("@query.none", None),
        ("@body.team", "t-1"),
        ("@option.greeting", "hi"),
        ("@received_at", NOW),
        ("@each.x", None),
        ("a.b[kind=y|X].c", 2),
        ("a.b[1][kind=x].c", 2),
        ("a.b[0][kind=x].c", None),
        ("a.b[].c", [1, 2]),
        ("a.b[only].c", None),
        ("list[]", ["first", "last"]),
        ("@received_ms", int(NOW.timestamp() * 1000)),
        ("@index", 3),
        ("@digest", "b64ae7b6f7d8e1f29a4b4a4a1bca1d6a"),
    ],
)
def test_a_path_finds_what_stands_there(path: str, value: object) -> None:
    found = compile_event_path(path)(VIEW)

    assert found == value or (path == "@digest" and isinstance(found, str) and len(found) == 32)


@pytest.mark.parametrize(
    "path", ["", "a..b", ".a", "a.", "a[", "a[x]", "a b", "a{b}", "@", "@what", "@header", "@digest.x", "a]b"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(MappingRuleError):
        compile_event_path(path)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("plain", "plain"),
        ("{list[0]}-{list[1]}", "first-last"),
        ("{n}", "2"),
        ("{big}", "9007199254740993"),
        ("{no}", "false"),
        ("{{x}}", "{x}"),
        ("{list[0]}/{empty}", None),
        ("{list[0]}/{null}", None),
        ("{list[0]}/{nothing}", None),
    ],
)
def test_a_template_is_filled_or_left_out_whole(text: str, made: str | None) -> None:
    assert compile_template(text, compile_event_path)(VIEW) == made


@pytest.mark.parametrize(
    ("spec", "name", "made"),
    [
        ("constant", "kind", "constant"),
        (5, "score.scale", 5),
        ({"path": ["nothing", "empty", "list[1]"]}, "agent", "last"),
        ({"path": "html", "html": True}, "text", "안녕하세요 고객님\n감사 & 안녕"),
        ({"path": "list[0]", "pattern": "^(f.)"}, "reason", "fi"),
        ({"path": "list[0]", "pattern": "^(x)"}, "reason", None),
        ({"path": "list[0]", "map": {"FIRST": "one"}}, "outcome", "one"),
        ({"path": "list[0]", "map": {"x": 1}, "otherwise": None}, "outcome", None),
        ({"path": "list[0]", "map": {"x": 1}, "otherwise": "other"}, "outcome", "other"),
        ({"path": "empty", "map": {"x": 1}, "otherwise": "other"}, "outcome", None),
        ({"path": "n"}, "duration_s", 2),
        ({"path": "n", "times": 0.001}, "duration_s", 0.002),
        ("{n}", "wait_s", 2),
        ({"path": "n"}, "queue", "2"),
        ({"path": "n"}, "attributes.n", 2.0),
        ({"path": "no"}, "attributes.flag", False),
        ({"value": {"path": "n"}, "verified": True}, "customer.phone", {"value": "2", "verified": True}),
        ({"amount": {"path": "n"}, "currency": "KRW"}, "value", {"amount": 2, "currency": "KRW"}),
        ({"template": "{nothing}"}, "agent", None),
        ({"path": "@received_at"}, "occurred_at", None),  # the same when it comes again: its receipt stands in later
        ({"path": ["none", "@received_at"]}, "occurred_at", None),
        ({"path": "@received_at"}, "due_at", "2026-11-22T00:15:00Z"),
        ({"template": ["{none}/x", "{a.b[0].c}/y"]}, "id", "1/y"),
        ({"path": ["list[0]", "list[1]"], "pattern": "^(l.*)"}, "reason", "last"),  # the first that gives a value
        ({"path": ["list[0]", "list[1]"], "map": {"last": "x"}}, "outcome", "x"),
        ({"path": ["html", "n"]}, "wait_s", 2),
        ({"path": "a.b[].c", "sum": True}, "value.amount", 3),
        ({"path": "a.b[][kind=x].c", "sum": True}, "value.amount", 2),
        ({"path": "a.b[].none", "sum": True}, "value.amount", None),
    ],
)
def test_a_value_is_made_as_its_member_wants_it(spec: object, name: str, made: object) -> None:
    assert compile_member(spec, name)(VIEW) == made


@pytest.mark.parametrize(
    ("text", "form", "zone", "moment"),
    [
        ("2026-11-22T09:15:00+09:00", "iso", "UTC", "2026-11-22T00:15:00Z"),
        ("2026-11-22T09:15:00", "iso", "Asia/Seoul", "2026-11-22T00:15:00Z"),
        ("1795306500", "s", "UTC", "2026-11-22T00:15:00Z"),
        ("1795306500.5", "s", "UTC", "2026-11-22T00:15:00.500000Z"),
        ("1795306500123", "ms", "UTC", "2026-11-22T00:15:00.123000Z"),
        ("Sun, 22 Nov 2026 09:15:00 +0900", "rfc2822", "UTC", "2026-11-22T00:15:00Z"),
        ("20261122091500", "%Y%m%d%H%M%S", "Asia/Seoul", "2026-11-22T00:15:00Z"),
    ],
)
def test_a_time_is_read_in_every_way_that_vendors_write_it(text: str, form: str, zone: str, moment: str) -> None:
    view = EventContext(event={"at": text}, whole=None, delivery=VIEW.delivery, received_at=NOW)

    assert compile_member({"path": "at", "time": form, "zone": zone}, "occurred_at")(view) == moment


@pytest.mark.parametrize("form", ["iso", "s", "ms", "rfc2822", "%Y"])
@pytest.mark.parametrize("text", ["yesterday", "9" * 30, "-", "NaN", "inf", "0001-01-01T00:00:00+09:00"])
def test_what_is_no_time_is_a_problem_that_does_not_quote_it(text: str, form: str) -> None:
    view = EventContext(event={"at": text}, whole=None, delivery=VIEW.delivery, received_at=NOW)
    with pytest.raises(UnreadableValueError) as caught:
        compile_member({"path": "at", "time": form}, "occurred_at")(view)

    assert text not in str(caught.value).replace("-", "", 1) or text == "-"


def test_seconds_between_two_times_are_left_out_where_one_is_missing_or_they_run_back() -> None:
    def between(start: str | None, end: str) -> object:
        view = EventContext(event={"a": start, "b": end}, whole=None, delivery=VIEW.delivery, received_at=NOW)
        return compile_member({"path": "b", "since": "a"}, "wait_s")(view)

    assert between("2026-11-22T00:00:00Z", "2026-11-22T00:00:01.5Z") == 1.5
    assert between(None, "2026-11-22T00:00:01Z") is None
    assert between("2026-11-22T00:00:02Z", "2026-11-22T00:00:01Z") is None


@pytest.mark.parametrize("number", ["many", "", "1,5x", "NaN", "inf", "1e999"])
def test_what_is_no_number_is_never_taken_for_one(number: str) -> None:
    view = EventContext(event={"n": number}, whole=None, delivery=VIEW.delivery, received_at=NOW)
    make = compile_member({"path": "n"}, "wait_s")

    if not number:
        assert make(view) is None
        return
    with pytest.raises(UnreadableValueError):
        make(view)


def test_a_text_that_is_too_long_is_cut() -> None:
    view = EventContext(event={"t": "가" * 9000}, whole=None, delivery=VIEW.delivery, received_at=NOW)

    assert compile_member("{t}", "text")(view) == "가" * 8192


@pytest.mark.parametrize(
    ("path", "wanted", "holds"),
    [
        ("list[0]", "FIRST", True),
        ("list[0]", ["x", "first"], True),
        ("list[0]", "last", False),
        ("no", False, True),
        ("no", "false", True),
        ("nothing", None, True),
        ("empty", None, True),
        ("nothing", "", True),
        ("n", 2, True),
        ("list[0]", EventCondition(one_of=("first",)), True),
        ("list[0]", EventCondition(none_of=("first",)), False),
        ("nothing", EventCondition(none_of=("first",)), True),
        ("list[0]", EventCondition(exists=True), True),
        ("empty", EventCondition(exists=True), False),
        ("empty", EventCondition(exists=False), True),
        ("list[0]", EventCondition(starts_with="FI", ends_with="ST"), True),
        ("list[0]", EventCondition(starts_with="la"), False),
        ("n", EventCondition(at_least=2), True),
        ("n", EventCondition(at_least=2.1), False),
        ("list[0]", EventCondition(at_least=0), False),
        ("list[0]", EventCondition(same_as="list[0]"), True),
        ("list[0]", EventCondition(same_as="list[1]"), False),
        ("empty", EventCondition(same_as="empty"), False),
        ("list[0]", EventCondition(differs_from="list[1]"), True),
        ("list[0]", EventCondition(differs_from="nothing"), False),
    ],
)
def test_a_condition_holds_or_not(path: str, wanted: Wanted, holds: bool) -> None:
    assert compile_condition({path: wanted}, compile_event_path)(VIEW) is holds


@pytest.mark.parametrize(
    ("header", "listed", "holds"),
    [
        ("agent@shop.example.com", "@shop.example.com", False),
        ("Agent <AGENT@Shop.Example.com>", "a@example.com, @shop.example.com", False),
        ('"c@example.com via list" <agent@shop.example.com>', "@shop.example.com", False),
        ("agent@partner.example.com", "agent@partner.example.com", False),
        ("c@partner.example.com", "agent@partner.example.com", True),
        ("c@myshop.example.com", "@shop.example.com", True),
        ("c@shop.example.com.example.org", "@shop.example.com", True),
        ("c@example.com", "", True),
        ("", "@shop.example.com", True),
        ("no address", "no address", True),
    ],
)
def test_an_address_stands_in_a_list_by_itself_or_by_its_domain(header: str, listed: str, holds: bool) -> None:
    view = replace(VIEW, event={"from": header}, options={"staff": listed})

    assert compile_condition({"from": EventCondition(not_in="@option.staff")}, compile_event_path)(view) is holds


@pytest.mark.parametrize(
    ("header", "recipient", "holds"),
    [
        ("c@example.com", "help@shop.example.com", True),
        ("Shop <noreply@SHOP.example.com>", "help@shop.example.com", False),
        ("noreply@shop.example.com", "", True),
        ("", "help@shop.example.com", True),
    ],
)
def test_an_address_is_of_another_domain_or_not(header: str, recipient: str, holds: bool) -> None:
    view = replace(VIEW, event={"from": header, "recipient": recipient})

    assert compile_condition({"from": EventCondition(other_domain_than="recipient")}, compile_event_path)(view) is holds


def test_a_time_without_a_zone_counts_only_where_somebody_says_the_zone() -> None:
    view = replace(VIEW, event={"local": "2026-11-22T09:15:00", "utc": "2026-11-22T00:20:00Z"}, options={})
    make = compile_member({"path": ["local", "utc"], "zone": "@option.zone"}, "occurred_at")

    assert make(view) == "2026-11-22T00:20:00Z"
    assert make(replace(view, options={"zone": "Asia/Seoul"})) == "2026-11-22T00:15:00Z"
    with pytest.raises(UnreadableValueError, match="the option zone names none"):
        compile_member({"path": "local", "zone": "@option.zone"}, "occurred_at")(view)


def test_all_conditions_must_hold_and_of_several_groups_any() -> None:
    assert compile_condition({}, compile_event_path)(VIEW)
    assert not compile_condition({"list[0]": "first", "n": 3}, compile_event_path)(VIEW)
    assert compile_condition([{"n": 3}, {"list[0]": "first"}], compile_event_path)(VIEW)
    with pytest.raises(MappingRuleError):
        compile_condition({"a..b": 1}, compile_event_path)
