"""`waymark customer`: what the journey API says becomes one story, with every friction in its place."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from schemas.kinds import load as load_kinds
from waymark.cli import app
from waymark.console import CommandError
from waymark.customer import customer_command
from waymark.customer.customer_reading import CustomerReader
from waymark.customer.customer_story import CustomerStory, StoryTeller
from waymark.customer.story_words import ENGLISH, KOREAN, StoryWords
from waymark.journey_api import JourneyApi

BEGAN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
REFERENCE = "phone:+821012345678"

Answering = Callable[[httpx2.Request], httpx2.Response]


def _touchpoint(number: int, hours: float, **members: Any) -> dict[str, Any]:
    return {
        "source": "ivr",
        "id": f"t{number}",
        "occurred_at": (BEGAN + timedelta(hours=hours)).isoformat(),
        "channel": "phone",
        "kind": "call_ended",
        "direction": "inbound",
        "refs": {},
        **members,
    }


TOUCHPOINTS = [
    _touchpoint(0, 0, channel="web", kind="page_viewed", source="web"),
    _touchpoint(1, 1, outcome="unresolved", reason="billing", wait_s=412, transfers=2, text="세 번째\n전화예요"),
    _touchpoint(2, 26, outcome="resolved", reason="billing", queue="billing-ko"),
    _touchpoint(3, 27, channel="email", kind="odd_kind", direction="outbound", sealed_text="wm:…"),
]


def _friction(name: str, evidence: list[str], **members: Any) -> dict[str, Any]:
    return {
        "id": name,
        "rule": "repeat_contact_7d",
        "state": "detected",
        "severity": "medium",
        "title": {"en": "Contacted us again", "ko": "다시 연락함"},
        "explanation": {"en": "Two contacts in 25 hours.", "ko": "25시간 사이에 두 번 연락했습니다."},
        "touchpoints": [{"source": "ivr", "id": one} for one in evidence],
        "occurred_at": BEGAN.isoformat(),
        "detected_at": BEGAN.isoformat(),
        **members,
    }


CUSTOMER = {
    "customer_id": "0d8c3b1e-8a8f-4f64-9a3a-0c2f0d1a7b11",
    "identifiers": [
        {"type": "email", "value": "minseo@mail.example", "verified": False},
        {"type": "phone", "value": "+821012345678", "verified": True},
    ],
    "service_level": "premium",
    "merged_from": ["a"],
    "effort": 35.5,
    "journeys": [
        {
            "id": "j",
            "state": "open",
            "touchpoint_count": 3,
            "contact_count": 2,
            "effort": 35.5,
            "opened_at": BEGAN.isoformat(),
            "last_at": BEGAN.isoformat(),
            "reason": "billing",
            "outcome": "resolved",
            "refs": {"case_id": "T-77"},
        }
    ],
    "frictions": [_friction("late one", ["t1", "t2"]), _friction("gone", ["t1"], state="retracted")],
    "first_seen_at": BEGAN.isoformat(),
    "last_seen_at": (BEGAN + timedelta(hours=27)).isoformat(),
    "a member of a later release": 1,
}


WHY: dict[str, Any] = {
    "held_by": [
        {
            "one": "email:minseo@mail.example",
            "other": "phone:+821012345678",
            "trust": "verified",
            "seen_at": BEGAN.isoformat(),
            "source": "ivr",
            "touchpoint_id": "t1",
            "refusal": None,
        }
    ],
    "refused": [],
}
CONTACTS: dict[str, Any] = {
    "contacts": [
        {
            "channel": "messenger",
            "contacted_at": (BEGAN + timedelta(hours=26)).isoformat(),
            "outcome": "resolved",
            "reason": "billing",
            "turn_count": 3,
            "first_reply_after_s": 41.5,
            "handed_over_at": (BEGAN + timedelta(hours=27)).isoformat(),
        },
        {"channel": "phone", "contacted_at": (BEGAN + timedelta(hours=1)).isoformat(), "turn_count": 0, "wait_s": 412},
    ]
}


def _api(request: httpx2.Request) -> httpx2.Response:
    """The journey API with one customer; pages of the timeline are as long as asked for, newest first."""
    if request.url.path.endswith("/why"):
        return httpx2.Response(200, json=WHY)
    if request.url.path.endswith("/contacts"):
        return httpx2.Response(200, json=CONTACTS)
    if not request.url.path.endswith("/timeline"):
        return httpx2.Response(200, json=CUSTOMER)
    assert request.url.params["order"] == "newest_first"
    first = int(request.url.params.get("cursor", "0"))
    end = first + int(request.url.params["limit"])
    page: dict[str, Any] = {"touchpoints": TOUCHPOINTS[::-1][first:end], "journeys": [], "frictions": []}
    return httpx2.Response(200, json=page | ({"next_cursor": str(end)} if end < len(TOUCHPOINTS) else {}))


def _reader(api: Answering = _api) -> CustomerReader:
    client = httpx2.Client(transport=httpx2.MockTransport(api))
    return CustomerReader(api=JourneyApi(url="http://api.test", key="wm_reader_x", client=client))


def _story(words: StoryWords, last: int | None = None, api: Answering = _api) -> CustomerStory:
    return StoryTeller(words=words, kinds=load_kinds(), zone=UTC).tell(_reader(api).read(REFERENCE, last))


def _api_with(**members: Any) -> Answering:
    """The journey API, whose customer has these members."""

    def api(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith(("/timeline", "/why", "/contacts")):
            return _api(request)
        return httpx2.Response(200, json=CUSTOMER | members)

    return api


def test_the_opening_says_who_it_is_and_how_things_stand() -> None:
    assert _story(ENGLISH).opening == (
        "Known by email minseo@mail.example, phone +821012345678 (verified).",
        "  email minseo@mail.example is phone +821012345678: verified, on 20 Nov 2026, ivr t1",
        "1 other customer turned out to be this same person.",
        "Premium service. Seen from 20 Nov 2026 to 21 Nov 2026.",
        "Effort now 35.5 of 100, that of the hardest of 1 open journey.",
        "Open journey about billing, case_id T-77: 2 contacts in 3 touchpoints since 20 Nov 2026, resolved, "
        "effort 35.5.",
        "2 contacts:",
        "  21 Nov 2026 11:00 messenger, about billing, resolved, 3 turns, first reply after 42 s, handed over to a "
        "person",
        "  20 Nov 2026 10:00 phone, after a wait of 7 min",
        "1 friction taken back when later data came.",
        "1 friction stands, marked at the touchpoints that show it.",
    )


def test_the_story_is_told_in_korean() -> None:
    story = _story(KOREAN)
    assert story.opening[4] == "지금 노력 점수는 100점 만점에 35.5점입니다(열린 여정 1개 중 가장 힘든 것)."
    assert [moment.sentence for moment in story.moments][1] == (
        "통화 종료, 미해결, 사유 billing, 대기 7분, 상담원 연결 전환 2회"
    )
    assert story.moments[2].pause == "1일 뒤"
    assert story.moments[2].pins == ("① 다시 연락함 (보통): 25시간 사이에 두 번 연락했습니다.",)


ISSUE: dict[str, Any] = {
    "id": "i",
    "state": "open",
    "severity": "high",
    "priority": 72,
    "title": {"en": "Contacted us again", "ko": "다시 연락함"},
    "rules": ["repeat_contact_24h"],
    "count": 2,
    "opened_at": BEGAN.isoformat(),
    "respond_by": (BEGAN + timedelta(hours=1)).isoformat(),
    "team": "billing-ko",
}
TAKEN = ISSUE | {"state": "acknowledged", "priority": None, "owner": "a-31", "held_by": "o", "quiet": True, "count": 1}


def test_open_issues_are_told_with_who_has_them() -> None:
    story = _story(ENGLISH, api=_api_with(issues_from="alerts", issues=[ISSUE, TAKEN]))
    assert story.opening[4:7] == (
        "2 issues are open:",
        "  High, priority 72: Contacted us again, 2 frictions, open since 20 Nov 2026 09:00, with billing-ko, to be "
        "taken by 20 Nov 2026 10:00",
        "  High: Contacted us again, 1 friction, taken since 20 Nov 2026 09:00, with billing-ko, a-31, part of an "
        "outbreak, nobody was told",
    )
    korean = _story(KOREAN, api=_api_with(issues_from="alerts", issues=[ISSUE]))
    assert korean.opening[5] == (
        "  높음, 우선순위 72: 다시 연락함, 불편 2건, 2026년 11월 20일 09:00부터 열림, 담당 billing-ko, "
        "2026년 11월 20일 10:00까지 맡아야 함"
    )


@pytest.mark.parametrize(
    ("issues_from", "said"),
    [
        ("alerts", "No issue is open."),
        ("unreachable", "Which issues are open is not known: the alert service does not answer, or not to this key."),
        ("not_set_up", "Which issues are open is not known: WAYMARK_JOURNEY_API_ALERTS names no alert service."),
    ],
)
def test_the_story_goes_on_where_issues_are_not_known(issues_from: str, said: str) -> None:
    story = _story(ENGLISH, api=_api_with(issues_from=issues_from, issues=[]))
    assert story.opening[4] == said
    assert len(story.moments) == len(TOUCHPOINTS)


PROGRESS: list[dict[str, Any]] = [
    {
        "definition": "delivery",
        "stage": "on_the_way",
        "stage_since": BEGAN.isoformat(),
        "due_at": (BEGAN + timedelta(days=3)).isoformat(),
        "overdue": True,
    },
    {
        "definition": "purchase",
        "stage": "paying",
        "stage_since": BEGAN.isoformat(),
        "end": "reached",
        "ended_at": (BEGAN + timedelta(days=1)).isoformat(),
    },
]


def test_open_journeys_are_told_with_their_stage() -> None:
    api = _api_with(journeys=[CUSTOMER["journeys"][0] | {"progress": PROGRESS}])  # type: ignore[index]  # a literal above
    assert [line for line in _story(ENGLISH, api=api).opening if line.startswith("  ")][1:3] == [
        "  delivery: on the way since 20 Nov 2026, due 23 Nov 2026 09:00, overdue",
        "  purchase: reached its end on 21 Nov 2026, in paying",
    ]
    assert (
        "  delivery: 2026년 11월 20일부터 on the way, 기한 2026년 11월 23일 09:00, 기한 지남"
        in _story(KOREAN, api=api).opening
    )


def test_evidence_is_cut_and_what_is_not_followed_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    link = WHY["held_by"][0]
    word = link | {"trust": "operator", "source": "", "touchpoint_id": ""}
    refused = link | {"other": "device_id:tablet", "refusal": "shared"}
    monkeypatch.setitem(WHY, "held_by", [word, link, link, link, link])
    monkeypatch.setitem(WHY, "refused", [refused])
    story = _story(ENGLISH)
    assert story.opening[1] == "  email minseo@mail.example is phone +821012345678: an operator said so, on 20 Nov 2026"
    assert story.opening[4:6] == (
        "  not taken for one: email minseo@mail.example and device_id tablet, because many people use one of them",
        "  … and 2 pieces of evidence more: waymark identity why email:minseo@mail.example",
    )


def test_why_that_cannot_be_told_spoils_no_story() -> None:
    def api(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(503) if request.url.path.endswith("/why") else _api(request)

    assert _story(ENGLISH, api=api).opening[1].startswith("1 other customer")


def test_moments_stand_oldest_first_with_what_was_said_and_the_friction_where_it_was_completed() -> None:
    story = _story(ENGLISH)
    assert [moment.sentence for moment in story.moments] == [
        "Page viewed",
        "Call ended, unresolved, about billing, after a wait of 7 min, 2 transfers",
        "Call ended, resolved, about billing, with billing-ko",
        "Odd kind, by us",
    ]
    assert [moment.marks for moment in story.moments] == ["", "①", "①", ""]
    assert [moment.quote for moment in story.moments] == [
        "",
        "“세 번째 전화예요”",
        "",
        "[encrypted: waymark privacy open]",
    ]
    assert story.moments[2].pins == ("① Contacted us again (medium): Two contacts in 25 hours.",)
    assert [moment.pause for moment in story.moments] == ["", "", "1 day later", ""]


def test_a_friction_whose_last_touchpoint_is_not_shown_is_told_before_the_moments() -> None:
    story = _story(ENGLISH, last=1)
    assert [moment.sentence for moment in story.moments] == ["Odd kind, by us"]
    assert story.left_out == (
        "Contacted us again (medium), on 20 Nov 2026: Two contacts in 25 hours.",
        "… earlier touchpoints are left out; --timeline shows all",
    )


def test_of_many_earlier_frictions_the_latest_are_told_and_the_others_counted() -> None:
    newest_first = [_friction(f"f{n}", ["t1"], occurred_at=(BEGAN + timedelta(days=n)).isoformat()) for n in range(8)]
    story = _story(KOREAN, 1, _api_with(frictions=newest_first[::-1]))
    assert story.left_out[0] == "… 그보다 앞선 불편 3건은 생략했습니다. 모두 보려면 --timeline"
    assert [line.split("11월 ")[1].split(":")[0] for line in story.left_out[1:6]] == [f"{23 + n}일" for n in range(5)]
    assert len(story.left_out) == 7


@pytest.mark.parametrize("last", [None, 1, 3, 4, 5])
def test_so_many_of_the_latest_are_read_over_any_number_of_pages(
    monkeypatch: pytest.MonkeyPatch, last: int | None
) -> None:
    monkeypatch.setattr("waymark.customer.customer_reading.PAGE", 2)
    answers = _reader().read(REFERENCE, last)
    expected = TOUCHPOINTS if last is None else TOUCHPOINTS[-last:]
    assert [one.id for one in answers.touchpoints] == [one["id"] for one in expected]
    assert answers.earlier is (len(expected) < len(TOUCHPOINTS))


def test_channels_are_lanes_where_there_are_few() -> None:
    lines = [line.plain for line in customer_command.drawn(_story(ENGLISH), ENGLISH)]
    assert lines[1:4] == [
        "web  phone  email",
        " ●     │      │    2026-11-20 09:00  Page viewed",
        " │     ●      │    2026-11-20 10:00  Call ended, unresolved, about billing, after a wait of 7 min, 2 transfers"
        "  ①",
    ]


def test_many_channels_are_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customer_command, "MOST_LANES", 2)
    lines = [line.plain for line in customer_command.drawn(_story(KOREAN), KOREAN)]
    assert lines[1] == "2026-11-20 09:00  웹: 페이지 조회"


def test_a_refusal_is_told_in_the_words_of_the_api() -> None:
    problem = {"code": "customer_unknown", "message": "No touchpoint with this identifier has been seen."}
    with pytest.raises(CommandError, match="No touchpoint with this identifier"):
        _reader(lambda _: httpx2.Response(404, json=problem)).read(REFERENCE, None)
    with pytest.raises(CommandError, match="502"):
        _reader(lambda _: httpx2.Response(502, text="bad gateway")).read(REFERENCE, None)


def test_an_api_that_is_away_is_said_so() -> None:
    def away(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no", request=request)

    with pytest.raises(CommandError, match="does not answer"):
        _reader(away).read(REFERENCE, None)


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_prints_the_story_or_the_document(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    client = httpx2.Client(transport=httpx2.MockTransport(_api))
    monkeypatch.setattr(httpx2, "Client", lambda **_: client)
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    result = CliRunner().invoke(app, ["customer", REFERENCE, "--key", "wm_reader_x", *(["--json"] if as_json else [])])
    assert result.exit_code == 0, result.output
    if as_json:
        document = json.loads(result.output)
        assert document["customer"] == CUSTOMER
        assert document["touchpoints"] == TOUCHPOINTS
        assert (document["why"], document["contacts"]) == (WHY, CONTACTS)
        assert document["earlier"] is False
    else:
        assert "① 다시 연락함 (보통): 25시간 사이에 두 번 연락했습니다." in result.output


def test_the_past_is_asked_for_in_the_time_zone_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def api(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.params.get("as_of"))
        return _api(request)

    client = httpx2.Client(transport=httpx2.MockTransport(api))
    monkeypatch.setattr(httpx2, "Client", lambda **_: client)
    moment = "2026-11-22T09:15:00+09:00"
    result = CliRunner().invoke(app, ["customer", REFERENCE, "--key", "wm_reader_x", "--as-of", moment])
    assert result.exit_code == 0, result.output
    assert {datetime.fromisoformat(one or "") for one in asked} == {datetime.fromisoformat(moment)}
    wrong = CliRunner().invoke(app, ["customer", REFERENCE, "--key", "wm_reader_x", "--as-of", "yesterday"])
    assert isinstance(wrong.exception, CommandError)
    assert wrong.exception.exit_code == 2
