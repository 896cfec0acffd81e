"""Where in a YAML text something stands, so that a complaint about it can name the line."""

from __future__ import annotations

import re

import yaml

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def line_of(text: str, path: str) -> int | None:
    """The line, from 1, of what `path` (`rules[3].when.kind`) leads to in the YAML `text`, or of the nearest above it.

    None where not even the first step of the path is there.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    line = None
    for index, name in _STEP.findall(path):
        found = _below(node, index, name)
        if found is None:
            break
        line, node = found
    return line


def _below(node: yaml.Node | None, index: str, name: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
        item = node.value[int(index)]
        return item.start_mark.line + 1, item
    if isinstance(node, yaml.MappingNode) and name:
        for key, value in node.value:
            if key.value == name:
                return key.start_mark.line + 1, value
    return None
