"""Who is who, as a table: what touchpoints carried, what operators said, and what must come of it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.journey.domain.identity.constraints import ConstraintPolicy, TypeConstraints
from tests.unit.journey.domain.identity_facts import POLICY, policy

TWO_EMAILS = policy(email=TypeConstraints(strength=40, limit=2))
ONE_EMAIL = policy(email=TypeConstraints(strength=40, limit=1))
ONE_ACCOUNT = policy(account_id=TypeConstraints(strength=20, unique=True))
DAY_IN_MINUTES = 24 * 60


class Scenario(NamedTuple):
    """Touchpoints and words of operators, the groups and refusals that they make, and whose further touchpoints are.

    `owners` leads from a touchpoint to one identifier of the group that it belongs to.
    """

    name: str
    touchpoints: Sequence[str]
    groups: str
    refused: frozenset[str] = frozenset()
    owners: Mapping[str, str] = {}
    said: Sequence[str] = ()
    rules: ConstraintPolicy = POLICY
    shared_link: bool = False


def not_followed(*words: str) -> frozenset[str]:
    return frozenset(words)


SHAPES = (
    Scenario("simple", ["0: c=A e=1"], "c=A e=1", owners={"5: e=1": "c=A", "-9: c=A": "c=A"}),
    Scenario("chain", ["0: c=A e=1", "1: e=1 p=1", "2: p=1 k=1"], "c=A e=1 k=1 p=1"),
    Scenario("reverse chain", ["0: p=1 k=1", "1: e=1 p=1", "2: c=A e=1"], "c=A e=1 k=1 p=1"),
    Scenario(
        "a chain of four browsers, joined backwards",
        ["0: k=A d=A", "1: k=B d=B", "2: k=C d=C", "3: k=D d=D", "4: k=D d=C", "5: k=C d=B", "6: k=B d=A"],
        "d=A d=B d=C d=D k=A k=B k=C k=D",
    ),
    Scenario("fan-in", ["0: c=A e=1", "1: c=A p=1", "2: c=A k=1"], "c=A e=1 k=1 p=1"),
    Scenario("fan-out", ["0: k=1 p=1 e=1 c=A"], "c=A e=1 k=1 p=1"),
    Scenario("diamond", ["0: e=1 p=1", "1: e=1 k=1", "2: c=A p=1", "3: c=A k=1"], "c=A e=1 k=1 p=1"),
    Scenario("late merge of two stories", ["9: c=A e=1", "8: p=1 k=1", "0: e=1 p=1"], "c=A e=1 k=1 p=1"),
    Scenario("two people who have nothing in common", ["0: c=A e=1", "0: c=B e=2"], "c=A e=1 | c=B e=2"),
)

CONFLICTS = (
    Scenario(
        "unique conflict, A first",
        ["0: c=A k=1", "10: c=B k=1"],
        "c=A | c=B | k=1",
        not_followed("c=A k=1 held", "c=B k=1 unique"),
        {"-5: k=1": "c=A", "9: k=1": "c=A", "10: k=1": "c=B", "99: k=1": "c=B", "11: c=A k=1": "c=A"},
    ),
    Scenario(
        "unique conflict, B first",
        ["10: c=A k=1", "0: c=B k=1"],
        "c=A | c=B | k=1",
        not_followed("c=B k=1 held", "c=A k=1 unique"),
        {"9: k=1": "c=B", "10: k=1": "c=A"},
    ),
    Scenario(
        "unique conflict at one moment: the key decides, and the later one is known last",
        ["0: c=B k=1", "0: c=A k=1"],
        "c=A | c=B | k=1",
        not_followed("c=B k=1 held", "c=A k=1 unique"),
        {"-1: k=1": "c=B", "0: k=1": "c=A", "1: k=1": "c=A"},
    ),
    Scenario(
        "a late touchpoint splits again what it makes doubtful",
        ["10: c=B k=1", "20: e=1 k=1", "0: c=A k=1"],
        "c=A | c=B | e=1 | k=1",
        not_followed("c=A k=1 held", "c=B k=1 unique", "e=1 k=1 held"),
    ),
    Scenario(
        "late proof joins again: a verified link comes before all others",
        ["0: c=A k=1", "10: c=B k=1", "20: c=B! k=1!"],
        "c=A | c=B k=1",
        not_followed("c=A k=1 unique"),
    ),
    Scenario(
        "shared tablet",
        ["0: c=A d=1", "60: c=B d=1", "120: c=A d=1"],
        "c=A | c=B | d=1",
        not_followed("c=A d=1 held", "c=B d=1 unique"),
        {"30: d=1": "c=A", "90: d=1": "c=B", "130: d=1": "c=A"},
    ),
    Scenario(
        "family browser",
        ["0: c=b k=1", "60: c=c k=1", "120: c=1 k=1"],
        "c=1 | c=b | c=c | k=1",
        not_followed("c=b k=1 held", "c=c k=1 unique", "c=1 k=1 held"),
        {"-30: k=1": "c=b", "30: k=1": "c=b", "90: k=1": "c=c", "150: k=1": "c=1"},
    ),
    Scenario(
        "three-way bridge",
        ["0: c=A e=1", "1: c=B p=2", "2: e=1 p=2", "3: c=C k=9", "4: p=2 k=9"],
        "c=A e=1 | c=B | c=C k=9 | p=2",
        not_followed("c=B p=2 held", "e=1 p=2 unique", "p=2 k=9 held"),
    ),
    Scenario(
        "an identifier between customers takes its bridge with it",
        ["0: e=1 k=1", "1: p=1 k=1", "2: c=A k=1", "3: c=B k=1"],
        "c=A | c=B | e=1 | k=1 | p=1",
        not_followed("e=1 k=1 held", "p=1 k=1 held", "c=A k=1 held", "c=B k=1 unique"),
        {"2: k=1": "c=A", "1: k=1": "p=1"},
    ),
    Scenario(
        "a bridge that is doubled holds",
        ["0: e=1 k=1", "1: p=1 k=1", "1: e=1 p=1", "2: c=A k=1", "3: c=B k=1"],
        "c=A | c=B | e=1 p=1 | k=1",
        not_followed("e=1 k=1 held", "p=1 k=1 held", "c=A k=1 held", "c=B k=1 unique"),
    ),
    Scenario(
        "equal strength leaves nobody between",
        ["0: c=A x=1", "1: c=B y=1", "2: x=1 y=1"],
        "c=A x=1 | c=B y=1",
        not_followed("x=1 y=1 unique"),
    ),
    Scenario(
        "what has no other link stays by itself",
        ["0: c=A a=1", "1: c=A a=2"],
        "a=1 c=A | a=2",
        not_followed("c=A a=2 unique"),
        {"2: a=2": "a=2"},
        rules=ONE_ACCOUNT,
    ),
)

TRUST = (
    Scenario(
        "two verified numbers over a borrowed phone",
        ["0: c=A! p=1!", "10: c=B! p=1!"],
        "c=A | c=B | p=1",
        not_followed("c=A p=1 held", "c=B p=1 unique"),
        {"5: p=1": "c=A", "15: p=1": "c=B", "129610: p=1": "c=B", "129611: p=1": "p=1"},
    ),
    Scenario(
        "a typo does not take a verified phone",
        ["0: c=A! p=1!", "10: c=B p=1"],
        "c=A p=1 | c=B",
        not_followed("c=B p=1 unique"),
        {"20: p=1": "c=A"},
    ),
    Scenario(
        "a typo before the proof",
        ["0: c=B p=1", "10: c=A! p=1!"],
        "c=A p=1 | c=B",
        not_followed("c=B p=1 unique"),
        {"5: p=1": "c=A"},
    ),
    Scenario(
        "a device does not take what a person said",
        ["5: c=A p=1", "0: c=B k=1", "1: p=1 k=1"],
        "c=A p=1 | c=B | k=1",
        not_followed("c=B k=1 held", "p=1 k=1 unique"),
    ),
    Scenario(
        "shared family e-mail address",
        ["0: c=A e=1", "10: c=B e=1", "20: c=C e=1"],
        "c=A | c=B | c=C | e=1",
        not_followed("c=A e=1 held", "c=B e=1 unique", "c=C e=1 held"),
        {"15: e=1": "c=B", "129620: e=1": "c=C", "129621: e=1": "e=1"},
    ),
    Scenario(
        "a browser is held for thirty days",
        ["0: c=A k=1", "10: c=B k=1"],
        "c=A | c=B | k=1",
        not_followed("c=A k=1 held", "c=B k=1 unique"),
        {
            f"{10 + 30 * DAY_IN_MINUTES}: k=1": "c=B",
            f"{11 + 30 * DAY_IN_MINUTES}: k=1": "k=1",
            f"{-30 * DAY_IN_MINUTES}: k=1": "c=A",
            f"{-1 - 30 * DAY_IN_MINUTES}: k=1": "k=1",
        },
    ),
    Scenario(
        "what is no stronger does not say whose it is",
        ["0: c=A y=1", "10: c=B y=1", "20: x=1 y=1"],
        "c=A | c=B | x=1 | y=1",
        not_followed("c=A y=1 held", "c=B y=1 unique", "x=1 y=1 held"),
        {"25: y=1": "c=B", "25: x=1 y=1": "x=1"},
    ),
    Scenario(
        "the strongest that somebody has decides",
        ["0: c=A k=1", "10: c=B k=1", "20: c=A p=1", "30: c=B p=1"],
        "c=A | c=B | k=1 | p=1",
        not_followed("c=A k=1 held", "c=B k=1 unique", "c=A p=1 held", "c=B p=1 unique"),
        {"25: k=1 p=1": "c=A", "25: k=1": "c=B", "2000: k=1 p=1": "c=B"},
    ),
)

SHARED = (
    Scenario(
        "kiosk",
        ["0: c=A z=1", "60: c=B z=1", "200: z=1"],
        "c=A | c=B | z=1",
        owners={"30: z=1": "c=A", "31: z=1": "c=B", "90: z=1": "c=B", "91: z=1": "z=1"},
    ),
    Scenario(
        "a type that is declared shared later",
        ["0: c=A z=1", "60: c=B z=1"],
        "c=A | c=B | z=1",
        not_followed("c=A z=1 shared", "c=B z=1 shared"),
        {"10: z=1": "c=A", "70: z=1": "c=B"},
        shared_link=True,
    ),
    Scenario(
        "switchboard: six customers make it shared",
        [f"{number}: c={number} p=1" for number in range(6)],
        "c=0 | c=1 | c=2 | c=3 | c=4 | c=5 | p=1",
        frozenset(f"c={number} p=1 shared" for number in range(6)),
        {"3: p=1": "c=3", "9: p=1": "c=5"},
    ),
    Scenario(
        "five customers leave it between them",
        [f"{number}: c={number} p=1" for number in range(5)],
        "c=0 | c=1 | c=2 | c=3 | c=4 | p=1",
        not_followed("c=0 p=1 held", "c=1 p=1 unique", "c=2 p=1 held", "c=3 p=1 held", "c=4 p=1 held"),
    ),
    Scenario(
        "the telephone of a shop: sixty customers, and a friend who uses it too",
        [*(f"{number}: c={number:02} p=1" for number in range(60)), "70: p=1 k=1", "71: c=00 k=1"],
        " | ".join(["c=00 k=1", *(f"c={number:02}" for number in range(1, 60)), "p=1"]),
        frozenset([*(f"c={number:02} p=1 shared" for number in range(60)), "p=1 k=1 shared"]),
    ),
    Scenario(
        "a verified phone that many give stays whose it is",
        ["0: c=0! p=1!", *(f"{number}: c={number} p=1" for number in range(1, 6))],
        "c=0 p=1 | c=1 | c=2 | c=3 | c=4 | c=5",
        frozenset(f"c={number} p=1 unique" for number in range(1, 6)),
        {"9: p=1": "c=0"},
    ),
    Scenario(
        "a phone that six verified is shared, too",
        [f"{number}: c={number}! p=1!" for number in range(6)],
        "c=0 | c=1 | c=2 | c=3 | c=4 | c=5 | p=1",
        frozenset(f"c={number} p=1 shared" for number in range(6)),
        {"35: p=1": "c=5", "36: p=1": "p=1"},
    ),
    Scenario(
        "two proved addresses on one browser",
        ["0: e=1! k=1", "10: e=2! k=1", "11: k=1"],
        "e=1 | e=2 | k=1",
        not_followed("e=1 k=1 held", "e=2 k=1 unique"),
        {"5: k=1": "e=1", "11: k=1": "e=2"},
    ),
    Scenario(
        "a constant as customer number",
        [f"{number}: c=0 e={number}!" for number in range(6)],
        "c=0 | e=0 | e=1 | e=2 | e=3 | e=4 | e=5",
        frozenset(f"c=0 e={number} shared" for number in range(6)),
        {"9: c=0 e=4": "e=4"},
    ),
)

BOUNDS = (
    Scenario(
        "limit of e-mail addresses",
        ["0: c=A e=1", "1: c=A e=2", "2: c=A e=3"],
        "c=A e=1 e=2 | e=3",
        not_followed("c=A e=3 limit"),
        {"3: e=3": "e=3"},
        rules=TWO_EMAILS,
    ),
    Scenario(
        "limit of two groups together",
        ["0: c=A e=1", "1: c=A e=2", "2: e=3 p=1", "3: c=A p=1"],
        "c=A e=1 e=2 | e=3 p=1",
        not_followed("c=A p=1 limit"),
        rules=TWO_EMAILS,
    ),
    Scenario(
        "what was refused stays refused",
        ["0: e=1 k=1", "1: d=1 k=1", "2: e=2 d=1", "3: c=A k=1", "4: c=B k=1"],
        "c=A | c=B | d=1 | e=1 | e=2 | k=1",
        not_followed("e=1 k=1 held", "d=1 k=1 held", "e=2 d=1 limit", "c=A k=1 held", "c=B k=1 unique"),
        rules=ONE_EMAIL,
    ),
    Scenario(
        "cap of identifiers",
        ["0: c=A e=1", "1: c=A p=1", "2: c=A k=1", "3: c=A e=1"],
        "c=A e=1 p=1 | k=1",
        not_followed("c=A k=1 too_many_identifiers"),
        rules=policy(most_identifiers=3),
    ),
    Scenario(
        "the cap lets a better link through first",
        ["0: c=A k=1", "1: c=A k=2", "2: c=A! p=1!"],
        "c=A k=1 p=1 | k=2",
        not_followed("c=A k=2 too_many_identifiers"),
        rules=policy(most_identifiers=3),
    ),
)

SCENARIOS = (*SHAPES, *CONFLICTS, *TRUST, *SHARED, *BOUNDS)
