"""A document that is not of its shape is told everything that is wrong with it, not the first thing alone."""

from enum import StrEnum
from typing import Any

import msgspec
import pytest

from schemas.strict_yaml.shapes import shape_problems
from schemas.strict_yaml.yaml_text import path_text


class Kind(StrEnum):
    A = "a"
    B = "b"


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    size: int = 0


class Round(Part, frozen=True, tag="round", tag_field="form"):
    radius: float


class Square(Part, frozen=True, tag="square", tag_field="form"):
    side: float


class Whole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    parts: list[Part]
    named: dict[str, Part | None] = {}
    form: Round | Square | None = None
    pair: tuple[int, int] = (0, 0)
    anything: dict[str, Any] = {}
    several: str | list[str] | Part = ""
    by_kind: dict[Kind, int] = {}


def told(document: Any) -> list[str]:
    return [f"{path_text(one.at)}: {one.message}" for one in shape_problems(document, Whole)]


def test_a_document_of_its_shape_is_told_nothing() -> None:
    good = {
        "parts": [{"name": "a"}],
        "named": {"x.y": {"name": "b", "size": 3}, "none": None},
        "form": {"form": "round", "name": "c", "radius": 1},
        "pair": [1, 2],
        "anything": {"a": [1, {"b": 2}]},
        "several": ["a"],
    }
    assert told(good) == []
    assert msgspec.convert(good, Whole)


def test_all_that_is_wrong_is_reported_with_its_place() -> None:
    wrong = {
        "parts": [{"name": 1}, {"nam": "a"}, "b"],
        "named": {"x.y": {"size": "big", "name": "b"}},
        "form": {"form": "square", "radius": 1, "name": "c"},
        "pair": [1],
        "severl": 1,
        "by_kind": {"a": 1, "c": 2},
    }
    assert told(wrong) == [
        "parts[0].name: Expected `str`, got `int`",
        "parts[1].nam: there is no `nam` here; did you mean `name`?",
        "parts[1]: `name` is missing",
        "parts[2]: Expected `object`, got `str`",
        "named.x.y.size: Expected `int`, got `str`",
        "form.radius: there is no `radius` here; there are name, side, size",
        "form: `side` is missing",
        "pair: Expected `array` of length 2, got 1",
        "severl: there is no `severl` here; did you mean `several`?",
        "by_kind.c: Invalid enum value 'c'",
    ]


@pytest.mark.parametrize("document", [None, [], "text", 3, {"parts": None}, {1: 2}, {"form": {"form": "oval"}}])
def test_whatever_msgspec_refuses_is_reported_and_the_other_way_round(document: Any) -> None:
    assert told(document)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(document, Whole)
