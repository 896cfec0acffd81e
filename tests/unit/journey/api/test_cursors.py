"""A cursor comes back as it went out, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.journey.read import cursors

SHAPE = (int, str)
SCOPE = cursors.scope("journeys", [("state", "open"), ("channel", None)])
KEYS = st.tuples(st.integers(min_value=-(2**62), max_value=2**62), st.text(max_size=60))


@given(key=KEYS)
def test_a_cursor_comes_back_as_it_went_out(key: tuple[int, str]) -> None:
    text = cursors.encode(cursors.CursorPosition(SCOPE, key))
    assert cursors.decode(text, SCOPE, SHAPE) == key


@given(key=KEYS)
def test_a_cursor_needs_no_escaping_in_a_url(key: tuple[int, str]) -> None:
    text = cursors.encode(cursors.CursorPosition(SCOPE, key))
    assert all(letter.isalnum() or letter in "-_" for letter in text)


@given(key=KEYS, data=st.data())
def test_one_changed_letter_is_refused(key: tuple[int, str], data: st.DataObject) -> None:
    text = cursors.encode(cursors.CursorPosition(SCOPE, key))
    at = data.draw(st.integers(min_value=0, max_value=len(text) - 2))
    letter = data.draw(st.sampled_from("ABCxyz019").filter(lambda one: one != text[at]))
    with pytest.raises(cursors.CursorError):
        cursors.decode(text[:at] + letter + text[at + 1 :], SCOPE, SHAPE)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("한글", id="not ASCII"),
        pytest.param("a", id="cut short"),
        pytest.param("!!!!", id="not base64"),
        pytest.param("AAAA" * 20, id="never sealed"),
        pytest.param("A" * 5000, id="absurdly long"),
        pytest.param("eyJvZmZzZXQiOjUwfQ", id="somebody else's cursor"),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(cursors.CursorError):
        cursors.decode(text, SCOPE, SHAPE)


def test_a_cursor_of_other_filters_is_refused() -> None:
    other = cursors.scope("journeys", [("state", "closed"), ("channel", None)])
    with pytest.raises(cursors.CursorError, match="other filters"):
        cursors.decode(cursors.encode(cursors.CursorPosition(other, (1, "a"))), SCOPE, SHAPE)


def test_a_cursor_of_another_shape_is_refused() -> None:
    with pytest.raises(cursors.CursorError, match="shape"):
        cursors.decode(cursors.encode(cursors.CursorPosition(SCOPE, ("a", 1))), SCOPE, SHAPE)


def test_the_order_in_which_filters_are_named_does_not_matter() -> None:
    assert cursors.scope("journeys", [("a", 1), ("b", 2)]) == cursors.scope("journeys", [("b", 2), ("a", 1)])


def test_two_lists_do_not_share_cursors() -> None:
    assert cursors.scope("journeys", []) != cursors.scope("timeline", [])
