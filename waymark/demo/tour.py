"""Where to look after the demo: one customer, one outbreak, one rule to try, and what a change brought.

The stops are picked from what the hour left in the inbox; asking is left to `read_tour`, so that picking is pure.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from waymark.console import say
from waymark.target import CommandTarget

TIMEOUT_S = 10.0
ASKED = 50
"""Issues that are looked at for a customer to tell of; the most urgent come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TourStop:
    """One place to look at: what it is about, where it is (an address or a command), and what to see there."""

    title: str
    where: str
    what: str


def read_tour(target: CommandTarget, folder: Path) -> list[TourStop]:
    """Ask alerts what there is, and return the stops; commands find the stack by its `folder`."""
    import httpx2

    headers = {"authorization": f"Bearer {target.keys['agent']}"}
    with httpx2.Client(base_url=target.alerts, headers=headers, timeout=TIMEOUT_S) as client:
        issues = client.get("/v1/issues", params={"state": "unresolved", "sort": "priority", "limit": ASKED})
        outbreaks = client.get("/v1/outbreaks")
        issues.raise_for_status()
        outbreaks.raise_for_status()
        return stops(target.console, issues.json()["issues"], outbreaks.json()["outbreaks"]) + commands(folder)


def stops(console: str, issues: Sequence[Mapping[str, Any]], outbreaks: Sequence[Mapping[str, Any]]) -> list[TourStop]:
    """Return the pages to look at, in the order of the tour; what the hour did not bring has none."""
    found = [
        TourStop(
            title=say("The inbox", "받은 편지함"),
            where=f"{console}/",
            what=say(
                "what the team opens in the morning, the most urgent first; j and k move, e resolves, ? shows all keys",
                "팀이 아침에 여는 화면입니다. 급한 순서이며 j와 k로 움직이고 e로 해결하며 ?로 모든 키를 봅니다",
            ),
        )
    ]
    if customer := next((issue for issue in issues if issue.get("customer_id")), None):
        found.append(
            TourStop(
                title=say("One customer's story", "한 고객의 이야기"),
                where=f"{console}/customers/{customer['customer_id']}",
                what=say(
                    f"“{customer['title']['en']}”: by which channels they came, and where it got hard",
                    f"“{customer['title']['ko']}”: 어떤 채널로 왔고 어디서 힘들었는지 봅니다",
                ),
            )
        )
    if outbreaks:
        issue = outbreaks[0]["issue"]
        found.append(
            TourStop(
                title=say("One cause, many customers", "한 원인, 여러 고객"),
                where=f"{console}/issues/{issue['id']}",
                what=say(
                    f"“{issue['title']['en']}”: told once instead of for every customer, whose issues it holds",
                    f"“{issue['title']['ko']}”: 고객마다 알리지 않고 한 번만 알리며 그 이슈들을 맡아 둡니다",
                ),
            )
        )
    return found


def commands(folder: Path) -> list[TourStop]:
    """Return what to try in another terminal, on the stack in `folder`."""
    here = f"WAYMARK_DATA_DIR={shlex.quote(str(folder))}"
    return [
        TourStop(
            title=say("A rule, tried on this hour", "이 한 시간에 규칙 시험하기"),
            where=f"{here} waymark rules backtest default --since 2h",
            what=say(
                "what each rule finds, how many it would add, and what it costs; nothing is put in force",
                "규칙마다 찾는 것과 늘어날 수와 비용을 보여 주며 아무것도 적용하지 않습니다",
            ),
        ),
        TourStop(
            title=say("Did it help?", "도움이 되었나요?"),
            where=f"{here} waymark impact --help",
            what=say(
                "compares the time before a change with the time after it, once there is such a time",
                "변경 전후를 비교합니다. 비교할 시간이 쌓인 뒤에 쓰세요",
            ),
        ),
    ]


def guide(found: Sequence[TourStop], agent_key: str) -> RenderableType:
    """Return the tour as text, with the key to sign in."""
    parts: list[RenderableType] = [
        Text(),
        Text(say("A tour", "둘러보기"), style="bold"),
        Text(say(f"Sign in with {agent_key}", f"로그인 키: {agent_key}")),
    ]
    for number, stop in enumerate(found, start=1):
        parts += [
            Text(f"{number}. {stop.title}", style="bold"),
            Text(f"   {stop.where}", style="cyan"),
            Text(f"   {stop.what}"),
        ]
    return Group(*parts)
