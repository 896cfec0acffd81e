"""How a customer stood: who they were by what was known, and what the rules made of it."""

from collections.abc import Sequence
from itertools import count
from uuid import UUID

from services.journey import policies
from services.journey.domain.identity.facts import IdentifierKey
from services.journey.domain.identity.identity_book import IdentityBook
from services.journey.domain.touchpoint import Identifier, RecordedTouchpoint
from services.journey.past.standing import PastEngine, PastStanding, as_customer, standing
from tests.unit.journey.domain.making import POLICY, REPEAT, at, call

ID = UUID(int=7)
PHONE, EMAIL = ("phone", "+821012345678"), ("email", "a@mail.example")


def known_by(*keys: IdentifierKey) -> dict[str, dict[str, Identifier]]:
    return {"customer": {type_: Identifier(value=value) for type_, value in keys}}


def stood(
    *recorded: RecordedTouchpoint, asked: Sequence[IdentifierKey] = (), history: int = 2000
) -> PastStanding | None:
    numbers = count(1)
    engine = PastEngine(
        rulebook=REPEAT,
        policy=POLICY,
        identity=IdentityBook.of(policies.identity(), policies.constraints()),
        new_id=lambda: UUID(int=next(numbers)),
        history=history,
    )
    return standing(recorded, asked, (), engine, as_customer(ID, at(600), engine))


def test_two_customers_whom_nothing_had_tied_yet_were_two() -> None:
    by_phone = call("a", 0, reason="billing", **known_by(PHONE))
    by_email = call("b", 60, reason="billing", **known_by(EMAIL))
    first = stood(by_phone, by_email, asked=[PHONE])
    second = stood(by_phone, by_email, asked=[EMAIL])
    assert first is not None
    assert second is not None
    assert [one.touchpoint.id for one in first.touchpoints] == ["a"]
    assert [one.touchpoint.id for one in second.touchpoints] == ["b"]
    assert not first.changes.frictions
    tied = stood(
        by_phone, by_email, call("tie", 90, kind="page_viewed", direction=None, **known_by(PHONE, EMAIL)), asked=[EMAIL]
    )
    assert tied is not None
    assert [one.key for one in tied.identifiers] == [EMAIL, PHONE]
    assert [change.friction.rule for change in tied.changes.frictions] == ["mine"]


def test_an_id_stays_with_who_had_the_earliest_touchpoint() -> None:
    found = stood(call("b", 60, **known_by(EMAIL)), call("a", 0, **known_by(PHONE)))
    assert found is not None
    assert [one.key for one in found.identifiers] == [PHONE]


def test_an_identifier_that_was_not_known_yet_was_nobody() -> None:
    assert stood(call("a", 0, **known_by(PHONE)), asked=[EMAIL]) is None
    assert stood(asked=[EMAIL]) is None
    assert stood() is None


def test_journeys_have_the_ids_of_today() -> None:
    today = UUID(int=4711)
    found = stood(call("a", 0, reason="billing", journey_id=today), call("b", 5, reason="billing", journey_id=today))
    assert found is not None
    assert set(found.placed.values()) == {today}


def test_late_touchpoints_are_shown_and_judged_by_nobody() -> None:
    found = stood(call("a", 0, reason="billing"), call("b", 60, reason="billing", late=True))
    assert found is not None
    assert [one.touchpoint.id for one in found.touchpoints] == ["a", "b"]
    assert not found.changes.frictions
    assert list(found.placed) == [("test", "a")]


def test_of_a_long_history_the_latest_are_judged() -> None:
    history = [call(f"t{number}", number * 60, reason="billing") for number in range(5)]
    found = stood(*history, history=2)
    assert found is not None
    assert len(found.touchpoints) == 5
    assert len(found.placed) == 2
