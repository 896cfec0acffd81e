"""Parts at random, with what real data has: shared tablets and telephones, typing mistakes, numbers that change hands.

A part is touchpoints in the order of their arrival, facts of operators, a policy, and where the arrivals are cut into
batches. Few people and few values are in it, so that the stories run into each other. Everything follows from a seed.

Part of the oracle: it imports nothing of Waymark, on purpose.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import Any, Final

from tests.oracle.constrained_identity import links
from tests.oracle.facts import DAY, HOUR, MINUTE, SECOND
from tests.oracle.identity import Identifier
from tests.oracle.identity_terms import OperatorFact, Policy, Sighting, setting

START: Final = 1_767_225_600 * SECOND
"""The first moment of 2026."""

GRAINS: Final = (1, SECOND, HOUR, DAY)
"""To what times are rounded: the coarser, the more moments are equal."""

SOURCES: Final = ("crm", "web", "ivr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One case. `arrivals` may hold a touchpoint twice; `cuts` are where batches end, `most` is the cap."""

    seed: int
    stories: tuple[str, ...]
    arrivals: tuple[Sighting, ...]
    facts: tuple[OperatorFact, ...]
    policy: Policy
    most: int
    cuts: tuple[int, ...]
    later: tuple[Policy, ...] = ()

    @property
    def batches(self) -> list[tuple[Sighting, ...]]:
        """The arrivals, cut."""
        edges = [0, *self.cuts, len(self.arrivals)]
        return [self.arrivals[one:other] for one, other in pairwise(edges) if one < other]


@dataclass(slots=True, kw_only=True)
class Scene:
    """Where stories are told: who is there, what was seen so far."""

    rng: Random
    grain: int
    people: int
    seen: list[Sighting] = field(default_factory=list)
    facts: list[OperatorFact] = field(default_factory=list)
    now: int = START

    def pass_time(self, *choices: int) -> None:
        """Let one of some spans go by."""
        self.now += self.rng.choice(choices or (0, 1, MINUTE, 29 * MINUTE, HOUR, DAY, 3 * DAY))

    def see(self, *identifiers: Identifier, verified: tuple[str, ...] = ()) -> None:
        """A touchpoint now, with these identifiers; of two values of one type the last stands."""
        self.seen.append(
            Sighting(
                source=self.rng.choice(SOURCES),
                id=f"t{len(self.seen):03d}",
                occurred_at=self.now - (self.now - START) % self.grain,
                sequence=self.rng.choice((0, 0, 0, 1, 2)),
                customer={name: (value, name in verified) for name, value in identifiers},
            )
        )

    def somebody(self) -> int:
        """One of the people."""
        return self.rng.randrange(self.people)

    def two(self) -> tuple[int, int]:
        """Two different people."""
        one, other = self.rng.sample(range(self.people), k=2)
        return one, other

    def either(self, *types: str) -> tuple[str, ...]:
        """Some of these types, for what is verified."""
        return tuple(name for name in types if self.rng.random() < 0.5)


def owned(type_: str, person: int, number: int = 0) -> Identifier:
    """An identifier that is this person's own, by right."""
    return type_, f"{type_}-{person}" + (f"-{number}" if number else "")


def chain(scene: Scene) -> None:
    """Four identifiers or more, each met only with the next: pairs first, or from the end, or as it comes."""
    who, size = scene.somebody(), scene.rng.randrange(4, 10)
    types = ("cookie", "device_id", "email", "phone", "social", "push_token")
    first = scene.rng.randrange(len(types))
    beads = [owned(types[(first + at) % len(types)], who, at // len(types)) for at in range(size)]
    if scene.rng.random() < 0.5:
        beads.append(owned("customer_id", who))
    met = list(pairwise(beads))
    match scene.rng.randrange(3):
        case 0:
            met = [*met[::2], *met[1::2]]
        case 1:
            met.reverse()
        case _:
            scene.rng.shuffle(met)
    for one, other in met:
        scene.pass_time(0, 1, MINUTE)
        scene.see(one, other)


def shared_tablet(scene: Scene) -> None:
    """Two people log in on one tablet in turn, and browse in between."""
    device = owned("device_id", 90 + scene.rng.randrange(2))
    two = scene.two()
    for _ in range(scene.rng.randrange(2, 6)):
        scene.pass_time(MINUTE, HOUR, 30 * DAY, 30 * DAY + 1, 31 * DAY)
        who = scene.rng.choice(two)
        scene.see(device, *([owned("customer_id", who)] if scene.rng.random() < 0.6 else []), verified=("customer_id",))


def kiosk(scene: Scene) -> None:
    """A machine in a shop that is declared shared: some show a card, the next one shows nothing."""
    for _ in range(scene.rng.randrange(2, 6)):
        scene.pass_time(MINUTE, 29 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1, HOUR)
        shown = scene.rng.choice(([], [], [owned("loyalty_id", scene.somebody())], [owned("email", scene.somebody())]))
        scene.see(("kiosk_id", "kiosk-1"), *shown)


def family_browser(scene: Scene) -> None:
    """One browser; each of the family writes an address or logs in, and somebody looks around."""
    cookie = owned("cookie", 80 + scene.rng.randrange(2))
    family = [scene.somebody() for _ in range(3)]
    for _ in range(scene.rng.randrange(3, 8)):
        scene.pass_time()
        who = scene.rng.choice(family)
        said = scene.rng.choice(([], [owned("email", who)], [owned("customer_id", who), owned("email", who)]))
        scene.see(cookie, *said, verified=scene.either("email", "customer_id"))


def switchboard(scene: Scene) -> None:
    """A shop types in its own number for whoever is at the counter."""
    phone = owned("phone", 70)
    for _ in range(scene.rng.randrange(2, 9)):
        scene.pass_time(MINUTE, HOUR, DAY)
        scene.see(phone, owned("customer_id", scene.somebody()), verified=scene.either("customer_id"))
    scene.see(phone)


def typo(scene: Scene) -> None:
    """Somebody types an address or a number that is another one's."""
    who, other = scene.two()
    type_ = scene.rng.choice(("email", "phone"))
    scene.see(owned("customer_id", other), owned(type_, other), verified=scene.either("customer_id", type_))
    scene.pass_time()
    scene.see(owned("customer_id", who), owned(type_, other), verified=scene.either("customer_id"))
    scene.see(owned(type_, other))


def borrowed_phone(scene: Scene) -> None:
    """Two people prove themselves on one telephone."""
    phone = owned("phone", scene.somebody())
    for who in scene.two():
        scene.see(phone, owned("customer_id", who), verified=("phone", "customer_id"))
        scene.pass_time()
        scene.see(phone, verified=("phone",))
    scene.see(phone, owned("cookie", scene.somebody()))


def recycled_number(scene: Scene) -> None:
    """A number changes hands after months."""
    who, other = scene.two()
    phone = owned("phone", 60)
    sure = scene.either("phone", "customer_id")
    scene.see(phone, owned("customer_id", who), verified=sure)
    scene.pass_time(HOUR, DAY)
    scene.see(phone)
    scene.pass_time(90 * DAY, 200 * DAY)
    scene.see(phone)
    scene.pass_time(1, HOUR, DAY, DAY + 1)
    scene.see(phone, owned("customer_id", other), verified=scene.rng.choice((sure, ())))
    scene.pass_time(HOUR, DAY, DAY + 1)
    scene.see(phone)


def reissued_number(scene: Scene) -> None:
    """A customer gets a new customer number; all else stays."""
    who = scene.somebody()
    old, new = owned("customer_id", who), owned("customer_id", who, 2)
    kept = scene.rng.sample([owned("email", who), owned("phone", who), owned("loyalty_id", who)], k=2)
    scene.see(old, *kept, verified=scene.either("customer_id", "email", "phone"))
    scene.pass_time()
    scene.see(new, *kept, verified=scene.either("customer_id", "email", "phone"))
    if scene.rng.random() < 0.5:
        _say(scene, "merge", old, new)


def couple(scene: Scene) -> None:
    """Two people with one address for their letters, each with a telephone and a browser."""
    two = scene.two()
    email = owned("email", min(two))
    for _ in range(scene.rng.randrange(2, 5)):
        who = scene.rng.choice(two)
        also = scene.rng.choice((owned("phone", who), owned("cookie", who), owned("customer_id", who)))
        scene.see(email, also, verified=scene.either("email", also[0]))
        scene.pass_time()


def staff(scene: Scene) -> None:
    """Somebody of the house tests the login of one customer after the other with one cookie."""
    cookie = owned("cookie", 50)
    if scene.rng.random() < 0.5:
        scene.see(cookie, owned("customer_id", 51), verified=scene.either("customer_id"))
    for _ in range(scene.rng.randrange(2, 9)):
        scene.see(cookie, owned("customer_id", scene.somebody()), verified=scene.either("customer_id"))
        scene.pass_time(0, SECOND, MINUTE)
    scene.see(cookie)


def own_life(scene: Scene) -> None:
    """One person, with some of what is their own; a company's account joins a few."""
    who = scene.somebody()
    drawer = [owned(name, who) for name in ("customer_id", "email", "phone", "device_id", "cookie", "loyalty_id")]
    drawer.append(("account_id", f"account-{who // 2}"))
    for _ in range(scene.rng.randrange(1, 5)):
        carried = scene.rng.sample(drawer, k=scene.rng.randrange(1, 4))
        scene.see(*carried, verified=scene.either(*(name for name, _ in carried)))
        scene.pass_time()


def collector(scene: Scene) -> None:
    """One person with more and more browsers, or addresses, by one customer number or through one another."""
    who, type_ = scene.somebody(), scene.rng.choice(("cookie", "email"))
    anchor = owned(scene.rng.choice(("customer_id", "phone")), who)
    for number in range(scene.rng.randrange(2, 8)):
        scene.see(anchor, owned(type_, who, number), verified=scene.either(anchor[0], type_))
        scene.pass_time()


def operator(scene: Scene) -> None:
    """An operator merges, separates or retracts, once or more, also what nobody has seen, also at one moment."""
    anywhere = [one for seen in scene.seen for one in seen.carried]
    near = [one for seen in scene.rng.sample(scene.seen, k=min(2, len(scene.seen))) for one in seen.carried]
    unknown = [owned("customer_id", 40), owned("email", 41)]
    known = sorted({*scene.rng.choice((near, anywhere)), *(unknown if len(set(near)) < 2 else unknown[:1])})
    one, other = scene.rng.sample(known, k=2)
    for _ in range(scene.rng.choice((1, 1, 2, 3))):
        _say(scene, scene.rng.choice(("merge", "separate", "separate", "retract")), one, other)
        if scene.rng.random() < 0.3:
            other = scene.rng.choice([third for third in known if third != one])


def _say(scene: Scene, kind: Any, one: Identifier, other: Identifier) -> None:
    at = scene.now + scene.rng.choice((-400 * DAY, -DAY, 0, 0, 1, DAY))
    if kind == "retract":
        ledger = links(sorted(scene.seen, key=lambda seen: seen.order), ({},))
        if ledger:
            one, other = scene.rng.choice(ledger).ends
    scene.facts.append(OperatorFact(kind=kind, one=one, other=other, at=at))


STORIES: Final[dict[str, Callable[[Scene], None]]] = {
    told.__name__: told
    for told in (
        chain,
        shared_tablet,
        kiosk,
        family_browser,
        switchboard,
        typo,
        borrowed_phone,
        recycled_number,
        reissued_number,
        couple,
        staff,
        own_life,
        collector,
        operator,
    )
}


def make(seed: int, *, most_stories: int = 6, most_touchpoints: int = 40) -> Part:
    """One part; the same arguments make the same."""
    rng = Random(seed)
    scene = Scene(rng=rng, grain=rng.choice(GRAINS), people=rng.choice((2, 3, 4, 8)))
    stories = (*rng.choices(list(STORIES), k=rng.randint(1, most_stories)), *rng.choice(((), ("operator",))))
    for name in stories:
        STORIES[name](scene)
        if rng.random() < 0.5:
            scene.pass_time()
        else:
            scene.now = START + rng.randrange(40 * DAY)
    del scene.seen[most_touchpoints:]
    arrivals = _arrive(rng, scene.seen)
    return Part(
        seed=seed,
        stories=stories,
        arrivals=tuple(arrivals),
        facts=tuple(rng.sample(scene.facts, k=len(scene.facts))),
        policy=_policy(rng),
        most=rng.choice((1_000, 1_000, 1_000, 3, 6)),
        cuts=tuple(sorted(rng.sample(range(len(arrivals)), k=min(len(arrivals), rng.randrange(4))))),
    )


def with_versions(part: Part) -> Part:
    """The same part; the policy changed once or twice while it came in, and some were appended before they arrive."""
    rng = Random(part.seed + 1)
    later = tuple(_policy(rng) for _ in range(rng.choice((1, 1, 2))))
    for policy in later:
        if rng.random() < 0.3:
            policy["kiosk_id"] = {**policy["kiosk_id"], "shared": False}
        if rng.random() < 0.3:
            policy.setdefault(rng.choice(("cookie", "device_id", "phone")), {})["shared"] = True
    edges = sorted(rng.randrange(len(part.arrivals) + 1) for _ in later)
    judges: dict[Any, int] = {}
    for place, one in enumerate(part.arrivals):
        judge = 1 + sum(edge <= place for edge in edges)
        judges.setdefault(one.key, rng.randint(1, judge) if rng.random() < 0.2 else judge)
    return replace(part, arrivals=tuple(replace(one, judge=judges[one.key]) for one in part.arrivals), later=later)


def shrink(part: Part, fails: Callable[[Part], bool]) -> Part:
    """The part without all that may be left out so that it still fails: for whoever looks for the cause."""
    smaller = True
    while smaller:
        smaller = False
        for less in _lesser(part):
            if fails(less):
                part, smaller = less, True
                break
    return part


def _lesser(part: Part) -> Iterator[Part]:
    if part.cuts:
        yield replace(part, cuts=())
    for at in range(len(part.arrivals)):
        yield replace(part, arrivals=(*part.arrivals[:at], *part.arrivals[at + 1 :]), cuts=())
    for at in range(len(part.facts)):
        yield replace(part, facts=(*part.facts[:at], *part.facts[at + 1 :]))
    for type_ in part.policy:
        yield replace(part, policy={name: said for name, said in part.policy.items() if name != type_})
    for at, one in enumerate(part.arrivals):
        for type_ in one.customer if len(one.customer) > 1 else ():
            fewer = replace(one, customer={name: said for name, said in one.customer.items() if name != type_})
            yield replace(part, arrivals=(*part.arrivals[:at], fewer, *part.arrivals[at + 1 :]), cuts=())


def _arrive(rng: Random, seen: list[Sighting]) -> list[Sighting]:
    """In order of time, some late, some twice; or in any order at all."""
    arrivals = sorted(seen, key=lambda one: one.order)
    for late in rng.sample(arrivals, k=len(arrivals) // 6):
        arrivals.remove(late)
        arrivals.insert(rng.randrange(len(arrivals) + 1), late)
    for twice in rng.choices(arrivals, k=len(arrivals) // 8) if arrivals else []:
        arrivals.insert(rng.randrange(len(arrivals) + 1), twice)
    if rng.random() < 0.2:
        rng.shuffle(arrivals)
    return arrivals


def _policy(rng: Random) -> dict[str, dict[str, Any]]:
    """The shipped policy, with a kiosk; now and then something more is asked of a type."""
    policy: dict[str, dict[str, Any]] = {"kiosk_id": {"strength": 650, "shared": True, "device": True}}
    odd: list[tuple[str, str, Any]] = [
        ("email", "unique", True),
        ("loyalty_id", "unique", True),
        ("email", "limit", 1),
        ("email", "limit", 2),
        ("cookie", "limit", 2),
        ("cookie", "limit", 3),
        ("phone", "verified_only", True),
        ("email", "verified_only", True),
        ("phone", "shared_after", 1),
        ("cookie", "shared_after", 2),
        ("cookie", "hold", 30 * MINUTE),
        ("phone", "hold", 90 * DAY),
        ("phone", "strength", setting({}, "email", "strength")),
    ]
    for type_, name, value in rng.sample(odd, k=rng.choice((0, 0, 1, 2, 3))):
        policy.setdefault(type_, {})[name] = value
    return policy
