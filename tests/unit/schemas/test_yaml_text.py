"""YAML that people write: read strictly, and what is wrong with it is told with its line."""

from pathlib import Path

import pytest

from schemas.strict_yaml.yaml_text import UnreadableTextError, YamlText, read

TEXT = """\
default:
  text: keep
  attributes:
    data.buyer.name: encrypt
    data: drop
sources:
  - name: web
    kinds: [a,
            b]
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("default", 1),
        ("default.text: use one of", 2),
        ("default.attributes.data.buyer.name: is no path", 4),
        ("default.attributes.data", 5),
        ("default.attributes.nothing", 3),
        ("sources[0].kinds[1]: x", 9),
        ("sources[7].name", 6),
        ("`default` is empty", 1),
        ("defaults: x", None),
        ("", None),
    ],
)
def test_a_place_has_the_line_of_what_is_there_or_of_what_stands_above(place: str, line: int | None) -> None:
    assert YamlText(TEXT).line_of(place) == line
    assert YamlText(TEXT).located(place) == (f"{place} (line {line})" if line else place)


def test_a_key_that_is_given_twice_is_reported_with_both_lines_wherever_it_stands() -> None:
    text = YamlText("a: 1\nb:\n  - c: 1\n    d: 2\n    c: 3\na: 4\n")

    assert sorted(text.doubled) == [
        "a is given twice, in line 1 and line 6",
        "b[0]: c is given twice, in line 3 and line 5",
    ]


def test_what_an_anchor_repeats_is_not_given_twice() -> None:
    merged = YamlText("a: &a {b: 1}\nc:\n  <<: *a\n  b: 2\n")
    assert merged.document == {"a": {"b": 1}, "c": {"b": 2}}
    assert merged.doubled == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: [}\n", r"is no YAML: .*\(line 2\)"),
        ("a: 2026-13-01", "is no YAML: month must be in 1..12"),
        ("a: !!python/object:os.system x", r"is no YAML: could not determine .*\(line 1\)"),
        ("{[a]: b}", r"is no YAML: found unhashable key \(line 1\)"),
        ("a: \x00", "is no YAML: "),
        ("a\n\tb: c", r"is no YAML: .*\(line 2\)"),
    ],
)
def test_what_is_no_yaml_says_why_and_where_and_is_never_a_traceback(text: str, told: str) -> None:
    with pytest.raises(UnreadableTextError, match=told):
        YamlText(text)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    other = tmp_path / "utf-16.yaml"
    other.write_text("a: 1", encoding="utf-16")
    marked = tmp_path / "marked.yaml"
    marked.write_text("a: 1", encoding="utf-8-sig")

    with pytest.raises(UnreadableTextError, match=r"is not UTF-8 \(byte 1\)"):
        read(other)
    with pytest.raises(UnreadableTextError, match="cannot be read: No such file"):
        read(tmp_path / "nothing")
    assert read(marked).document == {"a": 1}


@pytest.mark.parametrize("text", ["&a [*a]", "rules: &a {b: [*a]}", "a: &a [1, &b [*a, *b]]"])
def test_a_value_that_holds_itself_is_refused(text: str) -> None:
    with pytest.raises(UnreadableTextError, match=r"holds itself, by an alias \(line 1\)"):
        YamlText(text)


def test_aliases_that_multiply_are_refused_before_anybody_walks_them() -> None:
    lines = ["a0: &a0 [x]", *(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 10))]

    with pytest.raises(UnreadableTextError, match="more than 1,000,000 values"):
        YamlText("\n".join(lines))


def test_a_value_may_be_used_twice() -> None:
    assert YamlText("a: &a {b: 1}\nc: [*a, *a]").document == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}
