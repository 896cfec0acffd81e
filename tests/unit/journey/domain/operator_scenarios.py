"""The rows of the table of identity in which operators say something."""

from tests.unit.journey.domain.identity_scenarios import Scenario, not_followed

OPERATORS = (
    Scenario(
        "operator merge over a unique conflict",
        ["0: c=A k=1", "1: c=B k=2", "2: c=A e=1"],
        "c=A c=B e=1 k=1 k=2",
        said=["5: merge c=A c=B"],
    ),
    Scenario(
        "a merge of two numbers does not open the door to a third",
        ["0: c=A k=1", "1: c=B k=2", "7: c=D k=1"],
        "c=A c=B k=2 | c=D | k=1",
        not_followed("c=A k=1 held", "c=D k=1 unique"),
        said=["5: merge c=A c=B"],
    ),
    Scenario(
        "what an operator gave somebody is never between",
        ["0: c=A k=1", "10: c=B k=1"],
        "c=A k=1 | c=B",
        not_followed("c=B k=1 unique"),
        said=["5: merge c=A k=1"],
    ),
    Scenario(
        "an operator gives the telephone of a shop to one customer",
        [f"{number}: c={number} p=1" for number in range(6)],
        "c=0 p=1 | c=1 | c=2 | c=3 | c=4 | c=5",
        frozenset(f"c={number} p=1 shared" for number in range(6)),
        {"3: p=1": "c=3", "9000: p=1": "c=0"},
        said=["5: merge c=0 p=1"],
    ),
    Scenario(
        "separation after a merge",
        ["0: c=A k=1", "1: c=B k=2"],
        "c=A k=1 | c=B k=2",
        not_followed("c=A c=B separated"),
        said=["5: merge c=A c=B", "6: separate c=A c=B"],
    ),
    Scenario(
        "separation and merge of one moment",
        ["0: c=A k=1", "1: c=B k=2"],
        "c=A k=1 | c=B k=2",
        not_followed("c=A c=B separated"),
        said=["5: merge c=A c=B", "5: separate c=A c=B"],
    ),
    Scenario(
        "merge after a separation",
        ["0: c=A k=1", "1: c=B k=2"],
        "c=A c=B k=1 k=2",
        said=["5: separate c=A c=B", "6: merge c=A c=B"],
    ),
    Scenario(
        "separation of what evidence joined by two ways",
        ["0: e=1 p=1", "1: e=1 k=1", "2: p=1 k=1"],
        "e=1 k=1 | p=1",
        not_followed("e=1 p=1 separated", "p=1 k=1 separated"),
        said=["5: separate e=1 p=1"],
    ),
    Scenario(
        "rapid re-merge: the same evidence again does not undo a separation",
        ["0: c=A k=1", "6: c=A k=1", "7: c=A! k=1!"],
        "c=A | k=1",
        not_followed("c=A k=1 separated"),
        {"8: k=1": "k=1"},
        said=["5: separate c=A k=1"],
    ),
    Scenario(
        "rapid re-merge: the same evidence again does not undo an unmerge",
        ["0: c=A k=1", "6: c=A k=1"],
        "c=A | k=1",
        said=["5: retract c=A k=1"],
    ),
    Scenario(
        "unmerge in the middle of a chain",
        ["0: c=A e=1", "1: e=1 p=1", "2: p=1 k=1"],
        "c=A e=1 | k=1 p=1",
        said=["5: retract e=1 p=1"],
    ),
    Scenario(
        "unmerge of one side of a diamond",
        ["0: e=1 p=1", "1: e=1 k=1", "2: c=A p=1", "3: c=A k=1"],
        "c=A e=1 k=1 p=1",
        said=["5: retract e=1 p=1"],
    ),
    Scenario(
        "unmerge of both sides of a diamond",
        ["0: e=1 p=1", "1: e=1 k=1", "2: c=A p=1", "3: c=A k=1"],
        "c=A k=1 p=1 | e=1",
        said=["5: retract e=1 p=1", "6: retract e=1 k=1"],
    ),
    Scenario(
        "unmerge of the hub of a fan",
        ["0: c=A e=1", "1: c=A p=1", "2: c=A k=1"],
        "c=A e=1 k=1 | p=1",
        said=["5: retract c=A p=1"],
    ),
    Scenario(
        "unmerge of the wrong customer gives the browser back",
        ["0: c=A k=1", "10: c=B k=1"],
        "c=A | c=B k=1",
        said=["5: retract c=A k=1"],
    ),
    Scenario(
        "unmerge makes a shared telephone an ordinary one",
        [f"{number}: c={number} p=1" for number in range(6)],
        "c=0 | c=1 | c=2 | c=3 | c=4 | c=5 | p=1",
        not_followed("c=1 p=1 held", "c=2 p=1 unique", "c=3 p=1 held", "c=4 p=1 held", "c=5 p=1 held"),
        said=["9: retract c=0 p=1"],
    ),
)
