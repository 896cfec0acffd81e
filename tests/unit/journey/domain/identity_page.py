"""Writes `docs/identity.md`: the table of identity, each row with what comes of it.

`python -m tests.unit.journey.domain.identity_page` writes the page anew; a test holds it to the table.
"""

from collections.abc import Iterable
from pathlib import Path

from tests.unit.journey.domain.identity_facts import LETTERS, groups, part, refusals, settled, sighting, word_of
from tests.unit.journey.domain.identity_scenarios import SCENARIOS, Scenario
from tests.unit.journey.domain.operator_scenarios import OPERATORS

PAGE = Path(__file__).parents[4] / "docs" / "identity.md"

_HEAD = """\
# Who is who: a table

What [semantics.md](semantics.md#identity) defines, by example. Each row is decided in fifty orders, with facts
repeated, and gives what stands here; two workers on one database, with the touchpoints of each row in any order, cut
into batches anywhere and over two partitions, store the same (`tests/integration/test_identity_table.py`). The rows
come from `tests/unit/journey/domain/identity_scenarios.py`, and a test holds this page to them.

A touchpoint is written `10: c=A! k=1`: minutes from the beginning, then identifiers by a letter for their type; `!`
says that the source verified the value. {letters}.
As shipped, `c` is unique, `e` and `p` are personal, `d` and `k` are of devices; in this table `z` is a type that is
declared shared. Customers are groups of identifiers, with `|` between them. *Whose* says who has a touchpoint that
carries only what stands before the arrow.

"""


def render() -> str:
    """The page as it should be."""
    letters = ", ".join(f"`{letter}` is `{type_}`" for letter, type_ in LETTERS.items())
    lines = [
        "| case | seen | operators | customers found | not followed | whose |",
        "|---|---|---|---|---|---|",
        *(_line(row) for row in (*SCENARIOS, *OPERATORS)),
    ]
    return _HEAD.format(letters=letters) + "\n".join(lines) + "\n"


def _line(row: Scenario) -> str:
    given = part(*row.touchpoints, said=row.said, rules=row.rules, shared_link=row.shared_link)
    result = settled(given, row.rules)
    owners = {}
    for said in row.owners:
        component = result.ownership.of(sighting(said))
        assert isinstance(component, int)
        owners[said] = min(result.partition.components[component], key=row.rules.rank)
    assert groups(result.partition) == row.groups
    cells = (
        row.name,
        _several(row.touchpoints),
        _several(row.said),
        f"`{groups(result.partition)}`".replace("|", "\\|"),
        _several(sorted(refusals(result.partition))),
        _several(f"{said} → {word_of(owner)}" for said, owner in owners.items()),
    )
    return f"| {' | '.join(cells)} |"


def _several(words: Iterable[str]) -> str:
    said = list(words)
    shown = said if len(said) <= 8 else [*said[:3], "…", *said[-2:]]
    return "<br>".join("…" if one == "…" else f"`{one}`" for one in shown)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
