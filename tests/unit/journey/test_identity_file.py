"""Files of identity policy: what they change, every mistake with its line, and that a stored one means the same."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.journey import policies
from services.journey.domain.identity.identity_book import SINCE_EVER, IdentityBook
from services.journey.domain.touchpoint import Identifier
from services.journey.rulebook import identity_file
from services.journey.rulebook.identity_file import IdentityRefusedError, IdentitySettings

CHANGE = datetime(2026, 11, 1, tzinfo=UTC)


def read(text: str) -> IdentitySettings:
    return identity_file.read(text, name="mine.yaml").settings


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(IdentityRefusedError) as error:
        read(text)
    return error.value.problems


def test_the_policy_that_ships_is_what_extends_default_says() -> None:
    assert read("extends: default") == identity_file.shipped()
    assert identity_file.shipped_book().constraints == policies.constraints()


def test_a_file_changes_what_it_names_and_nothing_else() -> None:
    mine = read("extends: default\ntypes: {loyalty_id: {unique: true, hold: 12h}}\nmost_identifiers: 50")
    before = identity_file.shipped()
    assert mine.types["loyalty_id"].unique
    assert mine.types["loyalty_id"].hold == timedelta(hours=12)
    assert mine.types["loyalty_id"].strength == before.types["loyalty_id"].strength
    assert {name for name, one in mine.types.items() if one != before.types[name]} == {"loyalty_id"}
    assert (mine.most_identifiers, mine.others) == (50, before.others)


def test_a_new_type_begins_as_any_type_that_nobody_named() -> None:
    mine = read("extends: default\ntypes: {seat: {title: {en: Seat, ko: 좌석}, shared: true}}")
    assert mine.types["seat"].strength == identity_file.shipped().others.strength
    assert mine.types["seat"].shared


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extends: default\ntypes:\n  email: {uniqe: true}", ["types.email.uniqe: Did you mean unique? (line 3)"]),
        (
            "extends: default\ntypes:\n  emial: {unique: true}",
            ["types.emial: there is no such type. Did you mean email? A new one needs a title, en and ko. (line 3)"],
        ),
        (
            "extends: default\nblocked:\n  types:\n    fone: {exact: [x]}",
            ["blocked.types.fone: there is no such type. Did you mean phone? (line 4)"],
        ),
        (
            "extends: default\ntypes:\n  cookie: {hold: 7 days}",
            ["types.cookie.hold: Write a duration with units s, m, h, d: 30m, 12h, 30d. (line 3)"],
        ),
        (
            "extends: default\ntypes:\n  cookie: {unique: true,\n    shared: true}",
            ["types.cookie: a value that many people share is not unique to one; leave out one of the two. (line 3)"],
        ),
        (
            "extends: default\ntypes:\n  customer_id: {limit: 3}",
            ["types.customer_id.limit: a customer has one value of a unique type; leave it out. (line 3)"],
        ),
        (
            "extends: default\ntypes:\n  email: {spelling: {ignore_case: true}}",
            [
                "types.email.spelling: e-mail addresses and phone numbers are spelt alike already; leave it out."
                " (line 3)"
            ],
        ),
        ("types: {}", ["extends: Add it; it is required."]),
        ("", ["there is nothing in it: write `extends: default` and what is to differ"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_meant(text: str, expected: list[str]) -> None:
    assert list(problems(text)) == expected


def test_all_mistakes_are_named_at_once() -> None:
    text = "extends: default\ntypes:\n  emial: {unique: true}\n  cookie: {hold: long}\nblocked: {types: {fone: {}}}"
    assert len(problems(text)) == 3


def test_a_name_that_is_written_twice_is_refused() -> None:
    assert any("cookie" in one for one in problems("extends: default\ntypes:\n  cookie: {}\n  cookie: {shared: true}"))


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes("extends: default # 정책".encode("cp949"))
    with pytest.raises(IdentityRefusedError, match="save the file as UTF-8"):
        identity_file.load(file)


def test_a_stored_policy_is_read_as_it_was_written() -> None:
    mine = read(
        "extends: default\ntypes:\n  cookie: {hold: 12h, shared_after: null}\n"
        "  card: {title: {en: Card, ko: 카드}, spelling: {ignore_case: true, ignore: ' -'}}\n"
        "blocked: {every: {words: [tester]}, types: {card: {constants: ['0000']}}}"
    )
    document = identity_file.encode(mine)
    assert identity_file.decode(document) == mine
    assert identity_file.encode(identity_file.decode(document)) == document


def test_values_are_spelt_and_blocked_as_the_version_says_that_was_in_force() -> None:
    mine = read(
        "extends: default\n"
        "types: {loyalty_id: {spelling: {ignore_case: true, ignore: '-'}}}\n"
        "blocked: {types: {loyalty_id: {exact: [x1]}}}"
    )
    book = IdentityBook([identity_file.shipped().version(SINCE_EVER), mine.version(CHANGE)])

    def usable(value: str, appended_at: datetime) -> tuple[tuple[str, str], ...]:
        customer = {"loyalty_id": Identifier(value=value), "email": Identifier(value="kim@mail.example")}
        return tuple(key for key in book.usable(customer, appended_at) if key[0] == "loyalty_id")

    before, after = CHANGE - timedelta(seconds=1), CHANGE
    assert usable("AB-12", before) == (("loyalty_id", "AB-12"),)
    assert usable("AB-12", after) == (("loyalty_id", "ab12"),)
    assert usable("x1", before) == (("loyalty_id", "x1"),)
    assert usable("x1", after) == ()
    assert book.spellings("loyalty_id", ["AB-12"]) == ("AB-12", "ab12")
