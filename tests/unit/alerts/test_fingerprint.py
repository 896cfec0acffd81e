"""The fingerprint, against a second implementation written from the text of the rule alone."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.issues.model import fingerprint


def by_the_text(customer: str, journey: str | None, reason: str | None) -> str:
    if journey:
        text = f"waymark.issue.v1\u001f{customer}\u001fjourney\u001f{journey}"
    else:
        text = f"waymark.issue.v1\u001f{customer}\u001freason\u001f{reason if reason is not None else ''}"
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[0:32]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(texts, st.none() | texts, st.none() | texts)
def test_the_fingerprint_is_what_the_documentation_says(customer: str, journey: str | None, reason: str | None) -> None:
    assert fingerprint(customer, journey, reason) == by_the_text(customer, journey, reason)


@pytest.mark.parametrize(
    ("customer", "journey", "reason", "expected"),
    [
        ("c-1", "j-1", "billing", "3cb5798492453d0cebf8d001e2a0654c"),
        ("c-1", None, "billing", "4f5da7cd2a7c630ed7d0964e5fb48c0c"),
        ("고객", None, None, "deb0d04c2265a29e0b7c4c342f007c0e"),
    ],
)
def test_known_fingerprints_stay_what_they_are_for_ever(
    customer: str, journey: str | None, reason: str | None, expected: str
) -> None:
    assert fingerprint(customer, journey, reason) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(("a", "j", "x"), ("a", "j", "y"), id="reason does not matter within a journey"),
        pytest.param(("a", None, None), ("a", None, ""), id="no reason is the empty reason"),
    ],
)
def test_what_does_not_matter_does_not_change_it(
    left: tuple[str, str | None, str | None], right: tuple[str, str | None, str | None]
) -> None:
    assert fingerprint(*left) == fingerprint(*right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(("a", "j", None), ("b", "j", None), id="customer"),
        pytest.param(("a", "j", None), ("a", "k", None), id="journey"),
        pytest.param(("a", "x", None), ("a", None, "x"), id="a journey is not a reason"),
    ],
)
def test_what_matters_changes_it(
    left: tuple[str, str | None, str | None], right: tuple[str, str | None, str | None]
) -> None:
    assert fingerprint(*left) != fingerprint(*right)
