"""The people of the demo hour: what one customer of a kind does, as touchpoints with offsets in seconds.

Pure: everything random comes from the generator that is handed in, so that one seed tells one story. Nobody here is
anybody: customers are numbers. Telephone numbers are of the 010-0000 block, which is given to nobody. What kinds of
trouble there are follows the rules that ship with Waymark.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

MINUTE = 60.0

QUEUES = {"billing": "billing-ko", "delivery": "logistics-ko", "returns": "returns-ko", "product": "advice-ko"}

WORDS = {
    "billing": ("결제가 두 번 됐는데 확인 부탁드려요", "카드 승인이 계속 실패해요", "영수증 금액이 달라요"),
    "delivery": (
        "어제 온다던 택배가 아직 안 왔어요",
        "배송지를 바꿔야 하는데 연결이 안 돼요",
        "배송 완료라는데 못 받았어요",
    ),
    "returns": ("반품 접수가 안 돼요", "환불이 아직 안 들어왔어요", "교환 상품이 또 불량이에요"),
    "product": ("사이즈가 상세 페이지와 달라요", "설명서대로 했는데 안 켜져요", "재입고는 언제 되나요?"),
}

AGAIN = ("세 번째 전화인데 아직 해결이 안 됐어요", "아까 상담원은 된다고 하셨는데요", "같은 말을 또 해야 하나요?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCustomer:
    """One customer, by the identifiers that the channels know them by."""

    number: int
    premium: bool

    @property
    def account(self) -> dict[str, Any]:
        """Known after a login: the customer number, proven, and the telephone number on file."""
        return {"customer_id": {"value": f"C-{self.number:05d}", "verified": True}, "phone": self.phone}

    @property
    def browser(self) -> dict[str, Any]:
        """Known before a login: a cookie alone."""
        return {"cookie": f"ck-{self.number:05d}-web"}

    @property
    def caller(self) -> dict[str, Any]:
        """Known to the telephone system: the number that calls."""
        return {"phone": self.phone}

    @property
    def phone(self) -> str:
        """The telephone number as people in Korea write it."""
        return f"010-0{self.number // 10000:03d}-{self.number % 10000:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTouchpoint:
    """One touchpoint to come: `at_s` seconds into the hour, from the channel system `source`."""

    at_s: float
    source: str
    fields: dict[str, Any]


Script = Callable[[DemoCustomer, float, Random], Iterator[PlannedTouchpoint]]
"""What a person does from `start` seconds on."""


def browsing(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """Look round the shop and leave; most people do."""
    at = start
    for _ in range(dice.randint(1, 3)):
        yield _web(person.browser, at, "page_viewed", attributes={"page": dice.choice(("home", "list", "product"))})
        at += dice.uniform(20, 120)


def buying(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """Look, log in, pay, and be content. The login is what ties cookie and customer together."""
    yield _web(person.browser, start, "page_viewed", attributes={"page": "product"})
    yield _web(person.browser | person.account, start + 40, "login_succeeded", **_level(person))
    order = {"order_id": f"A-{person.number:05d}"}
    yield _web(person.account, start + 90, "checkout_started", refs=order, value=_won(dice))
    yield _web(person.account, start + 90 + dice.uniform(40, 400), "order_placed", refs=order, value=_won(dice))


def visiting(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """Come to the store, wait a little, buy."""
    yield PlannedTouchpoint(
        at_s=start,
        source="store-pos",
        fields=_fields(person.account, "store", "store_visited", wait_s=dice.randint(5, 90), queue="gangnam"),
    )


def asking_once(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """Ask in the chat, get an answer, be content."""
    reason = dice.choice(("product", "delivery"))
    talk = f"chat-{person.number}-{int(start)}"
    asked = {"direction": "inbound", "reason": reason, "interaction_id": talk}
    yield _chat(person, start, "chat_started", text=dice.choice(WORDS[reason]), wait_s=dice.randint(3, 40), **asked)
    yield _chat(person, start + 240, "chat_ended", outcome="resolved", duration_s=240, **asked)
    if dice.random() < 0.4:
        yield _survey(person, start + 300, dice.choice((5, 6, 7)))


def calling_again(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """Call, be sent round, call again, and say in the survey how that was. The case Waymark was built for."""
    reason = dice.choice(("billing", "delivery", "returns"))
    case = {"case_id": f"T-{person.number:05d}"}
    at = start
    for attempt in range(dice.choice((2, 2, 3))):
        said = dice.choice(WORDS[reason] if attempt == 0 else AGAIN)
        yield from _call(
            person, at, dice, reason=reason, refs=case, text=said, outcome="unresolved", transfers=min(attempt, 2)
        )
        at += dice.uniform(6, 12) * MINUTE
    if dice.random() < 0.6:
        yield _survey(person, at, dice.choice((1, 2, 3)))


def switching(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """Try the bot, then a message, then the telephone, with the same matter."""
    reason = dice.choice(("delivery", "returns"))
    talk = f"bot-{person.number}-{int(start)}"
    asked = {"direction": "inbound", "reason": reason}
    yield _chat(person, start, "chat_started", text=dice.choice(WORDS[reason]), interaction_id=talk, **asked)
    yield _chat(person, start + 180, "chat_ended", outcome="unresolved", interaction_id=talk, **asked)
    yield PlannedTouchpoint(
        at_s=start + 8 * MINUTE,
        source="messenger",
        fields=_fields(
            person.account, "messenger", "message_received", reason=reason, direction="inbound", text=dice.choice(AGAIN)
        ),
    )
    yield from _call(person, start + 15 * MINUTE, dice, reason=reason, outcome="resolved", text=dice.choice(AGAIN))


def sent_between_groups(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """A case that goes from group to group and back, is closed, and comes up again."""
    case = {"case_id": f"T-{person.number:05d}"}
    reason = dice.choice(("returns", "billing"))
    home, away = QUEUES[reason], QUEUES["product"]
    yield _case(person, start, "case_opened", case, queue=home, reason=reason, direction="inbound")
    yield _case(person, start + 5 * MINUTE, "case_worked", case, queue=home)
    yield _case(person, start + 9 * MINUTE, "case_worked", case, queue=away)
    yield _case(person, start + 14 * MINUTE, "case_worked", case, queue=home)
    yield _case(person, start + 20 * MINUTE, "case_resolved", case, queue=home)
    if dice.random() < 0.5:
        yield _case(person, start + 26 * MINUTE, "case_worked", case, queue=home, text=dice.choice(AGAIN))


def promised(person: DemoCustomer, start: float, dice: Random, *, kept: bool) -> Iterator[PlannedTouchpoint]:
    """Be promised a call back within five minutes; `kept` says whether it came."""
    case = {"case_id": f"T-{person.number:05d}"}
    yield from _call(person, start, dice, reason="delivery", refs=case, outcome="callback", text=WORDS["delivery"][0])
    yield PlannedTouchpoint(
        at_s=start + 6 * MINUTE,
        source="call-centre",
        fields=_fields(person.caller, "phone", "callback_promised", refs=case) | {"due_in_s": 5 * MINUTE},
    )
    if kept:
        yield PlannedTouchpoint(
            at_s=start + 10 * MINUTE,
            source="call-centre",
            fields=_fields(person.caller, "phone", "callback_made", refs=case, direction="outbound"),
        )


def promise_kept(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """Be promised a call back, and get it."""
    return promised(person, start, dice, kept=True)


def promise_broken(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """Be promised a call back, and wait in vain."""
    return promised(person, start, dice, kept=False)


def payment_down(person: DemoCustomer, start: float, dice: Random) -> Iterator[PlannedTouchpoint]:
    """Want to pay while the card gateway is out: declined, declined again, gone; some call about it."""
    order = {"order_id": f"A-{person.number:05d}"}
    yield _web(person.browser | person.account, start, "login_succeeded", **_level(person))
    yield _web(person.account, start + 30, "checkout_started", refs=order, value=_won(dice))
    for attempt in range(dice.choice((2, 2, 3))):
        yield _web(
            person.account,
            start + 60 + attempt * dice.uniform(40, 80),
            "payment_declined",
            refs=order,
            outcome="gateway_timeout",
            value=_won(dice),
        )
    if dice.random() < 0.25:
        yield from _call(
            person,
            start + 6 * MINUTE,
            dice,
            reason="billing",
            refs=order,
            outcome="unresolved",
            text=WORDS["billing"][1],
        )


def coming_back(case: str, reason: str, at: float) -> Iterator[PlannedTouchpoint]:
    """Call once more about a case that was said to be resolved: `T-00012` is the case of customer 12."""
    person = DemoCustomer(number=int(case.removeprefix("T-")), premium=False)
    about: dict[str, Any] = {"direction": "inbound", "interaction_id": f"call-{person.number}-again", "reason": reason}
    about["refs"] = {"case_id": case}
    yield PlannedTouchpoint(
        at_s=at, source="call-centre", fields=_fields(person.caller, "phone", "call_started", **about)
    )
    ended = about | {"outcome": "unresolved", "text": AGAIN[0], "queue": QUEUES.get(reason, QUEUES["billing"])}
    yield PlannedTouchpoint(
        at_s=at + 1, source="call-centre", fields=_fields(person.caller, "phone", "call_ended", **ended)
    )


def _call(person: DemoCustomer, at: float, dice: Random, **fields: Any) -> Iterator[PlannedTouchpoint]:
    call = f"call-{person.number}-{int(at)}"
    about = {"direction": "inbound", "interaction_id": call, "reason": fields["reason"]}
    yield PlannedTouchpoint(
        at_s=at, source="call-centre", fields=_fields(person.caller, "phone", "call_started", **about)
    )
    spoken = dice.randint(120, 420)
    ended = (
        about
        | fields
        | {
            "wait_s": dice.choice((20, 35, 60, 95, 150, 260, 410)),
            "duration_s": spoken,
            "queue": QUEUES[fields["reason"]],
            "agent": f"a-{dice.randint(10, 59)}",
        }
    )
    yield PlannedTouchpoint(
        at_s=at + spoken,
        source="call-centre",
        fields=_fields(person.caller, "phone", "call_ended", **ended, **_level(person)),
    )


def _chat(person: DemoCustomer, at: float, kind: str, **fields: Any) -> PlannedTouchpoint:
    return PlannedTouchpoint(at_s=at, source="chat", fields=_fields(person.account, "chat", kind, **fields))


def _case(person: DemoCustomer, at: float, kind: str, refs: dict[str, str], **fields: Any) -> PlannedTouchpoint:
    return PlannedTouchpoint(at_s=at, source="crm", fields=_fields(person.account, "api", kind, refs=refs, **fields))


def _web(customer: dict[str, Any], at: float, kind: str, **fields: Any) -> PlannedTouchpoint:
    return PlannedTouchpoint(at_s=at, source="web-shop", fields=_fields(customer, "web", kind, **fields))


def _survey(person: DemoCustomer, at: float, value: int) -> PlannedTouchpoint:
    score = {"metric": "ces", "value": value, "scale": 7}
    return PlannedTouchpoint(
        at_s=at, source="mobile-app", fields=_fields(person.account, "app", "survey_answered", score=score)
    )


def _fields(customer: dict[str, Any], channel: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"channel": channel, "kind": kind, "customer": customer, **fields}


def _won(dice: Random) -> dict[str, Any]:
    return {"amount": dice.randrange(9_900, 390_000, 100), "currency": "KRW"}


def _level(person: DemoCustomer) -> dict[str, str]:
    return {"service_level": "premium"} if person.premium else {}
