"""What the demo says, in English and Korean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTexts:
    """The sentences of one language."""

    title: str
    language: Literal["en", "ko"]
    people: str
    sent: str
    alerts: str
    outage: str
    waiting: str
    first_alert: str
    nothing_yet: str
    columns: tuple[str, str, str, str]
    done: str
    content: str
    failed: str
    news: Mapping[str, str]
    severity: Mapping[str, str]
    facts: Mapping[str, str]
    day: str
    page: str
    day_facts: Mapping[str, str]
    impact: str
    message: str


ENGLISH = DemoTexts(
    title="Waymark demo: one hour at a Korean retailer",
    language="en",
    people="{people:,} customers, {moments:,} touchpoints, seed {seed}",
    sent="touchpoints accepted, by channel",
    alerts="what the support team hears",
    outage="the card gateway is out",
    waiting="the hour is over; promises that nobody kept show once the stream has passed them",
    first_alert="first verified signed alert {seconds:.1f} s after the demo began",
    nothing_yet="quiet so far",
    columns=("time", "severity", "what happened", "customer's way"),
    done="The hour in numbers",
    content="{share:.0%} of the customers had no trouble, and nobody was told about them.",
    failed="No verified alert arrived. `waymark doctor` may say why; the logs are in {logs}.",
    news={
        "issue.opened": "new",
        "issue.updated": "worse",
        "issue.resolved": "closed",
        "issue.reopened": "again",
        "issue.merged": "merged",
        "issue.withdrawn": "withdrawn",
    },
    severity={"low": "low", "medium": "medium", "high": "high", "critical": "critical"},
    facts={
        "accepted": "touchpoints accepted",
        "applied": "touchpoints applied",
        "first": "first verified signed alert after",
        "memory": "peak memory of everything together",
        "customers": "customers",
        "contacts": "contacts (calls, chats, visits, messages to and fro)",
        "frictions": "frictions found",
        "issues": "issues opened",
        "verified": "alerts delivered, signature verified",
        "repeated": "alerts repeated (same webhook-id)",
        "refused": "alerts with a bad signature",
        "latency": "touchpoint accepted → alert received, p50 / p95",
    },
    day="The team's day",
    page="one page: {customers:,} customers, {frictions:,} frictions, {held:,} issues held",
    day_facts={
        "messages": "messages about something new",
        "cards": "instead of cards, one for each issue of a customer",
        "all": "messages to the team in all: news, what became worse, what ended",
        "acknowledged": "issues taken",
        "escalated": "told to the leaders: nobody had taken them",
        "resolved": "resolved, with an outcome",
        "came_back": "customers who came back after that",
    },
    impact="whether it helped: `waymark impact --at {at}`, once a whole day has passed",
    message="a message as it is read",
)

KOREAN = DemoTexts(
    title="Waymark 데모: 한국 유통사의 한 시간",
    language="ko",
    people="고객 {people:,}명, 접점 {moments:,}건, 시드 {seed}",
    sent="채널별로 접수된 접점",
    alerts="지원팀이 받는 알림",
    outage="카드 결제 장애 중",
    waiting="한 시간이 끝났습니다. 지켜지지 않은 약속은 스트림이 그 시각을 지난 뒤 드러납니다",
    first_alert="데모 시작 {seconds:.1f}초 뒤 첫 서명 알림 검증",
    nothing_yet="아직 조용합니다",
    columns=("시각", "심각도", "무슨 일", "고객이 지나온 길"),
    done="숫자로 보는 한 시간",
    content="고객의 {share:.0%}는 불편이 없었고, 그에 대해서는 아무 알림도 가지 않았습니다.",
    failed="검증된 알림이 오지 않았습니다. `waymark doctor`로 원인을 확인하세요. 로그: {logs}",
    news={
        "issue.opened": "새 이슈",
        "issue.updated": "악화",
        "issue.resolved": "종료",
        "issue.reopened": "재발",
        "issue.merged": "병합",
        "issue.withdrawn": "취소",
    },
    severity={"low": "낮음", "medium": "보통", "high": "높음", "critical": "긴급"},
    facts={
        "accepted": "접수된 접점",
        "applied": "반영된 접점",
        "first": "첫 서명 알림 검증까지",
        "memory": "전체 최대 메모리",
        "customers": "고객",
        "contacts": "연락(전화·채팅·방문·주고받은 메시지)",
        "frictions": "발견된 불편",
        "issues": "열린 이슈",
        "verified": "전달되어 서명이 확인된 알림",
        "repeated": "반복된 알림 (같은 webhook-id)",
        "refused": "서명이 틀린 알림",
        "latency": "접점 접수 → 알림 수신, p50 / p95",
    },
    day="팀의 하루",
    page="알림 한 건: 고객 {customers:,}명, 불편 {frictions:,}건, 묶인 이슈 {held:,}건",
    day_facts={
        "messages": "새 일을 알린 메시지",
        "cards": "고객 이슈마다 카드를 보냈다면",
        "all": "팀이 받은 모든 메시지(새 일, 악화, 종료)",
        "acknowledged": "담당을 정한 이슈",
        "escalated": "아무도 맡지 않아 책임자에게 간 알림",
        "resolved": "결과를 적고 해결한 이슈",
        "came_back": "해결 뒤 다시 연락한 고객",
    },
    impact="효과가 있었는지: 하루가 지난 뒤 `waymark impact --at {at}`",
    message="읽는 사람이 보는 메시지",
)
