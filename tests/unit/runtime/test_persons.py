"""For whom a key acts: a name is believed from the keys that are listed, and is fit to stand in a line."""

import pytest
from starlette.datastructures import Headers

from services.runtime.credentials.api_keys import KeyKind, StoredKey
from services.runtime.credentials.persons import acting_name

OURS = StoredKey(kind=KeyKind.AGENT, key_id="0123456789ab", subject="console", secret_hash=b"")
NAMED = Headers({"X-Waymark-Person": "%EA%B9%80%20%EC%A7%80%EC%9A%B0"})


def test_a_listed_key_acts_for_the_person_it_names_and_any_other_for_itself() -> None:
    assert acting_name(OURS, NAMED, {"0123456789ab"}) == "김 지우"
    assert acting_name(OURS, NAMED, {"0123456789ac"}) == "console"
    assert acting_name(OURS, NAMED, ()) == "console"
    assert acting_name(OURS, Headers({}), {"0123456789ab"}) == "console"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("", "console"),
        ("%20%0A", "console"),
        ("a%0D%0Ab", "a b"),
        ("%FF", "\ufffd"),
        ("%E2%80%AEx", "x"),
        ("x" * 500, "x" * 80),
    ],
)
def test_a_name_is_printable_and_short(given: str, shown: str) -> None:
    assert acting_name(OURS, Headers({"x-waymark-person": given}), {"0123456789ab"}) == shown
