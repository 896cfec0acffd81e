"""The words of a customer's story, in English and Korean."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.vocabulary import CHANNELS_IN_KOREAN


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryWords:
    """The sentences of one language; the braces are filled in by `customer_story`.

    `plurals` turn a number and a word into one phrase. `refusals` say why evidence is not followed.
    """

    language: str
    known_by: str
    verified: str
    same_person: str
    held_by: str
    held_by_word: str
    more_evidence: str
    refused: str
    issues: str
    no_issue: str
    issues_unknown: Mapping[str, str]
    issue: str
    priority: str
    taken: str
    by_when: str
    snoozed: str
    held: str
    quiet: str
    contacts: str
    contact: str
    turns: str
    first_reply: str
    handed_over: str
    stage: str
    stage_due: str
    stage_overdue: str
    ended: str
    moment: str
    seen: str
    effort: str
    no_journey: str
    frictions: str
    retracted: str
    journey: str
    journey_about: str
    earlier: str
    more_earlier: str
    nothing: str
    later: Mapping[str, tuple[str, str]]
    pinned: str
    pinned_earlier: str
    about: str
    queue: str
    wait: str
    hold: str
    transfers: str
    due: str
    by_us: str
    late: str
    sealed: str
    quote: str
    day: str
    levels: Mapping[str, str]
    severities: Mapping[str, str]
    states: Mapping[str, str]
    issue_states: Mapping[str, str]
    ends: Mapping[str, str]
    trusts: Mapping[str, str]
    refusals: Mapping[str, str]
    channels: Mapping[str, str]
    outcomes: Mapping[str, str]
    plurals: Mapping[str, tuple[str, str]]


ENGLISH = StoryWords(
    language="en",
    known_by="Known by {identifiers}.",
    verified="verified",
    same_person="{customers} turned out to be this same person.",
    held_by="  {one} is {other}: {trust}, on {when}, {touchpoint}",
    held_by_word="  {one} is {other}: an operator said so, on {when}",
    more_evidence="  … and {evidence} more: waymark identity why {reference}",
    refused="  not taken for one: {one} and {other}, because {refusal}",
    issues="{issues}:",
    no_issue="No issue is open.",
    issues_unknown={
        "unreachable": "Which issues are open is not known: the alert service does not answer, or not to this key.",
        "not_set_up": "Which issues are open is not known: WAYMARK_JOURNEY_API_ALERTS names no alert service.",
    },
    issue="  {severity}{priority}: {title}, {frictions}, {state} since {since}{about}",
    priority=", priority {priority}",
    taken=", with {who}",
    by_when=", to be taken by {when}",
    snoozed=", snoozed until {when}",
    held=", part of an outbreak",
    quiet=", nobody was told",
    contacts="{contacts}:",
    contact="  {when} {channel}{about}",
    turns="{turns}",
    first_reply="first reply after {time}",
    handed_over="handed over to a person",
    stage="  {definition}: {stage} since {since}{due}",
    stage_due=", due {when}",
    stage_overdue=", overdue",
    ended="  {definition}: {end} on {when}, in {stage}",
    moment="%-d %b %Y %H:%M",
    seen="{level}Seen from {first} to {last}.",
    effort="Effort now {effort:g} of 100, that of the hardest of {journeys}.",
    no_journey="No journey is open.",
    frictions="{frictions}, marked at the touchpoints that show it.",
    retracted="{frictions} taken back when later data came.",
    journey="{state} journey{about}: {contacts} in {touchpoints} since {since}{outcome}, effort {effort:g}.",
    journey_about=" about {what}",
    more_earlier="… {frictions} earlier still; --timeline shows all",
    earlier="… earlier touchpoints are left out; --timeline shows all",
    nothing="No touchpoint is kept.",
    later={"day": ("{n} day later", "{n} days later"), "hour": ("{n} hour later", "{n} hours later")},
    pinned="{marks} {title} ({severity}): {explanation}",
    pinned_earlier="{title} ({severity}), on {when}: {explanation}",
    about="about {reason}",
    queue="with {queue}",
    wait="after a wait of {time}",
    hold="on hold for {time}",
    transfers="{transfers}",
    due="due {when}",
    by_us="by us",
    late="came too late for the rules",
    sealed="[encrypted: waymark privacy open]",
    quote="“{text}”",
    day="%-d %b %Y",
    levels={"basic": "Basic service. ", "enhanced": "Enhanced service. ", "premium": "Premium service. "},
    severities={"low": "low", "medium": "medium", "high": "high", "critical": "critical"},
    states={"open": "Open", "closed": "Closed"},
    issue_states={"open": "open", "acknowledged": "taken"},
    ends={"reached": "reached its end", "abandoned": "given up", "timed_out": "timed out"},
    trusts={"verified": "verified", "asserted": "stated together", "device": "on one device", "operator": "operator"},
    refusals={
        "shared": "many people use one of them",
        "held": "one of them is between customers",
        "separated": "an operator separated them",
        "unique": "one person has only one of these",
        "limit": "one person has fewer of these",
    },
    channels={},
    outcomes={},
    plurals={
        "customers": ("{n} other customer", "{n} other customers"),
        "journeys": ("{n} open journey", "{n} open journeys"),
        "frictions": ("{n} friction", "{n} frictions"),
        "standing": ("{n} friction stands", "{n} frictions stand"),
        "contacts": ("{n} contact", "{n} contacts"),
        "all_contacts": ("{n} contact", "{n} contacts"),
        "latest_contacts": ("The latest contact", "The latest {n} contacts"),
        "issues": ("{n} issue is open", "{n} issues are open"),
        "evidence": ("{n} piece of evidence", "{n} pieces of evidence"),
        "turns": ("{n} turn", "{n} turns"),
        "touchpoints": ("{n} touchpoint", "{n} touchpoints"),
        "transfers": ("{n} transfer", "{n} transfers"),
        "minutes": ("{n} min", "{n} min"),
        "seconds": ("{n} s", "{n} s"),
    },
)

KOREAN = StoryWords(
    language="ko",
    known_by="식별자: {identifiers}",
    verified="확인됨",
    same_person="다른 {customers}이 같은 사람으로 밝혀졌습니다.",
    held_by="  {one} = {other}: {trust}, {when}, {touchpoint}",
    held_by_word="  {one} = {other}: 운영자 지정, {when}",
    more_evidence="  … 근거 {evidence} 더 있음: waymark identity why {reference}",
    refused="  합치지 않음: {one}, {other} ({refusal})",
    issues="열린 이슈 {issues}:",
    no_issue="열린 이슈가 없습니다.",
    issues_unknown={
        "unreachable": "열린 이슈는 알 수 없습니다. 알림 서비스가 응답하지 않거나 이 키를 받지 않습니다.",
        "not_set_up": "열린 이슈는 알 수 없습니다. WAYMARK_JOURNEY_API_ALERTS에 알림 서비스 주소가 없습니다.",
    },
    issue="  {severity}{priority}: {title}, 불편 {frictions}, {since}부터 {state}{about}",
    priority=", 우선순위 {priority}",
    taken=", 담당 {who}",
    by_when=", {when}까지 맡아야 함",
    snoozed=", {when}까지 미룸",
    held=", 동시 다발 이슈에 포함",
    quiet=", 알리지 않음",
    contacts="연락 {contacts}:",
    contact="  {when} {channel}{about}",
    turns="주고받음 {turns}",
    first_reply="첫 답변까지 {time}",
    handed_over="상담원에게 넘김",
    stage="  {definition}: {since}부터 {stage}{due}",
    stage_due=", 기한 {when}",
    stage_overdue=", 기한 지남",
    ended="  {definition}: {when} {stage} 단계에서 {end}",
    moment="%Y년 %-m월 %-d일 %H:%M",
    seen="{level}{first}부터 {last}까지 접점이 있습니다.",
    effort="지금 노력 점수는 100점 만점에 {effort:g}점입니다({journeys} 중 가장 힘든 것).",
    no_journey="열린 여정이 없습니다.",
    frictions="불편 {frictions}이 남아 있으며, 근거가 되는 접점에 표시했습니다.",
    retracted="나중에 온 데이터로 취소된 불편: {frictions}",
    journey="{state} 여정{about}: {since}부터 접점 {touchpoints}, 연락 {contacts}{outcome}. 노력 점수 {effort:g}점.",
    journey_about="({what})",
    more_earlier="… 그보다 앞선 불편 {frictions}은 생략했습니다. 모두 보려면 --timeline",
    earlier="… 이전 접점은 생략했습니다. 모두 보려면 --timeline",
    nothing="남아 있는 접점이 없습니다.",
    later={"day": ("{n}일 뒤", "{n}일 뒤"), "hour": ("{n}시간 뒤", "{n}시간 뒤")},
    pinned="{marks} {title} ({severity}): {explanation}",
    pinned_earlier="{title} ({severity}), {when}: {explanation}",
    about="사유 {reason}",
    queue="담당 {queue}",
    wait="대기 {time}",
    hold="통화 중 대기 {time}",
    transfers="상담원 연결 전환 {transfers}",
    due="기한 {when}",
    by_us="회사에서 보냄",
    late="너무 늦게 와서 규칙이 보지 않음",
    sealed="[암호화됨: waymark privacy open]",
    quote="“{text}”",
    day="%Y년 %-m월 %-d일",
    levels={"basic": "기본 등급 고객. ", "enhanced": "우대 등급 고객. ", "premium": "프리미엄 등급 고객. "},
    severities={"low": "낮음", "medium": "보통", "high": "높음", "critical": "긴급"},
    states={"open": "열린", "closed": "닫힌"},
    issue_states={"open": "열림", "acknowledged": "처리 중"},
    ends={"reached": "끝까지 마침", "abandoned": "그만둠", "timed_out": "기한 초과로 끝남"},
    trusts={"verified": "확인됨", "asserted": "함께 밝힘", "device": "같은 기기", "operator": "운영자"},
    refusals={
        "shared": "여러 사람이 함께 쓰는 식별자",
        "held": "여러 고객 사이에 있는 식별자",
        "separated": "운영자가 분리함",
        "unique": "한 사람에게 하나뿐인 식별자",
        "limit": "한 사람이 갖는 수를 넘음",
    },
    channels=CHANNELS_IN_KOREAN,
    outcomes={
        "resolved": "해결",
        "unresolved": "미해결",
        "abandoned": "중도 포기",
        "failed": "실패",
        "escalated": "상위 이관",
        "completed": "완료",
        "transferred": "전환",
    },
    plurals={
        "customers": ("고객 {n}명", "고객 {n}명"),
        "journeys": ("열린 여정 {n}개", "열린 여정 {n}개"),
        "frictions": ("{n}건", "{n}건"),
        "standing": ("{n}건", "{n}건"),
        "contacts": ("{n}회", "{n}회"),
        "all_contacts": ("{n}회", "{n}회"),
        "latest_contacts": ("(최근 {n}회)", "(최근 {n}회)"),
        "issues": ("{n}건", "{n}건"),
        "evidence": ("{n}건", "{n}건"),
        "turns": ("{n}차례", "{n}차례"),
        "touchpoints": ("{n}건", "{n}건"),
        "transfers": ("{n}회", "{n}회"),
        "minutes": ("{n}분", "{n}분"),
        "seconds": ("{n}초", "{n}초"),
    },
)
