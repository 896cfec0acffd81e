"""Invented people: who they are, by what they are known, and what happens to them.

Everything follows from the `random.Random` that is handed in. Stories are written in *event time*; in what order, how
often and through which partition the touchpoints arrive is left to `tests.faults.workload`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

Json = dict[str, Any]

REASONS: Final = ("billing", "delivery", "login", "refund", "구독 해지", None)
TEXTS: Final = (
    "세 번째 전화인데 아직 해결이 안 됐어요",
    "환불이 언제 되나요? 지난주에도 문의드렸습니다.",
    "Where is my parcel?",
    "앱이 자꾸 꺼져요 😡 — 확인 부탁드립니다",
    "결제가 두 번 됐어요 «중복 결제»",
)
QUEUES: Final = ("billing-ko", "tech-ko", "retention", "창구-1")
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
TICK: Final = timedelta(microseconds=1)

QUIET: Final = (HOUR / 2, HOUR / 2 + TICK, 12 * HOUR, 12 * HOUR + TICK)
"""Borders at which messages without an interaction id become another contact."""

LIVE: Final = 15 * MINUTE
"""How long after the end of the stories a promise may fall due. Absences of the shipped rules are known at the latest
twice as long after that end (a promise's quarter of an hour of grace, a checkout's half hour)."""

RECENT: Final = 0.1
"""Share of stories that begin in the last two minutes, so that their absences are decided while the test runs."""


def instant(at: datetime) -> str:
    """The published form of a time: UTC with microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a drawer full of identifiers; which of them ever meet in a touchpoint is up to the stories."""

    number: int
    cookies: tuple[str, ...]
    ids: Json

    def known_by(self, *types: str, cookie: int = 0) -> Json:
        """The `customer` member of a touchpoint that carries these types."""
        drawer = {**self.ids, "cookie": {"value": self.cookies[cookie % len(self.cookies)], "verified": False}}
        return {name: drawer[name] for name in types}


def person(number: int, rng: Random) -> Person:
    """One person of the workload; the number makes their identifiers unique."""
    verified = {"customer_id": True, "email": rng.random() < 0.5, "phone": rng.random() < 0.5, "loyalty_id": True}
    values = {
        "customer_id": f"C-{number:06d}",
        "email": f"person{number}@mail{number % 7}.example",
        "phone": f"+8210{20_000_000 + number:08d}",
        "loyalty_id": f"L{number:07d}",
        "device_id": f"device-{number:06d}-{rng.getrandbits(32):08x}",
        "social": f"kakao:{number:06d}",
    }
    ids = {name: {"value": value, "verified": verified.get(name, False)} for name, value in values.items()}
    cookies = tuple(f"ck-{number:06d}-{index}-{rng.getrandbits(48):012x}" for index in range(rng.randint(1, 4)))
    return Person(number=number, cookies=cookies, ids=ids)


@dataclass(slots=True, kw_only=True)
class Teller:
    """Writes the touchpoints of one person: gives them ids, times and a few random trimmings."""

    who: Person
    rng: Random
    until: datetime
    told: list[Json] = field(default_factory=list)

    def tell(self, at: datetime, kind: str, channel: str, known_by: Json, **rest: Any) -> Json:
        """Write one touchpoint; `None` values are left out."""
        number = len(self.told)
        source = {"phone": "ivr", "chat": "chatbot", "email": "mailroom", "store": "pos"}.get(channel, "web")
        touchpoint = {
            "id": f"{kind}-{self.who.number}-{number}",
            "occurred_at": instant(at),
            "channel": channel,
            "kind": kind,
            "customer": known_by,
            "source": source,
            **{name: value for name, value in rest.items() if value is not None},
        }
        if self.rng.random() < 0.2:
            touchpoint["text"] = self.rng.choice(TEXTS)
        if self.rng.random() < 0.05:
            touchpoint["sequence"] = self.rng.randint(0, 9)
        self.told.append(touchpoint)
        return touchpoint


Story = Callable[[Teller, datetime], None]


def contact(teller: Teller, at: datetime, reason: str | None, refs: Json | None = None) -> None:
    """One inbound contact by phone, chat, e-mail, message or at the counter, some of them in two touchpoints."""
    rng, who = teller.rng, teller.who
    level = rng.choice((None, None, None, "basic", "enhanced", "premium"))
    shared: Json = {"direction": "inbound", "reason": reason, "refs": refs, "service_level": level}
    match rng.randrange(5):
        case 0:
            call = f"call-{who.number}-{len(teller.told)}"
            known = who.known_by(*rng.choice((("phone",), ("phone", "customer_id"), ("customer_id",))))
            teller.tell(at, "call_started", "phone", known, interaction_id=call, **shared)
            talk = rng.randint(30, 1500)
            teller.tell(
                at + timedelta(seconds=talk),
                "call_ended",
                "phone",
                known,
                interaction_id=call,
                outcome=rng.choice(("resolved", "unresolved", None)),
                wait_s=rng.choice((5, 60, 180, 600, 2400)),
                transfers=rng.choice((0, 0, 1, 2, 4)),
                duration_s=talk,
                queue=rng.choice(QUEUES),
                **shared,
            )
        case 1:
            chat = f"chat-{who.number}-{len(teller.told)}"
            known = who.known_by(
                *rng.choice((("cookie",), ("cookie", "email"), ("device_id", "email"))), cookie=rng.randrange(4)
            )
            teller.tell(at, "chat_started", "chat", known, interaction_id=chat, **shared)
            if rng.random() < 0.7:
                ended = at + timedelta(seconds=rng.randint(20, 900))
                outcome = rng.choice(("resolved", "abandoned", None))
                teller.tell(ended, "chat_ended", "chat", known, interaction_id=chat, outcome=outcome, **shared)
        case 2:
            known = who.known_by(*rng.choice((("email",), ("email", "customer_id"))))
            teller.tell(at, "email_received", "email", known, **shared)
        case 3:
            known = who.known_by(*rng.choice((("social",), ("social", "phone"))))
            teller.tell(at, "message_received", "messenger", known, **shared)
        case _:
            known = who.known_by(*rng.choice((("loyalty_id",), ("loyalty_id", "phone"))))
            teller.tell(at, "store_visited", "store", known, **shared)


def contact_again(teller: Teller, at: datetime) -> None:
    """Contact after contact, at gaps around and exactly on the borders of the windows."""
    rng = teller.rng
    reason = rng.choice(REASONS)
    borders = (DAY, DAY + TICK, DAY - TICK, 7 * DAY, 7 * DAY + TICK, 2 * HOUR, 20 * HOUR, 3 * DAY, timedelta(), *QUIET)
    for _ in range(rng.randint(2, 4)):
        contact(teller, at, reason if rng.random() < 0.8 else rng.choice(REASONS))
        at += rng.choice(borders)


def messages(teller: Teller, at: datetime) -> None:
    """Lines to and fro in a messenger, by SMS or mail, some of them answered, with silences around the borders."""
    rng = teller.rng
    channel, kind, known_by = rng.choice(
        (
            ("messenger", "message_received", ("social",)),
            ("sms", "message_received", ("phone",)),
            ("email", "email_received", ("email",)),
        )
    )
    known, reason = teller.who.known_by(*known_by), rng.choice(REASONS)
    thread = {"thread_id": f"mail-{teller.who.number}-{len(teller.told)}"} if channel == "email" else None
    for _ in range(rng.randint(2, 7)):
        refs = thread if rng.random() < 0.5 else None
        if rng.random() < 0.3:
            outcome = rng.choice((None, "delivered", "failed"))
            teller.tell(at, "message_sent", channel, known, direction="outbound", outcome=outcome, refs=refs)
        else:
            teller.tell(at, kind, channel, known, direction="inbound", reason=reason, refs=refs)
        at += rng.choice((timedelta(), timedelta(seconds=9), 5 * MINUTE, 5 * MINUTE, *QUIET))


def case_with_queues(teller: Teller, at: datetime) -> None:
    """A case that wanders between groups, is resolved, and sometimes opened again."""
    rng, who = teller.rng, teller.who
    refs = {"case_id": f"T-{who.number}-{len(teller.told)}"}
    known = who.known_by("customer_id") if rng.random() < 0.5 else who.known_by("customer_id", "email")
    teller.tell(at, "case_opened", "email", known, refs=refs, direction="inbound", reason=rng.choice(REASONS))
    for step in range(rng.randint(1, 4)):
        at += timedelta(minutes=rng.randint(1, 600))
        kind = "case_waiting" if rng.random() < 0.2 else "case_worked"
        queue = QUEUES[step % 2] if rng.random() < 0.7 else rng.choice(QUEUES)
        teller.tell(at, kind, "email", known, refs=refs, queue=queue, agent=f"a-{rng.randrange(40)}")
    at += HOUR
    teller.tell(at, "case_resolved", "email", known, refs=refs, outcome="resolved")
    if rng.random() < 0.4:
        again = at + timedelta(hours=rng.randint(1, 100))
        teller.tell(again, rng.choice(("case_worked", "case_opened")), "email", known, refs=refs, queue=QUEUES[0])
    elif rng.random() < 0.5:
        teller.tell(at + HOUR, "case_closed", "email", known, refs=refs)


def callback(teller: Teller, at: datetime) -> None:
    """A callback is promised, and kept, broken, or kept too late; sometimes for another case."""
    rng, who = teller.rng, teller.who
    case = {"case_id": f"T-{who.number}-cb-{len(teller.told)}"} if rng.random() < 0.6 else None
    latest = teller.until + LIVE - rng.random() * 2 * MINUTE
    due = max(at, min(at + timedelta(minutes=rng.choice((10, 60, 600, 3000))), latest))
    known = who.known_by("phone", "customer_id") if rng.random() < 0.5 else who.known_by("phone")
    teller.tell(at, "callback_promised", "phone", known, refs=case, due_at=instant(due), reason=rng.choice(REASONS))
    fate = rng.random()
    if fate < 0.35:
        return
    if fate < 0.8:
        called = at + (due - at) * rng.random()
    elif fate < 0.85:
        called = due + 15 * MINUTE + rng.choice((-TICK, timedelta(), TICK))
    else:
        called = due + timedelta(hours=rng.randint(1, 20))
    refs = {"case_id": f"T-{who.number}-other"} if case and rng.random() < 0.2 else rng.choice((case, None))
    by = who.known_by("phone") if rng.random() < 0.7 else who.known_by("customer_id")
    teller.tell(called, "callback_made", "phone", by, refs=refs, direction="outbound")


def checkout(teller: Teller, at: datetime) -> None:
    """A checkout that ends in an order, in declined cards, or in nothing."""
    rng, who = teller.rng, teller.who
    order = {"order_id": f"A-{who.number}-{len(teller.told)}"} if rng.random() < 0.7 else None
    known = who.known_by("cookie", cookie=rng.randrange(4))
    if rng.random() < 0.3:
        known = {**known, **who.known_by("email")}
    teller.tell(at, "checkout_started", "web", known, refs=order, value={"amount": 129000, "currency": "KRW"})
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        at += timedelta(seconds=rng.randint(20, 500))
        teller.tell(at, "payment_declined", "web", known, refs=order)
    if rng.random() < 0.6:
        at += rng.choice((3 * MINUTE, 10 * MINUTE, 45 * MINUTE, 30 * MINUTE))
        by = known if rng.random() < 0.7 else who.known_by("email")
        teller.tell(at, "order_placed", "web", by, refs=order if rng.random() < 0.9 else None)


def survey(teller: Teller, at: datetime) -> None:
    """A customer effort score, bad or good."""
    score = {"metric": teller.rng.choice(("ces", "csat")), "value": teller.rng.randint(1, 7), "scale": 7}
    teller.tell(at, "survey_answered", "email", teller.who.known_by("email"), score=score)


def browse(teller: Teller, at: datetime) -> None:
    """Anonymous steps on the web, then a login that says who it was."""
    rng, who = teller.rng, teller.who
    cookie = rng.randrange(4)
    for step in range(rng.randint(1, 4)):
        teller.tell(at + step * MINUTE, "page_viewed", "web", who.known_by("cookie", cookie=cookie))
    if rng.random() < 0.6:
        known = who.known_by("cookie", "customer_id", cookie=cookie)
        teller.tell(at + 5 * MINUTE, "login_succeeded", "web", known)


def chain(teller: Teller, at: datetime) -> None:
    """Identifiers that meet only pairwise: cookie, device, e-mail, phone, loyalty card, customer number."""
    links = [
        ("cookie", "device_id"),
        ("device_id", "email"),
        ("email", "phone"),
        ("phone", "loyalty_id"),
        ("loyalty_id", "customer_id"),
    ]
    teller.rng.shuffle(links)
    for step, pair in enumerate(links):
        teller.tell(at + step * HOUR, "page_viewed", "app", teller.who.known_by(*pair))


def diamond(teller: Teller, at: datetime) -> None:
    """Two ways from a cookie to the customer number, so that the second merge finds nothing to do."""
    links = [("cookie", "email"), ("cookie", "phone"), ("email", "customer_id"), ("phone", "customer_id")]
    teller.rng.shuffle(links)
    for step, pair in enumerate(links):
        teller.tell(at + step * MINUTE, "page_viewed", "app", teller.who.known_by(*pair))


STORIES: Final[tuple[tuple[Story, int], ...]] = (
    (contact_again, 30),
    (messages, 10),
    (case_with_queues, 12),
    (callback, 16),
    (checkout, 14),
    (survey, 6),
    (browse, 12),
    (chain, 5),
    (diamond, 5),
)


def lives(rng: Random, until: datetime, span: timedelta) -> Iterator[list[Json]]:
    """Person after person, each with a handful of stories inside ``span`` before ``until``; never ends."""
    stories, weights = zip(*STORIES, strict=True)
    number = 0
    while True:
        number += 1
        teller = Teller(who=person(number, rng), rng=rng, until=until)
        busy = rng.choice((1, 2, 3, 4, 6, 12))
        for story in rng.choices(stories, weights, k=busy):
            recent = rng.random() < RECENT
            story(teller, until - (2 * MINUTE if recent else span) * rng.random())
        yield [one for one in teller.told if one["occurred_at"] <= instant(until)]
