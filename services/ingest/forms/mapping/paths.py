"""Where a value stands in JSON: `detail.contactId`, `contacts[0].email`, `parts[type=note].body`, `lines[].price`.

A member whose name has dots or brackets stands in quotation marks: `tags."aws:name"`. Of several elements that satisfy
a condition the first counts; an object that does not satisfy it is absent: `author[type=user|lead].email`. `[only]` is
the element of a list that has but one, `[]` all of them. A path is compiled once. Pure.

Segment's paths are names with dots between them and CloudEvents' are the same with numbers for elements: fronts make
the steps themselves, and `walk` follows all of them.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from services.ingest.forms.mapping.faults import MappingRuleError
from services.ingest.forms.mapping.readings import as_text

PathStep = str | Callable[[Any], Any]
"""The name of a member, or a function from a value to one inside it (None: there is none)."""

_STEP = re.compile(
    r"""\[(?P<at>-?\d+)\] | \[(?P<member>[^\]=\s]+)=(?P<wanted>[^\]]*)\] | (?P<only>\[only\]) | (?P<all>\[\])
      | (?P<dot>\.)?(?:"(?P<quoted>[^"]+)"|(?P<name>[^."\[\]{}@\s]+))""",
    re.VERBOSE,
)


def walk(node: Any, steps: Sequence[PathStep]) -> Any:
    """Return the value at the end of `steps`; absent is None."""
    for step in steps:
        if node is None:
            return None
        if not isinstance(step, str):
            node = step(node)
        elif isinstance(node, dict):
            node = node.get(step)
        else:
            return None
    return node


def compile_steps(text: str, offset: int = 0) -> tuple[PathStep, ...]:
    """Return the steps of a path, which begins `offset` characters into what the file says.

    Raises:
        MappingRuleError: it is no path.
    """
    steps: list[PathStep] = []
    end = 0
    while end < len(text):
        found = _STEP.match(text, end)
        if found is None or (found["dot"] is None) != (end == 0 or found[0].startswith("[")):
            raise MappingRuleError(f"`{text}` is no path: look at character {offset + end + 1}")
        end = found.end()
        if found["all"] is not None:  # what follows is asked of each element
            rest = compile_steps(text[end:].removeprefix("."), offset + end) if end < len(text) else ()
            return (*steps, partial(_every, steps=rest))
        steps.append(_step(found))
    if not steps:
        raise MappingRuleError("an empty path")
    return tuple(steps)


def _step(found: re.Match[str]) -> PathStep:
    if found["at"] is not None:
        return element(int(found["at"]))
    if found["only"] is not None:
        return lambda node: node[0] if isinstance(node, list) and len(node) == 1 else None
    if found["member"] is not None:
        member, wanted = found["member"], frozenset(found["wanted"].casefold().split("|"))
        return lambda node: next(
            (part for part in _objects(node) if as_text(part.get(member)).casefold() in wanted), None
        )
    return found["quoted"] or found["name"]


def element(at: int) -> Callable[[Any], Any]:
    """Return the step to an element of a list, from 0; from its end where it is negative."""
    return lambda node: node[at] if isinstance(node, list) and -len(node) <= at < len(node) else None


def _objects(node: Any) -> list[dict[str, Any]]:
    """The objects in a list; an object by itself is the one there is."""
    return [part for part in (node if isinstance(node, list) else [node]) if isinstance(part, dict)]


def _every(node: Any, steps: Sequence[PathStep]) -> list[Any]:
    """What stands at `steps` in each element of a list, where it does."""
    found = [walk(part, steps) for part in (node if isinstance(node, list) else ())]
    return [one for one in found if one is not None]


def elements(node: Any, names: Sequence[str]) -> list[Any]:
    """Return the elements of the list at `names`, going through every list on the way."""
    if isinstance(node, list):
        return [one for part in node for one in (elements(part, names) if names else [part])]
    return elements(node.get(names[0]), names[1:]) if names and isinstance(node, dict) else []
