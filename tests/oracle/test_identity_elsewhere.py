"""The definition of identity against the examples and reports of others."""

import pytest

from tests.oracle.constrained_identity import resolve
from tests.oracle.identity_elsewhere import TALES, TaleOfOthers
from tests.oracle.identity_reports import REPORTS
from tests.oracle.told_identity import owners, told

EVERY = (*TALES, *REPORTS)


@pytest.mark.parametrize("tale", EVERY, ids=lambda tale: f"{tale.told_by}: {tale.name}")
def test_the_definition_gives_what_is_written_of_it(tale: TaleOfOthers) -> None:
    assert owners(resolve(told(*tale.seen), policy=tale.policy), tale.defined) == tale.defined


def test_wherever_others_want_something_else_it_is_said_which_is_better() -> None:
    assert [tale.name for tale in EVERY if tale.differs != bool(tale.remark)] == []


def test_a_label_of_their_result_is_a_value_of_the_story() -> None:
    for tale in EVERY:
        values = {value for one in told(*tale.seen) for value, _ in one.customer.values()}
        assert set(tale.theirs.split()) | set(tale.defined.split()) <= values, tale.name
        assert len(tale.theirs.split()) == len(tale.defined.split()) == len(tale.seen), tale.name
