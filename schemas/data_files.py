"""Reads the contract's YAML files into frozen values, strictly: a misspelt or repeated key is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T")

FOLDER = Path(__file__).parent


class DataFileError(ValueError):
    """A data file of the contract is wrong; the message names the file and the place."""


class StrictLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice, which plain YAML quietly overwrites."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of `node`; raises on a doubled key."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = {str(key) for key in keys if keys.count(key) > 1}
        if doubled:
            msg = f"{', '.join(sorted(doubled))} is given twice"
            raise yaml.constructor.ConstructorError(None, None, msg, node.start_mark)
        return super().construct_mapping(node, deep=deep)


def read(path: Path, shape: type[T]) -> T:
    """Return the file at `path` as `shape` (msgspec types that forbid unknown fields); raises `DataFileError`."""
    return parse(path.read_text(encoding="utf-8"), shape, name=path.name)


def parse(text: str, shape: type[T], *, name: str) -> T:
    """Return the YAML `text` as `shape`; `name` stands in the error message."""
    try:
        return msgspec.convert(yaml.load(text, Loader=StrictLoader), shape)  # noqa: S506 - a SafeLoader underneath
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        msg = f"{name}: {error}"
        raise DataFileError(msg) from error
