"""The page of measured signals has every rule as it is shipped; what it says of the log can be counted again."""

import re
from pathlib import Path

import pytest

from benchmarks import signals
from services.journey.domain.rules.book import Rulebook
from services.journey.rulebook import rules_file
from tests.architecture import signals_page

DOCS = Path(__file__).parents[3] / "docs"
RULES = {rule.id: rule for rule in rules_file.load().rules}


@pytest.mark.parametrize("name", ["signals-measured.md", "signals-measured.ko.md"])
def test_the_page_has_every_rule_with_its_shape_and_whether_it_is_on(name: str) -> None:
    rows = re.findall(
        r"^\| \w+ \| `(\w+)` \| (\w+) \| (✓?) *\|", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [
        (id_, RULES[id_].__struct_config__.tag, "✓" if RULES[id_].enabled else "")
        for signal in signals_page.SIGNALS.values()
        for id_ in signal.rules
    ]


def test_the_log_has_as_many_repeated_contacts_as_the_page_says(shared_data: Path) -> None:
    books = {id_: Rulebook([RULES[id_]]) for id_ in ("repeat_contact_24h", "repeat_contact_7d", "case_reopened")}
    counts = dict.fromkeys(books, 0)
    for history in signals.helpdesk(shared_data / "helpdesk.csv").values():
        for id_, _ in signals.found(books, history):
            counts[id_] += 1
    page = (DOCS / "signals-measured.md").read_text(encoding="utf-8")
    for id_, count in counts.items():
        assert re.search(rf"`{id_}` \|[^|]*\|[^|]*\|[^|]*\| {count:,} \|", page), (id_, count)
