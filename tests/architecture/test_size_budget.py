"""Nothing outgrows the budget, and the budget bites."""

from pathlib import Path

from tests.architecture.size_budget import over_budget


def test_nothing_is_over_the_size_budget() -> None:
    assert list(over_budget()) == []


def test_the_budget_bites_on_a_long_module_a_long_function_and_a_full_package(tmp_path: Path) -> None:
    package = tmp_path / "services" / "crowd"
    package.mkdir(parents=True)
    for number in range(13):
        (package / f"part_{number:02}.py").write_text("")
    (package / "part_00.py").write_text("x = 1\n" * 401)
    (package / "part_01.py").write_text("def long() -> None:\n" + "    x = 1\n" * 50)
    (package / "part_02.py").write_text('def argued() -> None:\n    """' + "why\n" * 60 + '"""\n')

    findings = list(over_budget(tmp_path))

    assert findings == [
        "services/crowd/part_00.py: 401 lines, 400 allowed",
        "services/crowd/part_01.py:1: long has 51 lines, 50 allowed",
        "services/crowd: 13 modules, 12 allowed",
    ]
